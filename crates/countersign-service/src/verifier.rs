//! Requesting and submitting tokens: the engine that every face of the server shares.

mod validated;

use std::{sync::Arc, time::Duration};

use countersign_core::{
    ClientSecret, Clock, CodePolicy, DrawnRandom, InUsePolicy, InvalidNextLink, Keyring, Medium, MessageId,
    NextLink, NextLinkPolicy, Random, Requested, Sealed, SealedColumn, SendAttempt, ServerName, SessionId,
    SessionPurpose, SubmissionScope, Submitted, SubmittedToken, ThirdPartyIdentifier, TokenNonce,
    TokenSubmission, ValidationRequest,
};
use countersign_delivery::PeerError;
use countersign_storage::{Storage, StorageError};
use thiserror::Error;

use crate::{Delegate, Limits, Links, OutboxWakeup, RequestContext, limits::network_subject};

pub use self::validated::{GetValidatedError, ValidatedThreepid};

/// Requests and submits validation tokens. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    wakeup: OutboxWakeup,
    delegate: Delegate,
    settings: Arc<VerifierSettings>,
}

/// What an operator decides about validation.
#[derive(Clone, Debug)]
pub struct VerifierSettings {
    /// The part after the colon in user ids.
    pub server_name: ServerName,
    /// Where this server is reached.
    pub links: Links,
    /// The media that messages can be sent by.
    pub media: Vec<Medium>,
    /// The countries that SMS go to; `None`: all.
    pub sms_countries: Option<Vec<String>>,
    /// Which messages carry a code, and how long it lives.
    pub codes: CodePolicy,
    /// How long a session lives.
    pub session_lifetime: Duration,
    /// Where clients may link to.
    pub next_links: NextLinkPolicy,
    /// Whether to tell that an address is on an account.
    pub in_use: InUsePolicy,
    /// How often things may happen.
    pub limits: Limits,
}

/// A request for a token, parsed.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// What came along.
    pub context: RequestContext,
    /// What the session may prove.
    pub purpose: SessionPurpose,
    /// The address.
    pub threepid: ThirdPartyIdentifier,
    /// Names the attempt.
    pub client_secret: ClientSecret,
    /// The client's counter.
    pub send_attempt: SendAttempt,
    /// Where to go on to.
    pub next_link: Option<NextLink>,
}

/// A session that a token is on its way for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequested {
    /// The session.
    pub sid: SessionId,
    /// Where to hand in the code, if the message carries one.
    pub submit_url: Option<String>,
}

/// Why no token is sent.
#[derive(Debug, Error)]
pub enum RequestTokenError {
    /// No message can be sent by this medium.
    #[error("no message can be sent by {0}")]
    MediumNotSupported(Medium),
    /// No message is sent to that country.
    #[error("no SMS is sent to that country")]
    DestinationDenied,
    /// The address is on an account.
    #[error("the address is on an account")]
    InUse,
    /// The address is on no account.
    #[error("the address is on no account")]
    NotFound,
    /// Too much in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A token handed in, parsed.
#[derive(Clone, Debug)]
pub struct SubmitTokenRequest {
    /// What came along.
    pub context: RequestContext,
    /// Where it was handed in.
    pub scope: SubmissionScope,
    /// The session; `None` if what the client sent names none.
    pub sid: Option<SessionId>,
    /// Names the attempt.
    pub client_secret: ClientSecret,
    /// The token.
    pub token: SubmittedToken,
}

/// Why a token does not validate.
#[derive(Debug, Error)]
pub enum SubmitTokenError {
    /// There is no such session, or the client secret is not its.
    #[error("unknown session or wrong client secret")]
    UnknownSession,
    /// The token is wrong.
    #[error("wrong token")]
    Incorrect,
    /// The session's time is over, or it was ended.
    #[error("the session is over")]
    SessionExpired,
    /// The code is right but too old.
    #[error("the code is too old")]
    CodeExpired,
    /// Too many wrong tokens.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// Another service proves this address, and gave no answer that can be used.
    #[error("the identity service can't say whether the token is right")]
    Unreachable(#[source] PeerError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Verifier {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        wakeup: OutboxWakeup,
        delegate: Delegate,
        settings: Arc<VerifierSettings>,
    ) -> Self {
        Self { storage, keyring, clock, random, wakeup, delegate, settings }
    }

    /// Checks that messages can be sent by a medium, before anyone looks at an address.
    ///
    /// # Errors
    /// When they can't.
    pub fn require_medium(&self, medium: Medium) -> Result<(), RequestTokenError> {
        let supported = self.settings.media.contains(&medium);
        if supported { Ok(()) } else { Err(RequestTokenError::MediumNotSupported(medium)) }
    }

    /// Parses a `next_link` by the operator's policy.
    ///
    /// # Errors
    /// When the policy does not allow it.
    pub fn parse_next_link(&self, text: &str) -> Result<NextLink, InvalidNextLink> {
        NextLink::parse(text, &self.settings.next_links)
    }

    /// Opens or resumes a validation session and queues the message that it owes. When it returns, both are durable.
    ///
    /// # Errors
    /// When the address is of the wrong owner, can't be reached, or had enough messages; when the database fails.
    pub async fn request_token(&self, request: TokenRequest) -> Result<TokenRequested, RequestTokenError> {
        let medium = request.threepid.medium();
        self.require_medium(medium)?;
        self.check_destination(request.purpose, &request.threepid)?;
        let purpose = request.purpose;
        let sealed = self.seal(request);
        let sid = match self.storage.request_validation(sealed, self.clock.now()).await? {
            Requested::Sending(sid) => {
                self.wakeup.ring(medium.into());
                sid
            }
            Requested::Repeated(sid) => sid,
            Requested::InUse => return Err(RequestTokenError::InUse),
            Requested::NotFound => return Err(RequestTokenError::NotFound),
            Requested::Limited(limited) => return Err(RequestTokenError::Limited(limited.retry_after)),
        };
        let sends_code = self.settings.codes.sends_code(medium, purpose);
        Ok(TokenRequested { sid, submit_url: sends_code.then(|| self.settings.links.submit_url()) })
    }

    /// Compares a token with the session's, and validates the session if it is right. Again is a success again.
    ///
    /// # Errors
    /// When the token is wrong or too old, the session unknown or over, or too many were wrong; when the database fails.
    pub async fn submit_token(&self, request: SubmitTokenRequest) -> Result<(), SubmitTokenError> {
        let sid = request.sid.ok_or(SubmitTokenError::UnknownSession)?;
        if let Some(submitted) = self.submit_elsewhere(sid, &request).await? {
            return submitted;
        }
        let limits = &self.settings.limits;
        let network = network_subject(&self.keyring, request.context.network);
        let submission = TokenSubmission {
            scope: request.scope,
            sid,
            client_secret_hash: self.keyring.client_secret_hash(&request.client_secret),
            token: request.token,
            keyring: self.keyring.clone(),
            codes: self.settings.codes.clone(),
            session_lifetime: self.settings.session_lifetime,
            misses_per_session: limits.misses_per_session,
            misses_per_address: limits.misses_per_address,
            misses_per_network: limits.misses_per_network.map(|rate| (network, rate)),
        };
        match self.storage.submit_token(submission, self.clock.now()).await? {
            Submitted::Validated => Ok(()),
            Submitted::Incorrect => Err(SubmitTokenError::Incorrect),
            Submitted::Unknown => Err(SubmitTokenError::UnknownSession),
            Submitted::Expired => Err(SubmitTokenError::SessionExpired),
            Submitted::CodeExpired => Err(SubmitTokenError::CodeExpired),
            Submitted::Limited(limited) => Err(SubmitTokenError::Limited(limited.retry_after)),
        }
    }

    /// Hands a token on to the service that proves the session's address; `None` if this node does. The service counts the
    /// misses of its session; those of the address and of the network are paid for here, before it is asked.
    async fn submit_elsewhere(
        &self,
        sid: SessionId,
        request: &SubmitTokenRequest,
    ) -> Result<Option<Result<(), SubmitTokenError>>, StorageError> {
        if self.delegate.media().is_empty() {
            return Ok(None);
        }
        let client_secret = self.keyring.client_secret_hash(&request.client_secret);
        let session = self.storage.find_session(sid).await?;
        let Some(session) = session
            .filter(|session| request.scope.includes(session))
            .filter(|session| session.client_secret_hash == client_secret)
        else {
            return Ok(None);
        };
        if !self.delegate.media().contains(&session.medium) || session.decoy {
            return Ok(None);
        }
        let now = self.clock.now();
        if session.is_expired(now) || session.ended.is_some() {
            return Ok(Some(Err(SubmitTokenError::SessionExpired)));
        }
        if session.validated_at.is_some() {
            return Ok(Some(Ok(())));
        }
        let limits = &self.settings.limits;
        let guess = limits.wrong_token(&self.keyring, session.address_hash, request.context.network);
        if let Err(limited) = self.storage.charge(guess.clone(), now).await? {
            return Ok(Some(Err(SubmitTokenError::Limited(limited.retry_after))));
        }
        let submitted = self.delegate.submit(&session, &request.token).await;
        if !matches!(submitted, Some(Err(SubmitTokenError::Incorrect))) {
            self.storage.refund(guess, self.clock.now()).await?;
        }
        Ok(submitted)
    }

    /// Whether messages go to that country. To an address that is on an account already they do anyway, so that a country
    /// that was closed since locks nobody out; unless accounts are hidden, when unknown numbers get messages too.
    fn check_destination(
        &self,
        purpose: SessionPurpose,
        threepid: &ThirdPartyIdentifier,
    ) -> Result<(), RequestTokenError> {
        let (ThirdPartyIdentifier::Msisdn(msisdn), Some(countries)) =
            (threepid, &self.settings.sms_countries)
        else {
            return Ok(());
        };
        if purpose == SessionPurpose::ResetPassword && self.settings.in_use == InUsePolicy::Tell {
            return Ok(());
        }
        let country = msisdn.country();
        let allowed = country.is_some_and(|country| countries.contains(&country));
        if allowed { Ok(()) } else { Err(RequestTokenError::DestinationDenied) }
    }

    /// Everything that can be made before the request waits for the database.
    fn seal(&self, request: TokenRequest) -> ValidationRequest {
        let now = self.clock.now();
        let random: &dyn Random = &DrawnRandom::new(&*self.random);
        let sealer = self.keyring.sealer();
        let address_hash = self.keyring.address_hash(&request.threepid);
        let key = self.keyring.session_key(request.purpose, &address_hash, &request.client_secret);
        let new_sid = SessionId::generate(now, random);
        let seal_link = |link: NextLink| -> Sealed {
            sealer.seal(SealedColumn::SessionNextLink, key.as_bytes(), link.as_str().as_bytes(), random)
        };
        let address = request.threepid.address().as_bytes();
        ValidationRequest {
            key,
            purpose: request.purpose,
            medium: request.threepid.medium(),
            address_hash,
            sealed_address: sealer.seal(SealedColumn::SessionAddress, new_sid.as_bytes(), address, random),
            client_secret_hash: self.keyring.client_secret_hash(&request.client_secret),
            send_attempt: request.send_attempt,
            sealed_next_link: request.next_link.map(seal_link),
            new_sid,
            token_key_id: sealer.current_key_id().clone(),
            nonce: TokenNonce::from_bytes(random.bytes()),
            message_id: MessageId::generate(now, random),
            language: request.context.language,
            requested_by: request.context.caller,
            in_use: self.settings.in_use,
            charges: self.settings.limits.message(&self.keyring, address_hash, request.context.network),
            session_lifetime: self.settings.session_lifetime,
        }
    }
}

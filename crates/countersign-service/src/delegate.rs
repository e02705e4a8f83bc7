//! Another service of the operator's that proves addresses for this node (docs/delegation.md).
//!
//! Each of our sessions has one over there, with a client secret of ours and an id of theirs. Ours counts as validated once
//! theirs does, for the same address.

use std::{error::Error, sync::Arc, time::Duration};

use countersign_core::{
    ClientSecretHash, Clock, Keyring, LeasedMessage, Medium, MessageKind, Random, SealedColumn, SessionId,
    SubmittedToken, ThirdPartyIdentifier, Timestamp, ValidationSession,
};
use countersign_delivery::{
    PeerError, Secret, SendError,
    identity_server::{AddressToProve, IdentityServer, RemoteRequest, RequestError, Submitted, Validated},
};
use countersign_storage::{Storage, StorageError};
use thiserror::Error as ThisError;

use crate::SubmitTokenError;

/// What proves addresses for this node, where it does not do so itself. Cheap to clone.
#[derive(Clone)]
pub struct Delegate {
    storage: Arc<dyn Storage>,
    service: Option<Arc<Service>>,
}

/// A service that proves addresses for us.
struct Service {
    server: IdentityServer,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: DelegateSettings,
}

/// What an operator decides about delegation.
#[derive(Clone, Debug)]
pub struct DelegateSettings {
    /// The media whose addresses the service proves.
    pub media: Vec<Medium>,
    /// How long a session of ours lives after it was validated.
    pub session_lifetime: Duration,
}

/// Why it is not known whether the service has proven an address.
#[derive(Debug, ThisError)]
pub(crate) enum FindSessionError {
    /// The service gave no answer that can be used.
    #[error("the identity service can't say whether the address is proven")]
    Unreachable(#[source] PeerError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Delegate {
    /// Nobody: this node proves all addresses itself.
    pub fn nobody(storage: Arc<dyn Storage>) -> Self {
        Self { storage, service: None }
    }

    /// A service.
    pub fn to(
        server: IdentityServer,
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: DelegateSettings,
    ) -> Self {
        Self { storage, service: Some(Arc::new(Service { server, keyring, clock, random, settings })) }
    }

    /// The media whose addresses are proven elsewhere.
    pub fn media(&self) -> &[Medium] {
        self.service.as_deref().map_or(&[], |service| &service.settings.media)
    }

    /// The session with that id. Where another service proves its address, that is asked first whether it has; but only for
    /// who knows the client secret.
    pub(crate) async fn find_session(
        &self,
        sid: SessionId,
        client_secret: &ClientSecretHash,
    ) -> Result<Option<ValidationSession>, FindSessionError> {
        let Some(session) = self.storage.find_session(sid).await? else { return Ok(None) };
        let Some(service) = self.service_of(&session) else { return Ok(Some(session)) };
        let waits = session.validated_at.is_none() && session.client_secret_hash == *client_secret;
        if !waits || !self.settle(service, &session).await? {
            return Ok(Some(session));
        }
        Ok(self.storage.find_session(sid).await?)
    }

    /// Has the service send the message that a session owes. The same message again changes nothing there.
    pub(crate) async fn send(&self, leased: &LeasedMessage) -> Result<String, SendError> {
        let session = &leased.session;
        let Some(service) = self.service_of(session) else {
            return Err(SendError::Permanent { reason: "no identity service takes this medium".to_owned() });
        };
        let request = service.request(leased).map_err(|reason| SendError::Permanent { reason })?;
        let remote_sid = match service.server.request_token(&request).await {
            Ok(remote_sid) => remote_sid,
            Err(RequestError::Send(error)) => return Err(error),
            Err(RequestError::Unwelcome { reason }) => {
                tracing::error!(
                    outbox.id = %leased.message.id,
                    "The identity service does not work for this node ({reason}): see validation.delegate.access_token, \
                     and whether its terms are accepted",
                );
                return Err(SendError::Transient { reason, retry_after: None });
            }
        };
        let sealed = service.keyring.sealer().seal(
            SealedColumn::DelegatedSession,
            session.sid.as_bytes(),
            remote_sid.as_bytes(),
            &*service.random,
        );
        match self.storage.keep_delegation(session.sid, sealed, session.expires_at).await {
            Ok(()) => Ok("200".to_owned()),
            Err(cause) => {
                tracing::warn!(
                    session.sid = %session.sid,
                    error = &cause as &dyn Error,
                    "What the identity service calls session {} could not be kept; it is asked again", session.sid,
                );
                let reason = "the other service's session could not be kept".to_owned();
                Err(SendError::Transient { reason, retry_after: None })
            }
        }
    }

    /// Hands a token on to the service that proves the session's address. `None`: this node proves it itself.
    ///
    /// The caller has compared the client secret.
    pub(crate) async fn submit(
        &self,
        session: &ValidationSession,
        token: &SubmittedToken,
    ) -> Option<Result<(), SubmitTokenError>> {
        let service = self.service_of(session)?;
        Some(self.submit_to(service, session, token).await)
    }

    async fn submit_to(
        &self,
        service: &Service,
        session: &ValidationSession,
        token: &SubmittedToken,
    ) -> Result<(), SubmitTokenError> {
        let Some((remote_sid, secret)) = self.remote(service, session).await? else {
            // No message went out yet, so nobody can know a token.
            return Err(SubmitTokenError::Incorrect);
        };
        let medium = session.medium.as_str();
        let submitted = service.server.submit_token(medium, &remote_sid, &secret, token.expose()).await;
        match submitted.map_err(SubmitTokenError::Unreachable)? {
            Submitted::Accepted => {}
            Submitted::Incorrect => return Err(SubmitTokenError::Incorrect),
            Submitted::SessionExpired => return Err(SubmitTokenError::SessionExpired),
            Submitted::UnknownSession => return Err(SubmitTokenError::UnknownSession),
        }
        match self.settle(service, session).await {
            Ok(_) => Ok(()),
            Err(FindSessionError::Unreachable(cause)) => Err(SubmitTokenError::Unreachable(cause)),
            Err(FindSessionError::Storage(cause)) => Err(cause.into()),
        }
    }

    /// Validates our session if the service has validated its own for the same address; says whether it did.
    async fn settle(&self, service: &Service, session: &ValidationSession) -> Result<bool, FindSessionError> {
        let Some((remote_sid, secret)) = self.remote(service, session).await? else { return Ok(false) };
        let validated = service.server.get_validated(&remote_sid, &secret).await;
        let (medium, address, validated_at) = match validated.map_err(FindSessionError::Unreachable)? {
            Validated::Address { medium, address, validated_at } => (medium, address, validated_at),
            Validated::NotYet | Validated::Gone => return Ok(false),
        };
        if !service.is_address_of(session, &medium, &address) {
            tracing::error!(
                session.sid = %session.sid,
                threepid.medium = %session.medium,
                "The identity service says of session {} that it proves another address; it proves nothing here",
                session.sid,
            );
            return Ok(false);
        }
        let (validated_at, now) = (Timestamp::from_millis(validated_at), service.clock.now());
        let lifetime = service.settings.session_lifetime;
        Ok(self.storage.mark_validated(session.sid, validated_at, lifetime, now).await?)
    }

    /// The id and the client secret of the service's own session. `None` while there is none, and when they don't open any
    /// more.
    async fn remote(
        &self,
        service: &Service,
        session: &ValidationSession,
    ) -> Result<Option<(String, Secret)>, StorageError> {
        let Some(sealed) = self.storage.find_delegation(session.sid).await? else { return Ok(None) };
        let sealer = service.keyring.sealer();
        let opened = sealer.open(SealedColumn::DelegatedSession, session.sid.as_bytes(), &sealed);
        let remote_sid = opened.ok().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        let secret = session.delegate_secret(&service.keyring);
        let both = remote_sid.zip(secret);
        if both.is_none() {
            tracing::error!(
                session.sid = %session.sid,
                "What the identity service calls session {} does not open: a key is gone from the master key file",
                session.sid,
            );
        }
        Ok(both.map(|(remote_sid, secret)| (remote_sid, Secret::new(secret.as_str()))))
    }

    fn service_of(&self, session: &ValidationSession) -> Option<&Service> {
        // A decoy proves nothing, anywhere.
        let service = self.service.as_deref().filter(|_| !session.decoy)?;
        service.settings.media.contains(&session.medium).then_some(service)
    }
}

impl Service {
    fn request(&self, leased: &LeasedMessage) -> Result<RemoteRequest, String> {
        let LeasedMessage { message, session } = leased;
        if message.kind != MessageKind::Validation {
            return Err("an identity service sends no notices".to_owned());
        }
        let gone = || "a key is gone from the master key file".to_owned();
        let address = match self.open_address(session).ok_or_else(gone)? {
            ThirdPartyIdentifier::Email(email) => AddressToProve::Email(email.as_str().to_owned()),
            ThirdPartyIdentifier::Msisdn(msisdn) => {
                AddressToProve::Msisdn { digits: msisdn.as_str().to_owned(), country: msisdn.country() }
            }
        };
        let secret = session.delegate_secret(&self.keyring).ok_or_else(gone)?;
        let next_link = match &session.sealed_next_link {
            Some(sealed) => {
                let opened =
                    self.keyring.sealer().open(SealedColumn::SessionNextLink, session.key.as_bytes(), sealed);
                let link = opened.ok().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
                Some(link.ok_or_else(gone)?)
            }
            None => None,
        };
        Ok(RemoteRequest {
            address,
            client_secret: Secret::new(secret.as_str()),
            send_attempt: message.send_attempt.0,
            next_link,
        })
    }

    fn open_address(&self, session: &ValidationSession) -> Option<ThirdPartyIdentifier> {
        let sealer = self.keyring.sealer();
        let opened =
            sealer.open(SealedColumn::SessionAddress, session.sid.as_bytes(), &session.sealed_address);
        let address = opened.ok()?;
        ThirdPartyIdentifier::from_canonical(session.medium, str::from_utf8(&address).ok()?)
    }

    /// Whether what the service proved is the session's own address, by our rules.
    fn is_address_of(&self, session: &ValidationSession, medium: &str, address: &str) -> bool {
        let proven =
            Medium::parse(medium).and_then(|medium| ThirdPartyIdentifier::from_canonical(medium, address));
        proven.is_some_and(|proven| self.keyring.address_hash(&proven) == session.address_hash)
    }
}

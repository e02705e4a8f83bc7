//! User-interactive authentication: walks a request through the stages of a flow.
//!
//! A stage proves and consumes nothing: what was proven is remembered in the session, and the request that it allows uses
//! it up, once (docs/decisions/0011).

mod attempt;
mod pages;
mod params;
mod stages;

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{
    Authorization, ClientNetwork, Clock, Credential, Flow, Keyring, Localpart, Medium, OpenError, Random,
    SessionId, Stage, TermsVersion, UiaMismatch, UiaOperation, UiaProgress, UiaSession, UiaSessionHash,
    UiaTargetHash,
};
use countersign_delivery::PeerError;
use countersign_storage::{Storage, StorageError};
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::{
    attempt::{StageAttempt, StageFailure},
    pages::{PageOutcome, StageState, StageView},
};
use crate::{Accounts, Callers, CheckPasswordError, Delegate, delegate::FindSessionError};

/// Walks requests through the stages of a flow. Cheap to clone.
#[derive(Clone)]
pub struct Uia {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    accounts: Accounts,
    callers: Callers,
    delegate: Delegate,
    settings: Arc<UiaSettings>,
}

/// What [`Uia`] is made of.
pub struct UiaParts {
    /// Where sessions are.
    pub storage: Arc<dyn Storage>,
    /// Finds and seals.
    pub keyring: Arc<Keyring>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub random: Arc<dyn Random>,
    /// Accounts that a password names without an access token.
    pub accounts: Accounts,
    /// Who vouches for callers.
    pub callers: Callers,
    /// Knows of addresses that another service proves.
    pub delegate: Delegate,
}

/// What an operator decides about authentication.
#[derive(Clone, Debug, Default)]
pub struct UiaSettings {
    /// The ways to make an account; none: nobody makes one.
    pub register: Vec<Flow>,
    /// The media whose addresses can be proven.
    pub media: Vec<Medium>,
    /// The policies that `m.login.terms` asks to accept.
    pub terms: Vec<TermsVersion>,
}

/// A request that needs authentication, as far as it is understood before an earlier round adds to it.
pub struct UiaBegin {
    /// What it wants to do.
    pub operation: UiaOperation,
    /// The account whose access token it carries.
    pub caller: Option<Localpart>,
    /// The `session` of its `auth`.
    pub session: Option<String>,
    /// The stage of its `auth`.
    pub attempt: Option<StageAttempt>,
    /// What it said beside `auth` and passwords, as JSON, to be remembered for later rounds.
    pub params: Zeroizing<String>,
}

/// A request in its session.
pub struct UiaRun {
    id: String,
    session: UiaSession,
    kept: Kept,
    flows: Vec<Flow>,
    attempt: Option<StageAttempt>,
    new_params: Zeroizing<String>,
    first_params: Option<Zeroizing<String>>,
    compared: Option<String>,
}

/// What a request wants, now that all of it is known.
pub struct UiaWish {
    /// What it is to change, which must stay the same for a whole session.
    pub target: Option<UiaTargetHash>,
    /// The password that it sets. Kept as a hash, and only if a session is stored in this round.
    pub new_password: Option<Zeroizing<String>>,
    /// Where it comes from.
    pub network: ClientNetwork,
}

/// Whether a request may go on.
#[derive(Debug)]
pub enum UiaOutcome {
    /// It may.
    Authenticated(UiaProof),
    /// It needs more.
    Challenge(Challenge),
}

/// What an authentication proved.
#[derive(Clone, Default)]
pub struct UiaProof {
    /// The session; `None`: it was authenticated at once, without one.
    pub session: Option<UiaSessionHash>,
    /// The account whose password was right, or for which the session had its effect, where the request carries no access
    /// token.
    pub account: Option<Localpart>,
    /// The validation sessions of the stages that asked for an address.
    pub sids: Vec<SessionId>,
    /// What a change to an account that it allows rests on.
    pub credential: Credential,
    /// The PHC string of the password that an earlier round gave.
    pub password_hash: Option<String>,
    /// Whether the session had its effect before: this request is a repeat.
    pub finished: bool,
}

/// What a client must do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The id of the session.
    pub session: String,
    /// The ways.
    pub flows: Vec<Flow>,
    /// Stages done, in the order of their flow.
    pub completed: Vec<Stage>,
    /// Why the tried stage does not count.
    pub failure: Option<StageFailure>,
}

/// Why a request can't be authenticated at all.
#[derive(Debug, Error)]
pub enum UiaError {
    /// Its session is unknown, expired, or another request's.
    #[error(transparent)]
    Session(UiaMismatch),
    /// The session holds another registration token.
    #[error("the session holds another registration token")]
    TokenChanged,
    /// A password could not be checked.
    #[error(transparent)]
    Password(CheckPasswordError),
    /// Another service proves an address, and gave no answer that can be used.
    #[error("the identity service can't say whether the address is proven")]
    Unreachable(#[source] PeerError),
    /// Too many sessions in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// What an earlier round said does not open: a key is gone from the master key file, or the row is damaged.
    #[error("a session's parameters do not open")]
    Sealed(#[source] OpenError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<FindSessionError> for UiaError {
    fn from(error: FindSessionError) -> Self {
        match error {
            FindSessionError::Unreachable(cause) => Self::Unreachable(cause),
            FindSessionError::Storage(cause) => Self::Storage(cause),
        }
    }
}

/// Whether a session is in the database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Since an earlier round.
    Before,
    /// Since this round, whose challenge the client has not seen yet.
    JustNow,
    NotYet,
}

impl UiaRun {
    /// What the first round said beside `auth` and passwords, as JSON. What a later round leaves out is taken from it.
    pub fn params(&self) -> Option<&str> {
        self.first_params.as_deref().map(String::as_str)
    }

    /// The account that the session made already, so that this request is a repeat.
    pub fn registered(&self) -> Option<&Localpart> {
        self.session.registered.as_ref()
    }

    fn proof(self) -> UiaProof {
        let credential = self.credential();
        let sids = self.session.sids();
        let UiaSession { id_hash, proven, password_hash, finished_at, .. } = self.session;
        UiaProof {
            session: (self.kept != Kept::NotYet).then_some(id_hash),
            account: proven,
            sids,
            credential,
            password_hash,
            finished: finished_at.is_some(),
        }
    }

    /// What its stages rest on, of which a change to an account has one.
    fn credential(&self) -> Credential {
        match (&self.compared, self.session.sids().first()) {
            (Some(compared), _) => Credential::Password(compared.clone()),
            (None, Some(sid)) => Credential::Threepid(*sid),
            (None, None) if self.session.has_completed(Stage::Password) => Credential::Session,
            (None, None) => Credential::AccessToken,
        }
    }
}

impl UiaProof {
    /// What allows a change to an account.
    pub(crate) fn authorization(&self) -> Authorization {
        Authorization { uia_session: self.session, credential: self.credential.clone() }
    }
}

impl std::fmt::Debug for UiaProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UiaProof").field("finished", &self.finished).finish_non_exhaustive()
    }
}

impl Uia {
    /// Joins what it needs.
    pub fn new(parts: UiaParts, settings: UiaSettings) -> Self {
        let UiaParts { storage, keyring, clock, random, accounts, callers, delegate } = parts;
        Self { storage, keyring, clock, random, accounts, callers, delegate, settings: Arc::new(settings) }
    }

    /// Finds the session that a request names, or begins one, which is not stored yet. A request that names none but
    /// proves an address by the same session as one before finds the session of that one: clients ask again and again
    /// until a link was clicked.
    ///
    /// # Errors
    /// When the session does not fit, or the database fails.
    pub async fn begin(&self, begin: UiaBegin) -> Result<UiaRun, UiaError> {
        let flows = self.flows(begin.operation, begin.caller.as_ref()).await?;
        let (id, session, kept) = self.find_or_begin(&begin).await?;
        let first_params = self.open_params(&session)?;
        let (attempt, new_params) = (begin.attempt, begin.params);
        Ok(UiaRun { id, session, kept, flows, attempt, new_params, first_params, compared: None })
    }

    /// Counts the stage that the request tries, and says whether it may go on. A completed stage is not checked again. A
    /// request without `auth` never may.
    ///
    /// # Errors
    /// When it wants something else than the session's first request, when too many passwords were wrong or sessions
    /// begun, when the database fails.
    pub async fn authenticate(&self, mut run: UiaRun, wish: UiaWish) -> Result<UiaOutcome, UiaError> {
        match run.kept {
            Kept::NotYet => run.session.target = wish.target,
            Kept::Before | Kept::JustNow if run.session.target == wish.target => {}
            Kept::Before | Kept::JustNow => return Err(UiaError::Session(UiaMismatch::Foreign)),
        }
        let failure = match run.attempt.take() {
            Some(attempt) => {
                if attempt.needs_a_stored_session() {
                    self.keep(&mut run, &wish).await?;
                }
                self.try_stage(&mut run, attempt, wish.network).await?
            }
            None => None,
        };
        if failure.is_none() && run.session.progress(&run.flows) == UiaProgress::Done {
            return Ok(UiaOutcome::Authenticated(run.proof()));
        }
        self.keep(&mut run, &wish).await?;
        let UiaRun { id: session, flows, session: UiaSession { completed, .. }, .. } = run;
        Ok(UiaOutcome::Challenge(Challenge { session, flows, completed, failure }))
    }

    /// The session that the request names or its proof of an address leads to, or a new one that is not stored yet.
    async fn find_or_begin(&self, begin: &UiaBegin) -> Result<(String, UiaSession, Kept), UiaError> {
        let caller = begin.caller.as_ref();
        if let Some(id) = &begin.session {
            let session = self.find(id, begin.operation, caller).await?;
            return Ok((id.clone(), session, Kept::Before));
        }
        let derived = begin
            .attempt
            .as_ref()
            .and_then(StageAttempt::creds)
            .map(|(sid, secret)| self.keyring.derived_uia_session(begin.operation, caller, &sid, secret));
        let id = match derived {
            Some(id) => match self.storage.find_uia_session(self.keyring.uia_session_hash(&id)).await? {
                None => id,
                Some(session) if self.clock.now() <= session.expires_at => {
                    return Ok((id, session, Kept::Before));
                }
                // Its row stays until the janitor comes, so this one takes another name.
                Some(_) => self.random_id(),
            },
            None => self.random_id(),
        };
        let id_hash = self.keyring.uia_session_hash(&id);
        let session = UiaSession::begin(id_hash, begin.operation, begin.caller.clone(), self.clock.now());
        Ok((id, session, Kept::NotYet))
    }

    /// The session of that id, if it counts for this.
    async fn find(
        &self,
        id: &str,
        operation: UiaOperation,
        caller: Option<&Localpart>,
    ) -> Result<UiaSession, UiaError> {
        let found = self.storage.find_uia_session(self.keyring.uia_session_hash(id)).await?;
        // What it is to change is compared once all of the request is known.
        let target = found.as_ref().and_then(|session| session.target);
        UiaSession::check(found, operation, caller, target.as_ref(), self.clock.now())
            .map_err(UiaError::Session)
    }

    fn random_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random.bytes::<18>())
    }
}

//! User-interactive authentication: walks a request through the stages of a flow.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{
    ClientNetwork, Clock, Flow, Keyring, Localpart, Random, Stage, StageRefusal, UiaMismatch, UiaOperation,
    UiaProgress, UiaSession, UiaSessionHash, UiaTargetHash,
};
use countersign_storage::{Storage, StorageError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{AccountIdentifier, Accounts, AccountsError};

/// Walks requests through the stages of a flow. Cheap to clone.
#[derive(Clone)]
pub struct Uia {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    accounts: Accounts,
}

/// A request that needs authentication, with what it brought.
pub struct UiaRequest {
    /// What it wants to do.
    pub operation: UiaOperation,
    /// The ways to be allowed to.
    pub flows: Vec<Flow>,
    /// The account whose access token it carries.
    pub localpart: Option<Localpart>,
    /// What it is to change, which must stay the same for a whole session.
    pub target: Option<UiaTargetHash>,
    /// Where it comes from.
    pub network: ClientNetwork,
    /// The `session` of its `auth`.
    pub session: Option<String>,
    /// The stage of its `auth`.
    pub attempt: Option<StageAttempt>,
}

/// A stage that a client tries to complete.
pub enum StageAttempt {
    /// `m.login.dummy`
    Dummy,
    /// `m.login.password`
    Password {
        /// The account.
        identifier: AccountIdentifier,
        /// Its password.
        password: Zeroizing<String>,
    },
    /// `m.login.password` without an account or without a password.
    IncompletePassword,
    /// A type that this server does not know.
    Unknown,
}

/// Whether a request may go on.
#[derive(Debug)]
pub enum UiaOutcome {
    /// It may, in this session; `None`: it was authenticated at once, without one.
    Authenticated(Option<UiaSessionHash>),
    /// It needs more.
    Challenge(Challenge),
}

/// Whether a session is in the database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Stored,
    NotYet,
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

/// Why a tried stage does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StageFailure {
    /// No flow has it, or it is unknown.
    #[error("This authentication stage is not offered here")]
    NotOffered,
    /// Another stage comes first.
    #[error("Another authentication stage comes first")]
    OutOfOrder,
    /// It lacks something.
    #[error("This authentication stage needs an identifier and a password")]
    Incomplete,
    /// Wrong account or password.
    #[error("Wrong username or password")]
    Forbidden,
}

/// Why a request can't be authenticated at all.
#[derive(Debug, Error)]
pub enum UiaError {
    /// Its session is unknown, expired, or another request's.
    #[error(transparent)]
    Session(UiaMismatch),
    /// The stage failed otherwise.
    #[error(transparent)]
    Accounts(AccountsError),
    /// Too many sessions in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Uia {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        accounts: Accounts,
    ) -> Self {
        Self { storage, keyring, clock, random, accounts }
    }

    /// Counts the stage that the request tries, and says whether it may go on. A completed stage is not checked again. A
    /// request without `auth` never may.
    ///
    /// # Errors
    /// When its session does not fit, when too many passwords were wrong or sessions begun, when the database fails.
    pub async fn authenticate(&self, request: UiaRequest) -> Result<UiaOutcome, UiaError> {
        let (id, mut session, kept) = self.find_or_begin(&request).await?;
        let mut failure = None;
        if let Some(attempt) = &request.attempt {
            match self.check_stage(&session, &request, attempt).await? {
                Ok(stage) => session = self.count(session, kept, stage).await?,
                Err(refused) => failure = Some(refused),
            }
        }
        if failure.is_none() && session.progress(&request.flows) == UiaProgress::Done {
            return Ok(UiaOutcome::Authenticated(match kept {
                Kept::Stored => Some(session.id_hash),
                Kept::NotYet => None,
            }));
        }
        if kept == Kept::NotYet {
            self.open(session.clone(), request.network).await?;
        }
        let completed = session.completed;
        Ok(UiaOutcome::Challenge(Challenge { session: id, flows: request.flows, completed, failure }))
    }

    /// Keeps a new session. Whoever has no access token may begin only so many.
    async fn open(&self, session: UiaSession, network: ClientNetwork) -> Result<(), UiaError> {
        let charges = match &session.localpart {
            Some(_) => Vec::new(),
            None => self.accounts.limits().uia_session(&self.keyring, network),
        };
        let opened = self.storage.open_uia_session(session, charges, self.clock.now()).await?;
        opened.map_err(|limited| UiaError::Limited(limited.retry_after))
    }

    /// The session that the request names, or a new one that is not stored yet.
    async fn find_or_begin(&self, request: &UiaRequest) -> Result<(String, UiaSession, Kept), UiaError> {
        let now = self.clock.now();
        let (caller, target) = (request.localpart.as_ref(), request.target.as_ref());
        if let Some(id) = &request.session {
            let found = self.storage.find_uia_session(self.keyring.uia_session_hash(id)).await?;
            let session = UiaSession::check(found, request.operation, caller, target, now)
                .map_err(UiaError::Session)?;
            return Ok((id.clone(), session, Kept::Stored));
        }
        let id = URL_SAFE_NO_PAD.encode(self.random.bytes::<18>());
        let id_hash = self.keyring.uia_session_hash(&id);
        let session = UiaSession::begin(id_hash, request.operation, request.localpart.clone(), now);
        Ok((id, UiaSession { target: request.target, ..session }, Kept::NotYet))
    }

    async fn check_stage(
        &self,
        session: &UiaSession,
        request: &UiaRequest,
        attempt: &StageAttempt,
    ) -> Result<Result<Stage, StageFailure>, UiaError> {
        let stage = match attempt {
            StageAttempt::Dummy => Stage::Dummy,
            StageAttempt::Password { .. } | StageAttempt::IncompletePassword => Stage::Password,
            StageAttempt::Unknown => return Ok(Err(StageFailure::NotOffered)),
        };
        if session.has_completed(stage) {
            return Ok(Ok(stage));
        }
        match session.may_try(stage, &request.flows) {
            Ok(()) => {}
            Err(StageRefusal::NotOffered) => return Ok(Err(StageFailure::NotOffered)),
            Err(StageRefusal::OutOfOrder) => return Ok(Err(StageFailure::OutOfOrder)),
        }
        match attempt {
            StageAttempt::Dummy | StageAttempt::Unknown => Ok(Ok(stage)),
            StageAttempt::IncompletePassword => Ok(Err(StageFailure::Incomplete)),
            StageAttempt::Password { identifier, password } => {
                // A password proves the account whose token asks, and no other.
                let Some(caller) = &request.localpart else { return Ok(Err(StageFailure::Forbidden)) };
                let password = password.clone();
                match self.accounts.check_password(caller, identifier, password, request.network).await {
                    Ok(()) => Ok(Ok(stage)),
                    Err(AccountsError::Forbidden) => Ok(Err(StageFailure::Forbidden)),
                    Err(error) => Err(UiaError::Accounts(error)),
                }
            }
        }
    }

    async fn count(&self, session: UiaSession, kept: Kept, stage: Stage) -> Result<UiaSession, UiaError> {
        if session.has_completed(stage) {
            return Ok(session);
        }
        match kept {
            Kept::NotYet => Ok(session.complete(stage)),
            Kept::Stored => {
                let completed = self.storage.complete_uia_stage(session.id_hash, stage).await?;
                completed.ok_or(UiaError::Session(UiaMismatch::Unknown))
            }
        }
    }
}

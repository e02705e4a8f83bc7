//! User-interactive authentication: walks a request through the stages of a flow.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{
    ClientNetwork, Clock, Flow, Keyring, Localpart, Random, Stage, StageRefusal, UiaMismatch, UiaOperation,
    UiaProgress, UiaSession, UiaSessionHash,
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
    /// It may; its effect deletes this session.
    Authenticated(UiaSessionHash),
    /// It needs more.
    Challenge(Challenge),
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
    /// When its session does not fit, when too many passwords were wrong, when the database fails.
    pub async fn authenticate(&self, request: UiaRequest) -> Result<UiaOutcome, UiaError> {
        let (id, session, stored) = self.find_or_begin(&request).await?;
        let failure = match &request.attempt {
            None => None,
            Some(attempt) => match self.check_stage(&session, &request, attempt).await? {
                Ok(stage) => return self.count(id, session, stored, stage, request.flows).await,
                Err(failure) => Some(failure),
            },
        };
        if stored && failure.is_none() && session.progress(&request.flows) == UiaProgress::Done {
            return Ok(UiaOutcome::Authenticated(session.id_hash));
        }
        if !stored {
            self.storage.open_uia_session(session.clone()).await?;
        }
        Ok(UiaOutcome::Challenge(Challenge {
            session: id,
            flows: request.flows,
            completed: session.completed,
            failure,
        }))
    }

    /// The session that the request names, or a new one that is not stored yet.
    async fn find_or_begin(&self, request: &UiaRequest) -> Result<(String, UiaSession, bool), UiaError> {
        let now = self.clock.now();
        if let Some(id) = &request.session {
            let found = self.storage.find_uia_session(self.keyring.uia_session_hash(id)).await?;
            let session = UiaSession::check(found, request.operation, request.localpart.as_ref(), now)
                .map_err(UiaError::Session)?;
            return Ok((id.clone(), session, true));
        }
        let id = URL_SAFE_NO_PAD.encode(self.random.bytes::<18>());
        let id_hash = self.keyring.uia_session_hash(&id);
        let session = UiaSession::begin(id_hash, request.operation, request.localpart.clone(), now);
        Ok((id, session, false))
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

    async fn count(
        &self,
        id: String,
        session: UiaSession,
        stored: bool,
        stage: Stage,
        flows: Vec<Flow>,
    ) -> Result<UiaOutcome, UiaError> {
        let session = if stored {
            let completed = self.storage.complete_uia_stage(session.id_hash, stage).await?;
            completed.ok_or(UiaError::Session(UiaMismatch::Unknown))?
        } else {
            session.complete(stage)
        };
        if session.progress(&flows) == UiaProgress::Done {
            return Ok(UiaOutcome::Authenticated(session.id_hash));
        }
        if !stored {
            self.storage.open_uia_session(session.clone()).await?;
        }
        Ok(UiaOutcome::Challenge(Challenge {
            session: id,
            flows,
            completed: session.completed,
            failure: None,
        }))
    }
}

//! Whose access token it is, and whose password: asked of the accounts here, or of the homeserver that has them.

mod homeserver;

use std::time::Duration;

use countersign_core::{AccountHome, ClientNetwork, Localpart, SecondFactor, StageProof, TokenOwner};
use countersign_delivery::PeerError;
use countersign_storage::StorageError;
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::homeserver::{HomeserverAccounts, HomeserverSettings};
use crate::{AccountIdentifier, Accounts, AccountsError};

/// Who vouches for callers. Cheap to clone.
#[derive(Clone)]
pub enum Callers {
    /// This node: its accounts are in its own database.
    Here(Accounts),
    /// The homeserver that this node stands beside.
    Homeserver(HomeserverAccounts),
}

/// How fresh the answer about an access token must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Asked for this request.
    Asked,
    /// Maybe some seconds old.
    Cached,
}

/// What an access token is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// It stands for this caller.
    Owner(TokenOwner),
    /// It did, and its device still stands; only the token is too old.
    Expired,
    /// It was never given out, or its device is logged out.
    Unknown,
}

/// Why nobody can say whose access token it is.
#[derive(Debug, Error)]
pub enum CallerError {
    /// The homeserver gave no answer that can be used.
    #[error("the homeserver can't say whose access token it is")]
    Unreachable(#[source] PeerError),
    /// It stands for a user of another server than this node's, or for a guest.
    #[error("the access token stands for nobody who can have addresses here")]
    Foreign,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a password does not prove the caller.
#[derive(Debug, Error)]
pub enum CheckPasswordError {
    /// It is another account's, or wrong.
    #[error("wrong username or password")]
    Forbidden,
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The homeserver gave no answer that can be used.
    #[error("the homeserver can't say whether it is the password")]
    Unreachable(#[source] PeerError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<AccountsError> for CheckPasswordError {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::Forbidden => Self::Forbidden,
            AccountsError::Limited(retry_after) => Self::Limited(retry_after),
            AccountsError::Storage(cause) => Self::Storage(cause),
        }
    }
}

impl Callers {
    /// Finds out what an access token is worth.
    ///
    /// # Errors
    /// When nobody can say.
    pub async fn find(&self, token: &str, freshness: Freshness) -> Result<Authentication, CallerError> {
        match (self, freshness) {
            (Self::Here(accounts), Freshness::Asked | Freshness::Cached) => {
                Ok(accounts.authenticate(token).await?)
            }
            (Self::Homeserver(accounts), freshness) => accounts.find(token, freshness).await,
        }
    }

    /// Checks the password of a caller, and answers what that proved. Only the caller's own names and addresses name them,
    /// and every guess counts for them.
    ///
    /// # Errors
    /// When it is not the password, or too many were wrong; when nobody can say.
    pub async fn check_password(
        &self,
        localpart: &Localpart,
        identifier: &AccountIdentifier,
        password: Zeroizing<String>,
        network: ClientNetwork,
    ) -> Result<StageProof, CheckPasswordError> {
        match self {
            Self::Here(accounts) => {
                let compared = accounts.check_password(localpart, identifier, password, network).await?;
                Ok(StageProof::Password { localpart: localpart.clone(), compared })
            }
            Self::Homeserver(accounts) => {
                accounts.check_password(localpart, identifier, password, network).await?;
                Ok(StageProof::Nothing)
            }
        }
    }

    /// What an account can be asked for beside its access token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn second_factor(&self, localpart: &Localpart) -> Result<SecondFactor, StorageError> {
        match self {
            Self::Here(accounts) => accounts.second_factor(localpart).await,
            // It can't be asked; the password stage will tell.
            Self::Homeserver(_) => Ok(SecondFactor::Password),
        }
    }

    /// Where the accounts of callers live.
    pub fn account_home(&self) -> AccountHome {
        match self {
            Self::Here(_) => AccountHome::Here,
            Self::Homeserver(_) => AccountHome::Elsewhere,
        }
    }
}

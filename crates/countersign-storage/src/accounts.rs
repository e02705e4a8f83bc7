//! Accounts of the node, their devices and access tokens.

use async_trait::async_trait;
use countersign_core::{
    AccessTokenHash, Account, Device, DeviceId, Localpart, NewLogin, TokenOwner, UiaSessionHash,
};

use crate::StorageError;

/// A new account.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The account.
    pub account: Account,
    /// Its first login, unless the client wants none.
    pub login: Option<NewLogin>,
    /// The authentication session that allows it, which allows one; `None`: it was allowed at once, or by the operator.
    pub uia_session: Option<UiaSessionHash>,
}

/// What a registration led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The account exists now.
    Created,
    /// Someone has that name.
    UserInUse,
    /// The authentication session has made this account before.
    Repeated(Localpart),
    /// The authentication session is gone.
    SessionGone,
}

/// Accounts of the node, their devices and access tokens.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes an account, with its first login, and keeps its name with the authentication session. Changes nothing if the
    /// session has made an account or is gone, or if the name is taken. Of two with one name, one wins, and of two with one
    /// session.
    async fn register(&self, registration: Registration) -> Result<Registered, StorageError>;

    /// The account of that name.
    async fn find_account(&self, localpart: &Localpart) -> Result<Option<Account>, StorageError>;

    /// Gives a device a new access token. A device that exists keeps its name and loses its earlier tokens.
    async fn log_in(&self, login: NewLogin) -> Result<(), StorageError>;

    /// Whom an access token stands for.
    async fn find_token_owner(&self, token: AccessTokenHash) -> Result<Option<TokenOwner>, StorageError>;

    /// Deletes a device and its tokens. Deleting what isn't there changes nothing.
    async fn log_out(&self, localpart: &Localpart, device_id: &DeviceId) -> Result<(), StorageError>;

    /// Deletes all devices and tokens of an account.
    async fn log_out_all(&self, localpart: &Localpart) -> Result<(), StorageError>;

    /// The devices of an account, oldest first.
    async fn list_devices(&self, localpart: &Localpart) -> Result<Vec<Device>, StorageError>;
}

/// The name of an account, as a column holds it.
pub(crate) fn parse_localpart(text: &str) -> Option<Localpart> {
    (!text.is_empty()).then(|| Localpart::from_stored(text.to_owned()))
}

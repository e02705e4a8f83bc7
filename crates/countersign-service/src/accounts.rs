//! Accounts of the node: register, log in and out, and whom an access token stands for.

mod password_login;
mod registration;

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{
    Clock, Device, DeviceId, InvalidDeviceId, InvalidDisplayName, InvalidLocalpart, Keyring, Localpart,
    NewLogin, Random, ServerName, ThirdPartyIdentifier, TokenOwner, UiaMismatch, UiaSessionHash, UserId,
};
use countersign_storage::{Storage, StorageError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{Limits, Passwords, RequestContext};

/// Accounts of the node. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    passwords: Passwords,
    server_name: Arc<ServerName>,
    limits: Arc<Limits>,
}

/// What an account is named by in a login.
#[derive(Clone, Debug)]
pub enum AccountIdentifier {
    /// A full user id or a localpart.
    User(String),
    /// An address of it.
    Threepid(ThirdPartyIdentifier),
}

/// A wish for a new account.
#[derive(Clone)]
pub struct RegisterRequest {
    /// What came along.
    pub context: RequestContext,
    /// The name; `None`: we make one up.
    pub localpart: Option<Localpart>,
    /// The password.
    pub password: Zeroizing<String>,
    /// The first device; `None`: the client wants no login.
    pub device: Option<NewDevice>,
    /// The authentication that allows it; `None`: it was allowed at once, or the operator makes it.
    pub uia_session: Option<UiaSessionHash>,
}

/// A device to log in on.
#[derive(Clone, Debug, Default)]
pub struct NewDevice {
    /// The client's choice; `None`: we make one up.
    pub device_id: Option<DeviceId>,
    /// What the client calls it.
    pub display_name: Option<String>,
}

impl NewDevice {
    /// Parses a client's choice.
    ///
    /// # Errors
    /// When the id breaks a rule, or the name is too long.
    pub fn parse(device_id: Option<&str>, display_name: Option<String>) -> Result<Self, InvalidDevice> {
        display_name.as_deref().map(Device::check_display_name).transpose()?;
        Ok(Self { device_id: device_id.map(DeviceId::parse).transpose()?, display_name })
    }
}

/// Why there can't be such a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidDevice {
    /// The id breaks a rule.
    #[error(transparent)]
    Id(#[from] InvalidDeviceId),
    /// The name is too long.
    #[error(transparent)]
    DisplayName(#[from] InvalidDisplayName),
}

/// A login by password.
#[derive(Clone)]
pub struct LogInRequest {
    /// What came along.
    pub context: RequestContext,
    /// The account.
    pub identifier: AccountIdentifier,
    /// Its password.
    pub password: Zeroizing<String>,
    /// The device.
    pub device: NewDevice,
}

/// A new account.
pub struct NewAccount {
    /// The account.
    pub user_id: UserId,
    /// Its first login, unless the client wanted none.
    pub login: Option<IssuedToken>,
}

/// A new login.
pub struct LoggedIn {
    /// The account.
    pub user_id: UserId,
    /// The device and its token.
    pub login: IssuedToken,
}

/// A new access token, told once.
pub struct IssuedToken {
    /// The device that it is for.
    pub device_id: DeviceId,
    /// The token.
    pub access_token: Zeroizing<String>,
}

/// Why no account is made.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// The name breaks a rule.
    #[error("{0}")]
    InvalidUsername(InvalidLocalpart),
    /// Someone has that name.
    #[error("the name is taken")]
    UserInUse,
    /// The password is none.
    #[error("the password is empty")]
    WeakPassword,
    /// The authentication session is gone, or has made another account.
    #[error(transparent)]
    Session(UiaMismatch),
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why nobody is logged in.
#[derive(Debug, Error)]
pub enum AccountsError {
    /// No such account, or a wrong password: one answer for both.
    #[error("wrong username or password")]
    Forbidden,
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        server_name: ServerName,
        limits: Limits,
    ) -> Self {
        let passwords = Passwords::new(random.clone());
        Self {
            storage,
            keyring,
            clock,
            random,
            passwords,
            server_name: server_name.into(),
            limits: limits.into(),
        }
    }

    /// The user id of an account here.
    pub fn user_id(&self, localpart: &Localpart) -> UserId {
        UserId::new(localpart, &self.server_name)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whom an access token stands for; `None`: it was never given out, or its device is logged out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn authenticate(&self, access_token: &str) -> Result<Option<TokenOwner>, StorageError> {
        self.storage.find_token_owner(self.keyring.access_token_hash(access_token)).await
    }

    /// Logs a device out. Its tokens stop working.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_out(&self, owner: &TokenOwner) -> Result<(), StorageError> {
        self.storage.log_out(&owner.localpart, &owner.device_id).await
    }

    /// Logs all devices of an account out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_out_all(&self, localpart: &Localpart) -> Result<(), StorageError> {
        self.storage.log_out_all(localpart).await
    }

    fn new_login(&self, localpart: &Localpart, device: NewDevice) -> (NewLogin, IssuedToken) {
        let token = Zeroizing::new(format!("cs_{}", URL_SAFE_NO_PAD.encode(self.random.bytes::<32>())));
        let device_id = device.device_id.unwrap_or_else(|| DeviceId::generate(&*self.random));
        let login = NewLogin {
            device: Device {
                localpart: localpart.clone(),
                device_id: device_id.clone(),
                display_name: device.display_name,
                created_at: self.clock.now(),
            },
            access_token_hash: self.keyring.access_token_hash(&token),
        };
        (login, IssuedToken { device_id, access_token: token })
    }
}

//! Accounts of the node: register, log in and out, and whom an access token stands for.

mod deactivation;
mod password;
mod password_login;
mod registration;
mod tokens;

use std::{sync::Arc, time::Duration};

use countersign_core::{
    Clock, Device, DeviceId, InvalidDeviceId, InvalidDisplayName, Keyring, Localpart, PasswordPolicy, Random,
    SecondFactor, ServerName, ThirdPartyIdentifier, TokenOwner, UserId, WeakPassword,
};
use countersign_storage::{Storage, StorageError};
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::{
    deactivation::{Deactivate, DeactivateError},
    password::{ChangePassword, ChangePasswordError, LogOutDevices},
    registration::{NewAccount, RegisterError, RegisterRequest},
    tokens::{IssuedToken, RefreshError, TokenLifetimes, WithRefresh},
};
use crate::{Limits, Passwords, RequestContext};

/// Accounts of the node. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    passwords: Passwords,
    settings: Arc<AccountsSettings>,
}

/// What an operator decides about accounts.
#[derive(Clone, Debug)]
pub struct AccountsSettings {
    /// The part after the colon in user ids.
    pub server_name: ServerName,
    /// How often things may happen.
    pub limits: Limits,
    /// What a new password must be like.
    pub password_policy: PasswordPolicy,
    /// How long tokens are good where a client can refresh them; `None`: none expires.
    pub token_lifetimes: Option<TokenLifetimes>,
    /// The countries whose phone numbers a new account may begin with; `None`: all.
    pub sms_countries: Option<Vec<String>>,
}

/// What an account is named by in a login.
#[derive(Clone, Debug)]
pub enum AccountIdentifier {
    /// A full user id or a localpart.
    User(String),
    /// An address of it.
    Threepid(ThirdPartyIdentifier),
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
    /// Whether the client can deal with refresh tokens.
    pub refresh: WithRefresh,
}

/// A new login.
pub struct LoggedIn {
    /// The account.
    pub user_id: UserId,
    /// The device and its token.
    pub login: IssuedToken,
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
        settings: AccountsSettings,
    ) -> Self {
        let passwords = Passwords::new(random.clone());
        Self { storage, keyring, clock, random, passwords, settings: Arc::new(settings) }
    }

    /// The user id of an account here.
    pub fn user_id(&self, localpart: &Localpart) -> UserId {
        UserId::new(localpart, &self.settings.server_name)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// Logs a device out. Its tokens stop working.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_out(&self, owner: &TokenOwner) -> Result<(), StorageError> {
        let Some(device_id) = &owner.device_id else { return Ok(()) };
        self.storage.log_out(&owner.localpart, device_id).await
    }

    /// Logs all devices of an account out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_out_all(&self, localpart: &Localpart) -> Result<(), StorageError> {
        self.storage.log_out_all(localpart).await
    }

    /// What an account can be asked for beside its access token.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn second_factor(&self, localpart: &Localpart) -> Result<SecondFactor, StorageError> {
        // One that is gone can't be asked for anything that would be right.
        let Some(account) = self.storage.find_account(localpart).await? else {
            return Ok(SecondFactor::Password);
        };
        match account.second_factor(0) {
            SecondFactor::Password => Ok(SecondFactor::Password),
            SecondFactor::Threepid | SecondFactor::None => {
                Ok(account.second_factor(self.storage.list_threepids(localpart).await?.len()))
            }
        }
    }

    /// Checks that a password may be one. `localpart` is whose it is to be, if known.
    ///
    /// # Errors
    /// When it breaks the rule.
    pub fn check_new_password(
        &self,
        password: &str,
        localpart: Option<&Localpart>,
    ) -> Result<(), WeakPassword> {
        self.settings.password_policy.check(password, localpart)
    }

    /// Checks what could not be checked in the round that named the password, since nobody knew for which account. It is not
    /// there any more, only its hash: the ways in which people write that account's name are compared with it.
    ///
    /// # Errors
    /// When it is one of them.
    async fn check_remembered_password(
        &self,
        password_hash: &str,
        localpart: &Localpart,
    ) -> Result<(), WeakPassword> {
        for spelling in PasswordPolicy::spellings(localpart) {
            if self.passwords.verify(Zeroizing::new(spelling), Some(password_hash.to_owned())).await {
                return Err(WeakPassword::IsName);
            }
        }
        Ok(())
    }

    /// The PHC string of a password.
    pub(crate) async fn hash_password(&self, password: Zeroizing<String>) -> String {
        self.passwords.hash(password).await
    }
}

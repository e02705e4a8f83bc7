//! Accounts of the node, their devices and addresses.

use std::fmt;

use thiserror::Error;

use crate::{AccessTokenHash, AddressHash, DeviceId, Localpart, Medium, RefreshTokenHash, Sealed, Timestamp};

/// A user of this node.
#[derive(Clone)]
pub struct Account {
    /// Its name.
    pub localpart: Localpart,
    /// Its password as a PHC string; `None`: it has none.
    pub password_hash: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its owner gave it up. Nothing is left of it but its name, so that nobody else gets that.
    pub deactivated_at: Option<Timestamp>,
}

/// Where the accounts live whose addresses this is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountHome {
    /// In this database.
    Here,
    /// In a homeserver that this node stands beside, which answers for them.
    Elsewhere,
}

impl Account {
    /// Whether someone can still use it.
    pub fn is_live(&self) -> bool {
        self.deactivated_at.is_none()
    }

    /// Whether someone can still use it with the password that was looked at (`None`: without one).
    pub fn still_has(&self, password_hash: Option<&str>) -> bool {
        self.is_live() && self.password_hash.as_deref() == password_hash
    }

    /// What is asked for beside its access token, where it has so many addresses.
    pub fn second_factor(&self, threepids: usize) -> SecondFactor {
        match (&self.password_hash, threepids) {
            (Some(_), _) => SecondFactor::Password,
            (None, 0) => SecondFactor::None,
            (None, _) => SecondFactor::Threepid,
        }
    }
}

/// What an account has beside its access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// A password.
    Password,
    /// No password, but an address to prove.
    Threepid,
    /// Nothing. Its access token is all that its owner can show, and whoever has one has all of the account.
    None,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("localpart", &self.localpart).finish_non_exhaustive()
    }
}

/// One login of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The account.
    pub localpart: Localpart,
    /// The id, unique within the account.
    pub device_id: DeviceId,
    /// What the client calls it.
    pub display_name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Device {
    /// Checks what a client calls a device: it is kept as it is, so it must not be long.
    ///
    /// # Errors
    /// When it has more than 255 characters.
    pub fn check_display_name(name: &str) -> Result<(), InvalidDisplayName> {
        if name.chars().count() <= 255 { Ok(()) } else { Err(InvalidDisplayName) }
    }
}

/// Text that is too long to be called a device's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("initial_device_display_name must not have more than 255 characters")]
pub struct InvalidDisplayName;

/// A new access token for a device. Only its hash is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLogin {
    /// The device, made unless it exists. Earlier tokens of it stop working.
    pub device: Device,
    /// The token.
    pub access_token_hash: AccessTokenHash,
    /// The last moment at which it is good; `None`: for ever.
    pub access_expires_at: Option<Timestamp>,
    /// The refresh token beside it, and the last moment at which that is good (`None`: for ever).
    pub refresh_token: Option<(RefreshTokenHash, Option<Timestamp>)>,
}

/// Whom an access token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenOwner {
    /// The account.
    pub localpart: Localpart,
    /// The device; `None` where another server keeps them.
    pub device_id: Option<DeviceId>,
}

/// An address of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountThreepid {
    /// The account.
    pub localpart: Localpart,
    /// The kind of address.
    pub medium: Medium,
    /// The address, to look up.
    pub address_hash: AddressHash,
    /// The address, to read.
    pub sealed_address: Sealed,
    /// When its owner proved it.
    pub validated_at: Timestamp,
    /// When it came to the account.
    pub added_at: Timestamp,
}

/// Which account has an address, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreepidOwner {
    /// The account.
    pub localpart: Localpart,
    /// When it came to the account.
    pub added_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_asked_for_before_an_address_and_an_address_before_nothing() {
        let account = |password_hash: Option<&str>| Account {
            localpart: Localpart::from_stored("alice".to_owned()),
            password_hash: password_hash.map(str::to_owned),
            created_at: Timestamp::from_millis(0),
            deactivated_at: None,
        };
        for (password_hash, threepids, factor) in [
            (Some("set"), 0, SecondFactor::Password),
            (Some("set"), 1, SecondFactor::Password),
            (None, 2, SecondFactor::Threepid),
            (None, 0, SecondFactor::None),
        ] {
            assert_eq!(account(password_hash).second_factor(threepids), factor);
        }
    }

    #[test]
    fn a_display_name_is_counted_in_characters() {
        assert_eq!(Device::check_display_name(&"ä".repeat(255)), Ok(()));
        assert_eq!(Device::check_display_name(""), Ok(()));
        assert_eq!(Device::check_display_name(&"a".repeat(256)), Err(InvalidDisplayName));
    }
}

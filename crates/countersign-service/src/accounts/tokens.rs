//! Access and refresh tokens of devices: how they are made, whom they stand for, and how one replaces another
//! ([spec](https://spec.matrix.org/v1.19/client-server-api/#refreshing-access-tokens)).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{ClientNetwork, Device, DeviceId, Localpart, NewLogin, Timestamp};
use countersign_storage::{Refresh, Refreshed, StorageError};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Accounts, NewDevice};
use crate::Authentication;

/// How long the tokens of a client are good that knows how to refresh them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLifetimes {
    /// The access token.
    pub access: Duration,
    /// A refresh token that nobody uses; `None`: as long as its device.
    pub refresh: Option<Duration>,
}

/// Which tokens a client can deal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithRefresh {
    /// An access token that expires and a refresh token, if the operator offers them.
    Yes,
    /// An access token that does not expire.
    No,
}

/// New tokens of a device, told once.
pub struct IssuedToken {
    /// The device that they are for.
    pub device_id: DeviceId,
    /// The access token.
    pub access_token: Zeroizing<String>,
    /// The refresh token, if the access token expires.
    pub refresh_token: Option<Zeroizing<String>>,
    /// How long the access token is good; `None`: as long as the device.
    pub expires_in: Option<Duration>,
}

/// Why there are no new tokens.
#[derive(Debug, Error)]
pub enum RefreshError {
    /// The operator offers none.
    #[error("refresh tokens are switched off")]
    NotOffered,
    /// The refresh token was never given out, was replaced, or its device is logged out.
    #[error("the refresh token is unknown")]
    Unknown,
    /// The refresh token was not used for too long. The device is still there: its owner can log in on it again.
    #[error("the refresh token has expired")]
    Expired,
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A new pair, and when each part ends.
struct Pair {
    access: Zeroizing<String>,
    access_expires_at: Option<Timestamp>,
    refresh: Zeroizing<String>,
    refresh_expires_at: Option<Timestamp>,
}

impl WithRefresh {
    /// What a client says by the `refresh_token` of its login.
    pub fn of(refresh_token: Option<bool>) -> Self {
        if refresh_token == Some(true) { Self::Yes } else { Self::No }
    }
}

impl Accounts {
    /// What an access token is worth. The first use of one that came by a refresh ends what it replaces.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn authenticate(&self, access_token: &str) -> Result<Authentication, StorageError> {
        let hash = self.keyring.access_token_hash(access_token);
        let Some(found) = self.storage.find_token(hash).await? else { return Ok(Authentication::Unknown) };
        let now = self.clock.now();
        if found.expires_at.is_some_and(|expires_at| expires_at < now) {
            return Ok(Authentication::Expired);
        }
        if found.is_unsettled {
            self.storage.settle_refresh(hash).await?;
        }
        Ok(Authentication::Owner(found.owner))
    }

    /// Gives a new pair for a refresh token, which stays good until the pair is used for the first time.
    ///
    /// # Errors
    /// When the token is no good, the network refreshed too often, or the operator offers no refresh tokens; when the
    /// database fails.
    pub async fn refresh(
        &self,
        refresh_token: &str,
        network: ClientNetwork,
    ) -> Result<IssuedToken, RefreshError> {
        let lifetimes = self.settings.token_lifetimes.ok_or(RefreshError::NotOffered)?;
        let now = self.clock.now();
        let charged = self.storage.charge(self.limits().refresh(&self.keyring, network), now).await?;
        charged.map_err(|limited| RefreshError::Limited(limited.retry_after))?;
        let pair = self.new_pair(lifetimes, now);
        let refresh = Refresh {
            refresh_token: self.keyring.refresh_token_hash(refresh_token),
            access_token: self.keyring.access_token_hash(&pair.access),
            access_expires_at: pair.access_expires_at,
            new_refresh_token: self.keyring.refresh_token_hash(&pair.refresh),
            refresh_expires_at: pair.refresh_expires_at,
        };
        let owner = match self.storage.refresh(refresh, now).await? {
            Refreshed::Issued(owner) => owner,
            Refreshed::Expired => return Err(RefreshError::Expired),
            Refreshed::Unknown => return Err(RefreshError::Unknown),
        };
        // Whose device is elsewhere has no refresh token here.
        let device_id = owner.device_id.ok_or(RefreshError::Unknown)?;
        Ok(IssuedToken {
            device_id,
            access_token: pair.access,
            refresh_token: Some(pair.refresh),
            expires_in: Some(lifetimes.access),
        })
    }

    pub(super) fn new_login(
        &self,
        localpart: &Localpart,
        device: NewDevice,
        refresh: WithRefresh,
    ) -> (NewLogin, IssuedToken) {
        let now = self.clock.now();
        let device_id = device.device_id.unwrap_or_else(|| DeviceId::generate(&*self.random));
        let row = Device {
            localpart: localpart.clone(),
            device_id: device_id.clone(),
            display_name: device.display_name,
            created_at: now,
        };
        let Some(lifetimes) = self.settings.token_lifetimes.filter(|_| refresh == WithRefresh::Yes) else {
            let access_token = self.new_access_token();
            let access_token_hash = self.keyring.access_token_hash(&access_token);
            let login =
                NewLogin { device: row, access_token_hash, access_expires_at: None, refresh_token: None };
            return (login, IssuedToken { device_id, access_token, refresh_token: None, expires_in: None });
        };
        let pair = self.new_pair(lifetimes, now);
        let login = NewLogin {
            device: row,
            access_token_hash: self.keyring.access_token_hash(&pair.access),
            access_expires_at: pair.access_expires_at,
            refresh_token: Some((self.keyring.refresh_token_hash(&pair.refresh), pair.refresh_expires_at)),
        };
        let (refresh_token, expires_in) = (Some(pair.refresh), Some(lifetimes.access));
        (login, IssuedToken { device_id, access_token: pair.access, refresh_token, expires_in })
    }

    fn new_pair(&self, lifetimes: TokenLifetimes, now: Timestamp) -> Pair {
        Pair {
            access: self.new_access_token(),
            access_expires_at: Some(now.after(lifetimes.access)),
            refresh: Zeroizing::new(format!("csr_{}", URL_SAFE_NO_PAD.encode(self.random.bytes::<32>()))),
            refresh_expires_at: lifetimes.refresh.map(|lifetime| now.after(lifetime)),
        }
    }

    fn new_access_token(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("cs_{}", URL_SAFE_NO_PAD.encode(self.random.bytes::<32>())))
    }
}

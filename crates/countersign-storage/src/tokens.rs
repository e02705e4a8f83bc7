//! Access and refresh tokens of devices
//! ([spec](https://spec.matrix.org/v1.19/client-server-api/#refreshing-access-tokens)).

use async_trait::async_trait;
use countersign_core::{AccessTokenHash, RefreshTokenHash, Timestamp, TokenOwner};

use crate::StorageError;

/// An access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundToken {
    /// Whom it stands for.
    pub owner: TokenOwner,
    /// The last moment at which it is good; `None`: for ever.
    pub expires_at: Option<Timestamp>,
    /// Whether it came by a refresh that is not settled yet ([`TokenStore::settle_refresh`]).
    pub is_unsettled: bool,
}

/// A refresh token is handed in for a new pair.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The refresh token.
    pub refresh_token: RefreshTokenHash,
    /// The new access token.
    pub access_token: AccessTokenHash,
    /// The last moment at which that is good; `None`: for ever.
    pub access_expires_at: Option<Timestamp>,
    /// The new refresh token.
    pub new_refresh_token: RefreshTokenHash,
    /// The last moment at which that is good; `None`: for ever.
    pub refresh_expires_at: Option<Timestamp>,
}

/// What a refresh led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The new pair is good.
    Issued(TokenOwner),
    /// The refresh token was good, once.
    Expired,
    /// There is no such refresh token.
    Unknown,
}

/// Access and refresh tokens of devices.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// The access token, also one that is good no more.
    async fn find_token(&self, token: AccessTokenHash) -> Result<Option<FoundToken>, StorageError>;

    /// Issues a pair for a refresh token. First, what that token replaces is settled as by
    /// [`settle_refresh`](Self::settle_refresh); pairs that were issued for it before, and never used, are deleted. The
    /// token itself stays good until the new pair is used for the first time, either part of it. Of several at once, the
    /// pair of the last is good.
    async fn refresh(&self, refresh: Refresh, now: Timestamp) -> Result<Refreshed, StorageError>;

    /// At the first use of an access token that came by a refresh: deletes the refresh token that it replaces, and the
    /// access token beside that one. Settling twice, or what isn't there, changes nothing.
    async fn settle_refresh(&self, token: AccessTokenHash) -> Result<(), StorageError>;
}

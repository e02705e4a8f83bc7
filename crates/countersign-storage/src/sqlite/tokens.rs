//! Access and refresh tokens of devices.

use async_trait::async_trait;
use countersign_core::{AccessTokenHash, DeviceId, Localpart, RefreshTokenHash, Timestamp, TokenOwner};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change, change_one, find},
};
use crate::{FoundToken, Refresh, Refreshed, StorageError, TokenStore, accounts::parse_localpart};

#[async_trait]
impl TokenStore for SqliteStorage {
    async fn find_token(&self, token: AccessTokenHash) -> Result<Option<FoundToken>, StorageError> {
        self.read(move |tx| {
            let found = load_access_token(tx, token)?;
            Ok(found.map(|AccessToken { localpart, device_id, expires_at, replaces }| FoundToken {
                owner: TokenOwner { localpart, device_id: Some(device_id) },
                expires_at,
                is_unsettled: replaces.is_some(),
            }))
        })
        .await
    }

    async fn refresh(&self, refresh: Refresh, now: Timestamp) -> Result<Refreshed, StorageError> {
        self.write(move |tx| issue(tx, &refresh, now)).await
    }

    async fn settle_refresh(&self, token: AccessTokenHash) -> Result<(), StorageError> {
        self.write(move |tx| {
            let Some(token) = load_access_token(tx, token)? else { return Ok(()) };
            let owner = (&token.localpart, &token.device_id);
            token.replaces.map_or(Ok(()), |replaced| settle(tx, owner, replaced))
        })
        .await
    }
}

/// Whose a token is.
type Owner<'a> = (&'a Localpart, &'a DeviceId);

struct AccessToken {
    localpart: Localpart,
    device_id: DeviceId,
    expires_at: Option<Timestamp>,
    replaces: Option<RefreshTokenHash>,
}

struct RefreshToken {
    localpart: Localpart,
    device_id: DeviceId,
    replaces: Option<RefreshTokenHash>,
    expires_at: Option<Timestamp>,
}

fn load_access_token(tx: &Connection, token: AccessTokenHash) -> Outcome<Option<AccessToken>> {
    let statement = tx.prepare_cached(
        "select localpart, device_id, expires_at, replaces from access_tokens where access_token_hash = ?1",
    )?;
    find(statement, [token.as_bytes()], |row| {
        let mut columns = Columns::of("access_tokens", row);
        Ok(AccessToken {
            localpart: columns.parse("localpart", parse_localpart)?,
            device_id: columns.parse("device_id", |id| DeviceId::parse(id).ok())?,
            expires_at: columns.optional_timestamp("expires_at")?,
            replaces: columns.optional_bytes("replaces")?.map(RefreshTokenHash::from_bytes),
        })
    })
}

fn load_refresh_token(tx: &Connection, token: RefreshTokenHash) -> Outcome<Option<RefreshToken>> {
    let statement = tx.prepare_cached(
        "select localpart, device_id, replaces, expires_at from refresh_tokens where refresh_token_hash = ?1",
    )?;
    find(statement, [token.as_bytes()], |row| {
        let mut columns = Columns::of("refresh_tokens", row);
        Ok(RefreshToken {
            localpart: columns.parse("localpart", parse_localpart)?,
            device_id: columns.parse("device_id", |id| DeviceId::parse(id).ok())?,
            replaces: columns.optional_bytes("replaces")?.map(RefreshTokenHash::from_bytes),
            expires_at: columns.optional_timestamp("expires_at")?,
        })
    })
}

fn issue(tx: &Connection, refresh: &Refresh, now: Timestamp) -> Outcome<Refreshed> {
    let Some(token) = load_refresh_token(tx, refresh.refresh_token)? else { return Ok(Refreshed::Unknown) };
    if token.expires_at.is_some_and(|expires_at| expires_at < now) {
        return Ok(Refreshed::Expired);
    }
    let owner = (&token.localpart, &token.device_id);
    token.replaces.map_or(Ok(()), |replaced| settle(tx, owner, replaced))?;
    delete_successors(tx, owner, refresh.refresh_token)?;
    let replaces = Some(refresh.refresh_token);
    let (access_token, access_expires_at) = (refresh.access_token, refresh.access_expires_at);
    insert_access_token(tx, owner, access_token, access_expires_at, replaces)?;
    let (refresh_token, refresh_expires_at) = (refresh.new_refresh_token, refresh.refresh_expires_at);
    insert_refresh_token(tx, owner, refresh_token, access_token, refresh_expires_at, replaces)?;
    Ok(Refreshed::Issued(TokenOwner { localpart: token.localpart, device_id: Some(token.device_id) }))
}

/// Deletes a refresh token whose successor was used, and the access token beside it.
fn settle(tx: &Connection, owner: Owner<'_>, replaced: RefreshTokenHash) -> Outcome<()> {
    change(
        tx,
        "delete from access_tokens where access_token_hash = (
            select access_token_hash from refresh_tokens where refresh_token_hash = ?1)",
        [replaced.as_bytes()],
    )?;
    change(tx, "delete from refresh_tokens where refresh_token_hash = ?1", [replaced.as_bytes()])?;
    for forget in [
        "update access_tokens set replaces = null where localpart = ?1 and device_id = ?2 and replaces = ?3",
        "update refresh_tokens set replaces = null where localpart = ?1 and device_id = ?2 and replaces = ?3",
    ] {
        change(tx, forget, params![owner.0.as_str(), owner.1.as_str(), replaced.as_bytes()])?;
    }
    Ok(())
}

/// Deletes what was issued for a refresh token and never used.
fn delete_successors(tx: &Connection, owner: Owner<'_>, replaced: RefreshTokenHash) -> Outcome<()> {
    for delete in [
        "delete from access_tokens where localpart = ?1 and device_id = ?2 and replaces = ?3",
        "delete from refresh_tokens where localpart = ?1 and device_id = ?2 and replaces = ?3",
    ] {
        change(tx, delete, params![owner.0.as_str(), owner.1.as_str(), replaced.as_bytes()])?;
    }
    Ok(())
}

pub(super) fn insert_access_token(
    tx: &Connection,
    owner: Owner<'_>,
    token: AccessTokenHash,
    expires_at: Option<Timestamp>,
    replaces: Option<RefreshTokenHash>,
) -> Outcome<()> {
    change_one(
        tx,
        "access_tokens",
        "insert into access_tokens (access_token_hash, localpart, device_id, expires_at, replaces)
         values (?1, ?2, ?3, ?4, ?5)",
        params![
            token.as_bytes(),
            owner.0.as_str(),
            owner.1.as_str(),
            expires_at.map(Timestamp::as_millis),
            replaces.as_ref().map(RefreshTokenHash::as_bytes),
        ],
    )
}

pub(super) fn insert_refresh_token(
    tx: &Connection,
    owner: Owner<'_>,
    token: RefreshTokenHash,
    beside: AccessTokenHash,
    expires_at: Option<Timestamp>,
    replaces: Option<RefreshTokenHash>,
) -> Outcome<()> {
    change_one(
        tx,
        "refresh_tokens",
        "insert into refresh_tokens
            (refresh_token_hash, localpart, device_id, access_token_hash, replaces, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            token.as_bytes(),
            owner.0.as_str(),
            owner.1.as_str(),
            beside.as_bytes(),
            replaces.as_ref().map(RefreshTokenHash::as_bytes),
            expires_at.map(Timestamp::as_millis),
        ],
    )
}

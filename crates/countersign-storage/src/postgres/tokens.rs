//! Access and refresh tokens of devices.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{AccessTokenHash, DeviceId, Localpart, RefreshTokenHash, Timestamp, TokenOwner};

use super::{
    PostgresStorage,
    connection::{Reply, Transaction},
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first},
};
use crate::{FoundToken, Refresh, Refreshed, StorageError, TokenStore, accounts::parse_localpart};

#[async_trait]
impl TokenStore for PostgresStorage {
    async fn find_token(&self, token: AccessTokenHash) -> Result<Option<FoundToken>, StorageError> {
        let [found] = self.connect().await?.run([find_access_token(&token)]).await?;
        let found = read_access_token(&found)?;
        Ok(found.map(|AccessToken { localpart, device_id, expires_at, replaces }| FoundToken {
            owner: TokenOwner { localpart, device_id: Some(device_id) },
            expires_at,
            is_unsettled: replaces.is_some(),
        }))
    }

    async fn refresh(&self, refresh: Refresh, now: Timestamp) -> Result<Refreshed, StorageError> {
        let refresh = Arc::new(refresh);
        self.write(move |tx| issue(tx, Arc::clone(&refresh), now)).await
    }

    async fn settle_refresh(&self, token: AccessTokenHash) -> Result<(), StorageError> {
        self.write(move |tx| settle_by(tx, token)).await
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

fn find_access_token(token: &AccessTokenHash) -> Query<'_> {
    Query::new(
        "select localpart, device_id, expires_at, replaces from access_tokens where access_token_hash = $1",
    )
    .with(token.as_bytes().as_slice())
}

fn read_access_token(reply: &Reply) -> Outcome<Option<AccessToken>> {
    first(&reply.rows, |row| {
        let mut columns = Columns::of("access_tokens", row);
        Ok(AccessToken {
            localpart: columns.parse("localpart", parse_localpart)?,
            device_id: columns.parse("device_id", |id| DeviceId::parse(id).ok())?,
            expires_at: columns.optional_timestamp("expires_at")?,
            replaces: columns.optional_bytes("replaces")?.map(RefreshTokenHash::from_bytes),
        })
    })
}

fn find_refresh_token(token: &RefreshTokenHash) -> Query<'_> {
    Query::new(
        "select localpart, device_id, replaces, expires_at from refresh_tokens where refresh_token_hash = $1",
    )
    .with(token.as_bytes().as_slice())
}

fn read_refresh_token(reply: &Reply) -> Outcome<Option<RefreshToken>> {
    first(&reply.rows, |row| {
        let mut columns = Columns::of("refresh_tokens", row);
        Ok(RefreshToken {
            localpart: columns.parse("localpart", parse_localpart)?,
            device_id: columns.parse("device_id", |id| DeviceId::parse(id).ok())?,
            replaces: columns.optional_bytes("replaces")?.map(RefreshTokenHash::from_bytes),
            expires_at: columns.optional_timestamp("expires_at")?,
        })
    })
}

/// The row of the device: whatever changes its tokens waits for it.
fn lock_device<'a>(owner: Owner<'a>) -> Query<'a> {
    Query::new("select 1 from devices where localpart = $1 and device_id = $2 for update")
        .with(owner.0.as_str())
        .with(owner.1.as_str())
}

async fn issue(mut tx: Transaction, refresh: Arc<Refresh>, now: Timestamp) -> Outcome<Refreshed> {
    let token = match lock_refresh_token(&mut tx, &refresh.refresh_token).await? {
        None => {
            tx.roll_back().await?;
            return Ok(Refreshed::Unknown);
        }
        Some(token) if token.expires_at.is_some_and(|expires_at| expires_at < now) => {
            tx.roll_back().await?;
            return Ok(Refreshed::Expired);
        }
        Some(token) => token,
    };
    let owner = (&token.localpart, &token.device_id);
    let replaces = Some(&refresh.refresh_token);
    let mut queries = Vec::new();
    if let Some(replaced) = &token.replaces {
        queries.extend(settle(owner, replaced));
    }
    queries.extend(delete_successors(owner, &refresh.refresh_token));
    queries.push(insert_access_token(owner, &refresh.access_token, refresh.access_expires_at, replaces));
    queries.push(insert_refresh_token(
        owner,
        &refresh.new_refresh_token,
        &refresh.access_token,
        refresh.refresh_expires_at,
        replaces,
    ));
    tx.finish(queries).await?;
    Ok(Refreshed::Issued(TokenOwner { localpart: token.localpart, device_id: Some(token.device_id) }))
}

/// The refresh token as it is once its device is locked.
async fn lock_refresh_token(tx: &mut Transaction, token: &RefreshTokenHash) -> Outcome<Option<RefreshToken>> {
    let [found] = tx.run([find_refresh_token(token)]).await?;
    let Some(found) = read_refresh_token(&found)? else { return Ok(None) };
    let owner = (&found.localpart, &found.device_id);
    let [_, found] = tx.run([lock_device(owner), find_refresh_token(token)]).await?;
    read_refresh_token(&found)
}

async fn settle_by(mut tx: Transaction, token: AccessTokenHash) -> Outcome<()> {
    let [found] = tx.run([find_access_token(&token)]).await?;
    let Some(found) = read_access_token(&found)?.filter(|found| found.replaces.is_some()) else {
        return tx.roll_back().await;
    };
    let owner = (&found.localpart, &found.device_id);
    let [_, locked] = tx.run([lock_device(owner), find_access_token(&token)]).await?;
    match read_access_token(&locked)?.and_then(|token| token.replaces) {
        None => tx.roll_back().await,
        Some(replaced) => {
            tx.finish(settle(owner, &replaced).into()).await?;
            Ok(())
        }
    }
}

/// Deletes a refresh token whose successor was used, and the access token beside it.
fn settle<'a>(owner: Owner<'a>, replaced: &'a RefreshTokenHash) -> [Query<'a>; 4] {
    let replaced = replaced.as_bytes().as_slice();
    let forget = |update| Query::new(update).with(owner.0.as_str()).with(owner.1.as_str()).with(replaced);
    [
        Query::new(
            "delete from access_tokens where access_token_hash = (
                select access_token_hash from refresh_tokens where refresh_token_hash = $1)",
        )
        .with(replaced),
        Query::new("delete from refresh_tokens where refresh_token_hash = $1").with(replaced),
        forget(
            "update access_tokens set replaces = null where localpart = $1 and device_id = $2 and replaces = $3",
        ),
        forget(
            "update refresh_tokens set replaces = null where localpart = $1 and device_id = $2 and replaces = $3",
        ),
    ]
}

/// Deletes what was issued for a refresh token and never used.
fn delete_successors<'a>(owner: Owner<'a>, replaced: &'a RefreshTokenHash) -> [Query<'a>; 2] {
    [
        "delete from access_tokens where localpart = $1 and device_id = $2 and replaces = $3",
        "delete from refresh_tokens where localpart = $1 and device_id = $2 and replaces = $3",
    ]
    .map(|delete| {
        let replaced = replaced.as_bytes().as_slice();
        Query::new(delete).with(owner.0.as_str()).with(owner.1.as_str()).with(replaced)
    })
}

pub(super) fn insert_access_token<'a>(
    owner: Owner<'a>,
    token: &'a AccessTokenHash,
    expires_at: Option<Timestamp>,
    replaces: Option<&'a RefreshTokenHash>,
) -> Query<'a> {
    Query::new(
        "insert into access_tokens (access_token_hash, localpart, device_id, expires_at, replaces)
         values ($1, $2, $3, $4, $5)",
    )
    .with(token.as_bytes().as_slice())
    .with(owner.0.as_str())
    .with(owner.1.as_str())
    .with(expires_at.map(Timestamp::as_millis))
    .with(replaces.map(|replaced| replaced.as_bytes().as_slice()))
}

pub(super) fn insert_refresh_token<'a>(
    owner: Owner<'a>,
    token: &'a RefreshTokenHash,
    beside: &'a AccessTokenHash,
    expires_at: Option<Timestamp>,
    replaces: Option<&'a RefreshTokenHash>,
) -> Query<'a> {
    Query::new(
        "insert into refresh_tokens
            (refresh_token_hash, localpart, device_id, access_token_hash, replaces, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .with(token.as_bytes().as_slice())
    .with(owner.0.as_str())
    .with(owner.1.as_str())
    .with(beside.as_bytes().as_slice())
    .with(replaces.map(|replaced| replaced.as_bytes().as_slice()))
    .with(expires_at.map(Timestamp::as_millis))
}

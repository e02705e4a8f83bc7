//! Who may use the identity service: access tokens of its own, and the terms that users of any server accepted.

use async_trait::async_trait;
use countersign_core::{IdentityTokenHash, TermsVersion, Timestamp, UserId};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, View, change, change_one, find, list},
};
use crate::{IdentityAccountStore, IdentityCaller, StorageError, sessions::parse_user_id};

#[async_trait]
impl IdentityAccountStore for SqliteStorage {
    async fn add_identity_token(
        &self,
        token: IdentityTokenHash,
        user_id: &UserId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let user_id = user_id.clone();
        self.write(move |tx| {
            change_one(
                tx,
                "identity_accounts",
                "insert into identity_accounts (token_hash, user_id, created_at, used_at) values (?1, ?2, ?3, ?3)",
                params![token.as_bytes(), user_id.as_str(), now.as_millis()],
            )
        })
        .await
    }

    async fn find_identity_caller(
        &self,
        token: IdentityTokenHash,
    ) -> Result<Option<IdentityCaller>, StorageError> {
        self.read(move |tx| {
            let _view = View::begin(tx)?;
            let statement =
                tx.prepare_cached("select user_id, used_at from identity_accounts where token_hash = ?1")?;
            let found = find(statement, [token.as_bytes()], |row| {
                let mut columns = Columns::of("identity_accounts", row);
                Ok((columns.parse("user_id", parse_user_id)?, columns.timestamp("used_at")?))
            })?;
            let Some((user_id, used_at)) = found else { return Ok(None) };
            let accepted = list_accepted(tx, &user_id)?;
            Ok(Some(IdentityCaller { user_id, used_at, accepted }))
        })
        .await
    }

    async fn note_identity_token_use(
        &self,
        token: IdentityTokenHash,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        self.write(move |tx| {
            let update = "update identity_accounts set used_at = ?2 where token_hash = ?1 and used_at < ?2";
            change(tx, update, params![token.as_bytes(), now.as_millis()])?;
            Ok(())
        })
        .await
    }

    async fn delete_identity_token(&self, token: IdentityTokenHash) -> Result<bool, StorageError> {
        self.write(move |tx| {
            let delete = "delete from identity_accounts where token_hash = ?1";
            Ok(change(tx, delete, [token.as_bytes()])? == 1)
        })
        .await
    }

    async fn accept_identity_terms(
        &self,
        user_id: &UserId,
        terms: Vec<TermsVersion>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let user_id = user_id.clone();
        self.write(move |tx| {
            for accepted in &terms {
                change(
                    tx,
                    "insert into identity_terms_acceptances (user_id, policy, version, accepted_at)
                     values (?1, ?2, ?3, ?4) on conflict (user_id, policy, version) do nothing",
                    params![user_id.as_str(), accepted.policy(), accepted.version(), now.as_millis()],
                )?;
            }
            Ok(())
        })
        .await
    }
}

fn list_accepted(tx: &Connection, user_id: &UserId) -> Outcome<Vec<TermsVersion>> {
    let statement = tx.prepare_cached(
        "select policy, version from identity_terms_acceptances where user_id = ?1 order by policy, version",
    )?;
    list(statement, [user_id.as_str()], |row| {
        let mut columns = Columns::of("identity_terms_acceptances", row);
        let policy = columns.parse("policy", |policy| Some(policy.to_owned()))?;
        columns.parse("version", |version| TermsVersion::parse(&policy, version).ok())
    })
}

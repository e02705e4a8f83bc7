//! Who may use the identity service: access tokens of its own, and the terms that users of any server accepted.

use async_trait::async_trait;
use countersign_core::{IdentityTokenHash, TermsVersion, Timestamp, UserId};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change, change_one},
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
        self.read(move |tx| find_caller(tx, token)).await
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

fn find_caller(tx: &Connection, token: IdentityTokenHash) -> Outcome<Option<IdentityCaller>> {
    let mut statement = tx.prepare_cached(
        "select user_id, used_at, policy, version
         from identity_accounts left join identity_terms_acceptances using (user_id)
         where token_hash = ?1 order by policy, version",
    )?;
    let mut rows = statement.query([token.as_bytes()])?;
    let mut caller = None;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of("identity_accounts", row);
        let user_id = columns.parse("user_id", parse_user_id)?;
        let used_at = columns.timestamp("used_at")?;
        let caller = caller.get_or_insert(IdentityCaller { user_id, used_at, accepted: Vec::new() });
        columns.and_of("identity_terms_acceptances");
        if let Some(policy) = columns.parse_optional("policy", |policy| Some(policy.to_owned()))? {
            let version = columns.parse("version", |version| TermsVersion::parse(&policy, version).ok())?;
            caller.accepted.push(version);
        }
    }
    Ok(caller)
}

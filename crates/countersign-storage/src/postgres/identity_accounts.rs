//! Who may use the identity service: access tokens of its own, and the terms that users of any server accepted.

use async_trait::async_trait;
use countersign_core::{IdentityTokenHash, TermsVersion, Timestamp, UserId};

use super::{PostgresStorage, connection::Reply, failure::Outcome, parameter::Query, rows::Columns};
use crate::{IdentityAccountStore, IdentityCaller, StorageError, sessions::parse_user_id};

#[async_trait]
impl IdentityAccountStore for PostgresStorage {
    async fn add_identity_token(
        &self,
        token: IdentityTokenHash,
        user_id: &UserId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let insert = Query::new(
            "insert into identity_accounts (token_hash, user_id, created_at, used_at) values ($1, $2, $3, $3)",
        )
        .with(token.as_bytes().as_slice())
        .with(user_id.as_str())
        .with(now.as_millis());
        self.connect().await?.run([insert]).await?;
        Ok(())
    }

    async fn find_identity_caller(
        &self,
        token: IdentityTokenHash,
    ) -> Result<Option<IdentityCaller>, StorageError> {
        let select = Query::new(
            "select i.user_id, i.used_at, t.policy, t.version
             from identity_accounts i left join identity_terms_acceptances t on t.user_id = i.user_id
             where i.token_hash = $1 order by t.policy, t.version",
        )
        .with(token.as_bytes().as_slice());
        let [found] = self.connect().await?.run([select]).await?;
        Ok(read_caller(&found)?)
    }

    async fn note_identity_token_use(
        &self,
        token: IdentityTokenHash,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let update =
            Query::new("update identity_accounts set used_at = $2 where token_hash = $1 and used_at < $2")
                .with(token.as_bytes().as_slice())
                .with(now.as_millis());
        self.connect().await?.run([update]).await?;
        Ok(())
    }

    async fn delete_identity_token(&self, token: IdentityTokenHash) -> Result<bool, StorageError> {
        let delete = Query::new("delete from identity_accounts where token_hash = $1")
            .with(token.as_bytes().as_slice());
        let [deleted] = self.connect().await?.run([delete]).await?;
        Ok(deleted.changed() == 1)
    }

    async fn accept_identity_terms(
        &self,
        user_id: &UserId,
        terms: Vec<TermsVersion>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let insert = Query::new(
            "insert into identity_terms_acceptances (user_id, policy, version, accepted_at)
             select $1, policy, version, $4 from unnest($2::text[], $3::text[]) as n (policy, version)
             order by policy, version on conflict (user_id, policy, version) do nothing",
        )
        .with(user_id.as_str())
        .with(terms.iter().map(TermsVersion::policy).collect::<Vec<_>>())
        .with(terms.iter().map(TermsVersion::version).collect::<Vec<_>>())
        .with(now.as_millis());
        self.connect().await?.run([insert]).await?;
        Ok(())
    }
}

/// One row for each policy that the caller accepted, or one without.
fn read_caller(reply: &Reply) -> Outcome<Option<IdentityCaller>> {
    let mut caller = None;
    for row in &reply.rows {
        let mut columns = Columns::of("identity_accounts", row);
        let user_id = columns.parse("user_id", parse_user_id)?;
        let used_at = columns.timestamp("used_at")?;
        let caller = caller.get_or_insert(IdentityCaller { user_id, used_at, accepted: Vec::new() });
        let policy = columns.parse_optional("policy", |policy| Some(policy.to_owned()))?;
        if let Some(policy) = policy {
            caller
                .accepted
                .push(columns.parse("version", |version| TermsVersion::parse(&policy, version).ok())?);
        }
    }
    Ok(caller)
}

//! The other end of sessions whose address another service validates.

use async_trait::async_trait;
use countersign_core::{Sealed, SessionId, Timestamp};

use super::{
    PostgresStorage,
    parameter::Query,
    rows::{Columns, first},
};
use crate::{DelegationStore, StorageError};

#[async_trait]
impl DelegationStore for PostgresStorage {
    async fn keep_delegation(
        &self,
        sid: SessionId,
        sealed_remote: Sealed,
        expires_at: Timestamp,
    ) -> Result<(), StorageError> {
        let insert = Query::new(
            "insert into delegated_sessions (sid, sealed_remote, expires_at) values ($1, $2, $3)
             on conflict (sid) do nothing",
        )
        .with(sid.as_bytes().as_slice())
        .with(sealed_remote.as_bytes())
        .with(expires_at.as_millis());
        self.connect().await?.run([insert]).await?;
        Ok(())
    }

    async fn find_delegation(&self, sid: SessionId) -> Result<Option<Sealed>, StorageError> {
        let select = Query::new("select sealed_remote from delegated_sessions where sid = $1")
            .with(sid.as_bytes().as_slice());
        let [found] = self.connect().await?.run([select]).await?;
        let sealed = first(&found.rows, |row| Columns::of("delegated_sessions", row).blob("sealed_remote"));
        Ok(sealed?.map(Sealed::from_bytes))
    }
}

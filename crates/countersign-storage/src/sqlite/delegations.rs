//! The other end of sessions whose address another service validates.

use async_trait::async_trait;
use countersign_core::{Sealed, SessionId, Timestamp};
use rusqlite::params;

use super::{
    SqliteStorage,
    rows::{Columns, change, find},
};
use crate::{DelegationStore, StorageError};

#[async_trait]
impl DelegationStore for SqliteStorage {
    async fn keep_delegation(
        &self,
        sid: SessionId,
        sealed_remote: Sealed,
        expires_at: Timestamp,
    ) -> Result<(), StorageError> {
        self.write(move |tx| {
            change(
                tx,
                "insert into delegated_sessions (sid, sealed_remote, expires_at) values (?1, ?2, ?3)
                 on conflict (sid) do nothing",
                params![sid.as_bytes(), sealed_remote.as_bytes(), expires_at.as_millis()],
            )?;
            Ok(())
        })
        .await
    }

    async fn find_delegation(&self, sid: SessionId) -> Result<Option<Sealed>, StorageError> {
        self.read(move |tx| {
            let statement =
                tx.prepare_cached("select sealed_remote from delegated_sessions where sid = ?1")?;
            find(statement, [sid.as_bytes()], |row| {
                Columns::of("delegated_sessions", row).blob("sealed_remote").map(Sealed::from_bytes)
            })
        })
        .await
    }
}

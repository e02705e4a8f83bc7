//! Sessions of user-interactive authentication.

use async_trait::async_trait;
use countersign_core::{Localpart, Stage, UiaOperation, UiaSession, UiaSessionHash};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change, change_one, find},
};
use crate::{
    StorageError, UiaStore,
    uia::{parse_stages, stage_names},
};

#[async_trait]
impl UiaStore for SqliteStorage {
    async fn open_uia_session(&self, session: UiaSession) -> Result<(), StorageError> {
        self.write(move |tx| insert(tx, &session)).await
    }

    async fn find_uia_session(&self, id: UiaSessionHash) -> Result<Option<UiaSession>, StorageError> {
        self.read(move |tx| load(tx, id)).await
    }

    async fn complete_uia_stage(
        &self,
        id: UiaSessionHash,
        stage: Stage,
    ) -> Result<Option<UiaSession>, StorageError> {
        self.write(move |tx| {
            let Some(session) = load(tx, id)? else { return Ok(None) };
            let session = session.complete(stage);
            change_one(
                tx,
                "uia_sessions",
                "update uia_sessions set completed = ?2 where id_hash = ?1",
                params![id.as_bytes(), stage_names(&session.completed)],
            )?;
            Ok(Some(session))
        })
        .await
    }
}

/// Deletes a session that had its effect. It may be gone already.
pub(super) fn delete(tx: &Connection, id: UiaSessionHash) -> Outcome<()> {
    change(tx, "delete from uia_sessions where id_hash = ?1", [id.as_bytes()])?;
    Ok(())
}

fn insert(tx: &Connection, session: &UiaSession) -> Outcome<()> {
    change_one(
        tx,
        "uia_sessions",
        "insert into uia_sessions (id_hash, operation, localpart, completed, created_at, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            session.id_hash.as_bytes(),
            session.operation.as_str(),
            session.localpart.as_ref().map(Localpart::as_str),
            stage_names(&session.completed),
            session.created_at.as_millis(),
            session.expires_at.as_millis(),
        ],
    )
}

fn load(tx: &Connection, id: UiaSessionHash) -> Outcome<Option<UiaSession>> {
    let statement = tx.prepare_cached(
        "select operation, localpart, completed, created_at, expires_at from uia_sessions where id_hash = ?1",
    )?;
    find(statement, [id.as_bytes()], |row| {
        let mut columns = Columns::of("uia_sessions", row);
        Ok(UiaSession {
            id_hash: id,
            operation: columns.parse("operation", UiaOperation::parse)?,
            localpart: columns
                .parse_optional("localpart", |name| Some(Localpart::from_stored(name.to_owned())))?,
            completed: columns.parse("completed", parse_stages)?,
            created_at: columns.timestamp("created_at")?,
            expires_at: columns.timestamp("expires_at")?,
        })
    })
}

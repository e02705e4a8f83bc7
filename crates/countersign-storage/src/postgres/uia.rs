//! Sessions of user-interactive authentication.

use async_trait::async_trait;
use countersign_core::{Localpart, Stage, UiaOperation, UiaSession, UiaSessionHash};

use super::{
    PostgresStorage,
    connection::Transaction,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first},
};
use crate::{
    StorageError, UiaStore,
    uia::{parse_stages, stage_names},
};

#[async_trait]
impl UiaStore for PostgresStorage {
    async fn open_uia_session(&self, session: UiaSession) -> Result<(), StorageError> {
        let completed = stage_names(&session.completed);
        let insert = Query::new(
            "insert into uia_sessions (id_hash, operation, localpart, completed, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .with(session.id_hash.as_bytes().as_slice())
        .with(session.operation.as_str())
        .with(session.localpart.as_ref().map(Localpart::as_str))
        .with(completed.as_str())
        .with(session.created_at.as_millis())
        .with(session.expires_at.as_millis());
        let [inserted] = self.connect().await?.run([insert]).await?;
        Ok(inserted.must_change("uia_sessions", 1)?)
    }

    async fn find_uia_session(&self, id: UiaSessionHash) -> Result<Option<UiaSession>, StorageError> {
        let select = Query::new(
            "select operation, localpart, completed, created_at, expires_at from uia_sessions where id_hash = $1",
        )
        .with(id.as_bytes().as_slice());
        let [found] = self.connect().await?.run([select]).await?;
        Ok(first(&found.rows, |row| read(row, id))?)
    }

    async fn complete_uia_stage(
        &self,
        id: UiaSessionHash,
        stage: Stage,
    ) -> Result<Option<UiaSession>, StorageError> {
        self.write(move |tx| complete_stage(tx, id, stage)).await
    }
}

/// Deletes a session that had its effect. It may be gone already.
pub(super) fn delete(id: &UiaSessionHash) -> Query<'_> {
    Query::new("delete from uia_sessions where id_hash = $1").with(id.as_bytes().as_slice())
}

async fn complete_stage(
    mut tx: Transaction,
    id: UiaSessionHash,
    stage: Stage,
) -> Outcome<Option<UiaSession>> {
    let select = Query::new(
        "select operation, localpart, completed, created_at, expires_at from uia_sessions where id_hash = $1
         for update",
    )
    .with(id.as_bytes().as_slice());
    let [found] = tx.run([select]).await?;
    let Some(session) = first(&found.rows, |row| read(row, id))? else {
        tx.roll_back().await?;
        return Ok(None);
    };
    let session = session.complete(stage);
    let completed = stage_names(&session.completed);
    let update = Query::new("update uia_sessions set completed = $2 where id_hash = $1")
        .with(id.as_bytes().as_slice())
        .with(completed.as_str());
    tx.finish(vec![update]).await?[0].must_change("uia_sessions", 1)?;
    Ok(Some(session))
}

fn read(row: &tokio_postgres::Row, id: UiaSessionHash) -> Outcome<UiaSession> {
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
}

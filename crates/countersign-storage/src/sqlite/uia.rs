//! Sessions of user-interactive authentication.

use async_trait::async_trait;
use countersign_core::{
    Charge, Limited, Localpart, RegistrationTokenHash, Stage, StageProof, Timestamp, UiaOperation,
    UiaSession, UiaSessionHash, UiaTargetHash,
};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage, budgets,
    failure::Outcome,
    rows::{Columns, change_one, find},
};
use crate::{
    StorageError, TokenReserved, UiaStore,
    accounts::parse_localpart,
    uia::{parse_stages, stage_names},
};

#[async_trait]
impl UiaStore for SqliteStorage {
    async fn open_uia_session(
        &self,
        session: UiaSession,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StorageError> {
        self.write(move |tx| {
            let charged = budgets::charge(tx, &charges, now)?;
            if charged.is_ok() {
                insert(tx, &session)?;
            }
            Ok(charged)
        })
        .await
    }

    async fn find_uia_session(&self, id: UiaSessionHash) -> Result<Option<UiaSession>, StorageError> {
        self.read(move |tx| load(tx, id)).await
    }

    async fn complete_uia_stage(
        &self,
        id: UiaSessionHash,
        stage: Stage,
        proof: StageProof,
    ) -> Result<Option<UiaSession>, StorageError> {
        self.write(move |tx| {
            let Some(session) = load(tx, id)? else { return Ok(None) };
            let session = session.complete(stage, &proof);
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

    async fn reserve_registration_token(
        &self,
        _id: UiaSessionHash,
        _token: RegistrationTokenHash,
        _now: Timestamp,
    ) -> Result<TokenReserved, StorageError> {
        Err(StorageError::Closed)
    }
}

/// Keeps with a session which account it made.
pub(super) fn mark_registered(tx: &Connection, id: UiaSessionHash, localpart: &Localpart) -> Outcome<()> {
    change_one(
        tx,
        "uia_sessions",
        "update uia_sessions set registered = ?2 where id_hash = ?1 and registered is null",
        params![id.as_bytes(), localpart.as_str()],
    )
}

fn insert(tx: &Connection, session: &UiaSession) -> Outcome<()> {
    change_one(
        tx,
        "uia_sessions",
        "insert into uia_sessions (id_hash, operation, localpart, target_hash, completed, created_at, expires_at,
            registered)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            session.id_hash.as_bytes(),
            session.operation.as_str(),
            session.localpart.as_ref().map(Localpart::as_str),
            session.target.as_ref().map(UiaTargetHash::as_bytes),
            stage_names(&session.completed),
            session.created_at.as_millis(),
            session.expires_at.as_millis(),
            session.registered.as_ref().map(Localpart::as_str),
        ],
    )
}

/// The session with that id.
pub(super) fn load(tx: &Connection, id: UiaSessionHash) -> Outcome<Option<UiaSession>> {
    let statement = tx.prepare_cached(
        "select operation, localpart, target_hash, completed, created_at, expires_at, registered
         from uia_sessions where id_hash = ?1",
    )?;
    find(statement, [id.as_bytes()], |row| {
        let mut columns = Columns::of("uia_sessions", row);
        Ok(UiaSession {
            id_hash: id,
            operation: columns.parse("operation", UiaOperation::parse)?,
            localpart: columns.parse_optional("localpart", parse_localpart)?,
            target: columns.optional_bytes("target_hash")?.map(UiaTargetHash::from_bytes),
            completed: columns.parse("completed", parse_stages)?,
            created_at: columns.timestamp("created_at")?,
            expires_at: columns.timestamp("expires_at")?,
            registered: columns.parse_optional("registered", parse_localpart)?,
            proven: None,
            email_sid: None,
            msisdn_sid: None,
            registration_token: None,
            shown_terms: Vec::new(),
            sealed_params: None,
            password_hash: None,
            finished_at: None,
        })
    })
}

//! Sessions of user-interactive authentication.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{
    Charge, Limited, Localpart, RegistrationTokenHash, Stage, StageProof, Timestamp, UiaOperation,
    UiaSession, UiaSessionHash, UiaTargetHash, charge,
};

use super::{
    PostgresStorage,
    budgets::Wanted,
    connection::Transaction,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first},
};
use crate::{
    StorageError, TokenReserved, UiaStore,
    accounts::parse_localpart,
    uia::{parse_stages, stage_names},
};

#[async_trait]
impl UiaStore for PostgresStorage {
    async fn open_uia_session(
        &self,
        session: UiaSession,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StorageError> {
        let opening = Arc::new((session, charges));
        self.write(move |tx| open(tx, Arc::clone(&opening), now)).await
    }

    async fn find_uia_session(&self, id: UiaSessionHash) -> Result<Option<UiaSession>, StorageError> {
        let [found] = self.connect().await?.run([find(&id)]).await?;
        Ok(first(&found.rows, |row| read(row, id))?)
    }

    async fn complete_uia_stage(
        &self,
        id: UiaSessionHash,
        stage: Stage,
        proof: StageProof,
    ) -> Result<Option<UiaSession>, StorageError> {
        self.write(move |tx| complete_stage(tx, id, stage, proof.clone())).await
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

async fn open(
    mut tx: Transaction,
    opening: Arc<(UiaSession, Vec<Charge>)>,
    now: Timestamp,
) -> Outcome<Result<(), Limited>> {
    let (session, charges) = &*opening;
    let wanted = Wanted::of(charges, now);
    let [fresh, found] = tx.run([wanted.lock(), wanted.load()]).await?;
    let mut budgets = wanted.read(&found.rows, &fresh.rows)?;
    match charge(charges, &budgets.full_at(charges), now) {
        Ok(updates) => budgets.apply(&updates),
        Err(limited) => {
            tx.roll_back().await?;
            return Ok(Err(limited));
        }
    }
    let saves = budgets.saves();
    let completed = stage_names(&session.completed);
    let mut queries = saves.queries();
    queries.push(insert(session, &completed));
    let replies = tx.finish(queries).await?;
    saves.check(&replies)?;
    replies.last().expect("the insert is one of them").must_change("uia_sessions", 1)?;
    Ok(Ok(()))
}

fn insert<'a>(session: &'a UiaSession, completed: &'a str) -> Query<'a> {
    Query::new(
        "insert into uia_sessions (id_hash, operation, localpart, target_hash, completed, created_at, expires_at,
            registered)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .with(session.id_hash.as_bytes().as_slice())
    .with(session.operation.as_str())
    .with(session.localpart.as_ref().map(Localpart::as_str))
    .with(session.target.as_ref().map(|target| target.as_bytes().as_slice()))
    .with(completed)
    .with(session.created_at.as_millis())
    .with(session.expires_at.as_millis())
    .with(session.registered.as_ref().map(Localpart::as_str))
}

/// Keeps with a session which account it made. It is locked and has made none.
pub(super) fn mark_registered<'a>(id: &'a UiaSessionHash, localpart: &'a Localpart) -> Query<'a> {
    Query::new("update uia_sessions set registered = $2 where id_hash = $1 and registered is null")
        .with(id.as_bytes().as_slice())
        .with(localpart.as_str())
}

/// Selects a session, with its columns in the order of the fields.
macro_rules! select_session {
    ($lock:literal) => {
        concat!(
            "select operation, localpart, target_hash, completed, created_at, expires_at, registered
             from uia_sessions where id_hash = $1",
            $lock
        )
    };
}

fn find(id: &UiaSessionHash) -> Query<'_> {
    Query::new(select_session!("")).with(id.as_bytes().as_slice())
}

/// The session with that id. Others can't change it until the end of the transaction.
pub(super) async fn load_and_lock(tx: &mut Transaction, id: UiaSessionHash) -> Outcome<Option<UiaSession>> {
    let select = Query::new(select_session!(" for update")).with(id.as_bytes().as_slice());
    let [found] = tx.run([select]).await?;
    first(&found.rows, |row| read(row, id))
}

async fn complete_stage(
    mut tx: Transaction,
    id: UiaSessionHash,
    stage: Stage,
    proof: StageProof,
) -> Outcome<Option<UiaSession>> {
    let Some(session) = load_and_lock(&mut tx, id).await? else {
        tx.roll_back().await?;
        return Ok(None);
    };
    let session = session.complete(stage, &proof);
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
}

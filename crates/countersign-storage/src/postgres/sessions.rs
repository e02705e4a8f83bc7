//! Validation sessions and what is owed for them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_core::{
    Confirmation, Confirmed, NotMe, NotMeDecision, Requested, SessionId, Submitted, Timestamp,
    TokenSubmission, ValidationRequest, ValidationSession,
};
use tokio_postgres::Row;

use super::{
    PostgresStorage,
    budgets::Wanted,
    connection::{Reply, Transaction},
    failure::Outcome,
    parameter::Query,
    rows::first,
};
use crate::{SessionStore, StorageError};

pub(super) mod fold;
pub(super) mod requests;
mod row;

#[async_trait]
impl SessionStore for PostgresStorage {
    async fn request_validation(
        &self,
        request: ValidationRequest,
        now: Timestamp,
    ) -> Result<Requested, StorageError> {
        self.requests.run((request, now)).await
    }

    async fn submit_token(
        &self,
        submission: TokenSubmission,
        now: Timestamp,
    ) -> Result<Submitted, StorageError> {
        let submission = Arc::new(submission);
        self.write(move |tx| submit_token(tx, Arc::clone(&submission), now)).await
    }

    async fn confirm(&self, confirmation: Confirmation, now: Timestamp) -> Result<Confirmed, StorageError> {
        let confirmation = Arc::new(confirmation);
        self.write(move |tx| confirm(tx, Arc::clone(&confirmation), now)).await
    }

    async fn not_me(&self, not_me: NotMe, now: Timestamp) -> Result<NotMeDecision, StorageError> {
        self.write(move |tx| end_by_owner(tx, not_me.clone(), now)).await
    }

    async fn mark_validated(
        &self,
        sid: SessionId,
        validated_at: Timestamp,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        self.write(move |tx| mark_validated(tx, sid, validated_at, lifetime, now)).await
    }

    async fn find_session(&self, sid: SessionId) -> Result<Option<ValidationSession>, StorageError> {
        let [found] = self.connect().await?.run([find(&sid)]).await?;
        Ok(read_found(&found)?)
    }
}

async fn submit_token(
    mut tx: Transaction,
    submission: Arc<TokenSubmission>,
    now: Timestamp,
) -> Outcome<Submitted> {
    let [found] = tx.run([find_and_lock(&submission.sid)]).await?;
    let session = read_found(&found)?;
    let charges = session.as_ref().map(|session| submission.charges(session)).unwrap_or_default();
    let wanted = Wanted::of(&charges, now);
    let mut budgets = if wanted.is_empty() {
        wanted.read(&[], &[])?
    } else {
        let [fresh, found] = tx.run([wanted.lock(), wanted.load()]).await?;
        wanted.read(&found.rows, &fresh.rows)?
    };
    let full_at = budgets.full_at(&charges);
    let decision = ValidationSession::submit(session.as_ref(), &submission, &full_at, now);
    if decision.session.is_none() && decision.budgets.is_empty() {
        tx.roll_back().await?;
        return Ok(decision.answer);
    }
    budgets.apply(&decision.budgets);
    let saves = budgets.saves();
    let mut queries = saves.queries();
    queries.extend(decision.session.iter().map(|session| save(vec![session])));
    let replies = tx.finish(queries).await?;
    saves.check(&replies)?;
    Ok(decision.answer)
}

async fn confirm(mut tx: Transaction, confirmation: Arc<Confirmation>, now: Timestamp) -> Outcome<Confirmed> {
    let [found] = tx.run([find_and_lock(&confirmation.sid)]).await?;
    let session = read_found(&found)?;
    let decision = ValidationSession::confirm(session.as_ref(), &confirmation, now);
    match &decision.session {
        Some(session) => save_one(tx, session).await?,
        None => tx.roll_back().await?,
    }
    Ok(decision.answer)
}

async fn end_by_owner(mut tx: Transaction, not_me: NotMe, now: Timestamp) -> Outcome<NotMeDecision> {
    let [found] = tx.run([find_and_lock(&not_me.sid)]).await?;
    let session = read_found(&found)?;
    let decision = ValidationSession::not_me(session.as_ref(), &not_me, now);
    match &decision {
        NotMeDecision::End(session) => save_one(tx, session).await?,
        NotMeDecision::Over | NotMeDecision::Validated | NotMeDecision::Unknown => tx.roll_back().await?,
    }
    Ok(decision)
}

async fn mark_validated(
    mut tx: Transaction,
    sid: SessionId,
    validated_at: Timestamp,
    lifetime: Duration,
    now: Timestamp,
) -> Outcome<bool> {
    let [found] = tx.run([find_and_lock(&sid)]).await?;
    let session = read_found(&found)?;
    let validated = ValidationSession::validated_elsewhere(session.as_ref(), validated_at, lifetime, now);
    match &validated {
        Ok(Some(session)) => save_one(tx, session).await?,
        Ok(None) | Err(_) => tx.roll_back().await?,
    }
    Ok(validated.is_ok())
}

async fn save_one(tx: Transaction, session: &ValidationSession) -> Outcome<()> {
    tx.finish(vec![save(vec![session])]).await?[0].must_change("validation_sessions", 1)
}

/// Selects sessions, with their columns in the order of the fields.
macro_rules! select_sessions {
    ($which:literal) => {
        concat!(
            "select sid, key, purpose, medium, address_hash, sealed_address, client_secret_hash, token_key_id, nonce,
                send_attempt, sealed_next_link, code_generation, code_began_at, misses, requested_by, created_at,
                validated_at, expires_at, ended_at, ended_reason, consumed_at, consumed_by, decoy, latest
             from validation_sessions ",
            $which
        )
    };
}
pub(super) use select_sessions;

/// The session with that id, in whatever state.
pub(super) fn find(sid: &SessionId) -> Query<'_> {
    Query::new(select_sessions!("where sid = $1")).with(sid.as_bytes().as_slice())
}

/// As [`find`]; keeps others from changing it until the end of the transaction.
pub(super) fn find_and_lock(sid: &SessionId) -> Query<'_> {
    Query::new(select_sessions!("where sid = $1 for update")).with(sid.as_bytes().as_slice())
}

/// Keeps others from changing these until the end of the transaction.
pub(super) fn lock_in_order(sids: [&SessionId; 2]) -> Query<'_> {
    Query::new("select 1 from validation_sessions where sid = any($1) order by sid for update")
        .with(sids.map(|sid| sid.as_bytes().as_slice()).to_vec())
}

/// What [`find`] found.
pub(super) fn read_found(reply: &Reply) -> Outcome<Option<ValidationSession>> {
    first(&reply.rows, read)
}

/// A row of [`select_sessions`].
pub(super) fn read(row: &Row) -> Outcome<ValidationSession> {
    row::read(row)
}

/// Inserts new sessions.
pub(super) fn insert(sessions: Vec<&ValidationSession>) -> Query<'_> {
    let columns = row::Arrays::of(sessions);
    let insert = Query::new(
        "insert into validation_sessions (
            sid, send_attempt, sealed_next_link, code_generation, code_began_at, misses, requested_by, validated_at,
            expires_at, ended_at, ended_reason, consumed_at, consumed_by, decoy, latest,
            key, purpose, medium, address_hash, sealed_address, client_secret_hash, token_key_id, nonce, created_at)
         select * from unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], $13::text[], $14::boolean[],
            $15::boolean[], $16::bytea[], $17::text[], $18::text[], $19::bytea[], $20::bytea[], $21::bytea[],
            $22::text[], $23::bytea[], $24::bigint[])",
    );
    columns.fill_lasting(columns.fill_changing(insert))
}

/// Saves what may change in sessions. The rest of the rows stays as it was inserted.
pub(super) fn save(sessions: Vec<&ValidationSession>) -> Query<'_> {
    let update = Query::new(
        "update validation_sessions s set
            send_attempt = n.send_attempt, sealed_next_link = n.sealed_next_link, code_generation = n.code_generation,
            code_began_at = n.code_began_at, misses = n.misses, requested_by = n.requested_by,
            validated_at = n.validated_at, expires_at = n.expires_at, ended_at = n.ended_at,
            ended_reason = n.ended_reason, consumed_at = n.consumed_at, consumed_by = n.consumed_by, decoy = n.decoy,
            latest = n.latest
         from unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], $13::text[], $14::boolean[],
            $15::boolean[])
            as n (sid, send_attempt, sealed_next_link, code_generation, code_began_at, misses, requested_by, validated_at,
                expires_at, ended_at, ended_reason, consumed_at, consumed_by, decoy, latest)
         where s.sid = n.sid",
    );
    row::Arrays::of(sessions).fill_changing(update)
}

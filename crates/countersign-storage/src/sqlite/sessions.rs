//! Validation sessions and what is owed for them.

use std::time::Duration;

use async_trait::async_trait;
use countersign_core::{
    Confirmation, Confirmed, NotMe, NotMeDecision, RequestState, Requested, SessionChange, SessionId,
    SessionKey, Submitted, Timestamp, TokenSubmission, ValidationRequest, ValidationSession,
};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage, budgets,
    failure::Outcome,
    outbox,
    rows::{change, change_one, find},
    suppressions, threepids,
};
use crate::{SessionStore, StorageError};

mod row;

#[async_trait]
impl SessionStore for SqliteStorage {
    async fn request_validation(
        &self,
        request: ValidationRequest,
        now: Timestamp,
    ) -> Result<Requested, StorageError> {
        self.write(move |tx| request_validation(tx, &request, now)).await
    }

    async fn submit_token(
        &self,
        submission: TokenSubmission,
        now: Timestamp,
    ) -> Result<Submitted, StorageError> {
        self.write(move |tx| submit_token(tx, &submission, now)).await
    }

    async fn confirm(&self, confirmation: Confirmation, now: Timestamp) -> Result<Confirmed, StorageError> {
        self.write(move |tx| {
            let session = load(tx, confirmation.sid)?;
            let decision = ValidationSession::confirm(session.as_ref(), &confirmation, now);
            decision.session.as_ref().map_or(Ok(()), |session| save(tx, session))?;
            Ok(decision.answer)
        })
        .await
    }

    async fn not_me(&self, not_me: NotMe, now: Timestamp) -> Result<NotMeDecision, StorageError> {
        self.write(move |tx| {
            let session = load(tx, not_me.sid)?;
            let decision = ValidationSession::not_me(session.as_ref(), &not_me, now);
            if let NotMeDecision::End(session) = &decision {
                save(tx, session)?;
            }
            Ok(decision)
        })
        .await
    }

    async fn mark_validated(
        &self,
        sid: SessionId,
        validated_at: Timestamp,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        self.write(move |tx| {
            let session = load(tx, sid)?;
            let validated =
                ValidationSession::validated_elsewhere(session.as_ref(), validated_at, lifetime, now);
            let Ok(changed) = validated else { return Ok(false) };
            changed.as_ref().map_or(Ok(()), |session| save(tx, session))?;
            Ok(true)
        })
        .await
    }

    async fn find_session(&self, sid: SessionId) -> Result<Option<ValidationSession>, StorageError> {
        self.read(move |tx| load(tx, sid)).await
    }
}

fn request_validation(tx: &Connection, request: &ValidationRequest, now: Timestamp) -> Outcome<Requested> {
    let state = RequestState {
        existing: load_latest(tx, request.key)?,
        owner: threepids::find_owners_name(tx, request.address_hash)?,
        suppressed: suppressions::is_suppressed(tx, request.address_hash)?,
        full_at: budgets::load(tx, &request.charges)?,
    };
    let decision = ValidationSession::request(&state, request, now);
    match &decision.session {
        SessionChange::Keep => {}
        SessionChange::Update(session) => {
            save(tx, session)?;
            if decision.message.is_some() {
                outbox::supersede(tx, session.sid, now)?;
            }
        }
        SessionChange::Insert { session, former } => {
            former.map_or(Ok(()), |former| retire(tx, former))?;
            insert(tx, session)?;
        }
    }
    decision.message.as_ref().map_or(Ok(()), |message| outbox::enqueue(tx, message))?;
    budgets::save(tx, &decision.budgets)?;
    Ok(decision.answer)
}

fn submit_token(tx: &Connection, submission: &TokenSubmission, now: Timestamp) -> Outcome<Submitted> {
    let session = load(tx, submission.sid)?;
    let charges = session.as_ref().map(|session| submission.charges(session)).unwrap_or_default();
    let full_at = budgets::load(tx, &charges)?;
    let decision = ValidationSession::submit(session.as_ref(), submission, &full_at, now);
    decision.session.as_ref().map_or(Ok(()), |session| save(tx, session))?;
    budgets::save(tx, &decision.budgets)?;
    Ok(decision.answer)
}

/// The session with that id, in whatever state.
pub(super) fn load(tx: &Connection, sid: SessionId) -> Outcome<Option<ValidationSession>> {
    let statement = tx.prepare_cached(
        "select sid, key, purpose, medium, address_hash, sealed_address, client_secret_hash, token_key_id, nonce,
            send_attempt, sealed_next_link, code_generation, code_began_at, misses, requested_by, created_at,
            validated_at, expires_at, ended_at, ended_reason, consumed_at, consumed_by, decoy, latest
         from validation_sessions where sid = ?1",
    )?;
    find(statement, [sid.as_bytes()], row::read)
}

fn load_latest(tx: &Connection, key: SessionKey) -> Outcome<Option<ValidationSession>> {
    let statement = tx.prepare_cached(
        "select sid, key, purpose, medium, address_hash, sealed_address, client_secret_hash, token_key_id, nonce,
            send_attempt, sealed_next_link, code_generation, code_began_at, misses, requested_by, created_at,
            validated_at, expires_at, ended_at, ended_reason, consumed_at, consumed_by, decoy, latest
         from validation_sessions where key = ?1 and latest = 1",
    )?;
    find(statement, [key.as_bytes()], row::read)
}

/// Adds a new session.
pub(super) fn insert(tx: &Connection, session: &ValidationSession) -> Outcome<()> {
    change_one(
        tx,
        "validation_sessions",
        "insert into validation_sessions (
            sid, key, purpose, medium, address_hash, sealed_address, client_secret_hash, token_key_id, nonce,
            send_attempt, sealed_next_link, code_generation, code_began_at, misses, requested_by, created_at,
            validated_at, expires_at, ended_at, ended_reason, consumed_at, consumed_by, decoy, latest)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
            ?23, ?24)",
        params![
            session.sid.as_bytes(),
            session.key.as_bytes(),
            session.purpose.as_str(),
            session.medium.as_str(),
            session.address_hash.as_bytes(),
            session.sealed_address.as_bytes(),
            session.client_secret_hash.as_bytes(),
            session.token_key_id.as_str(),
            session.nonce.as_bytes(),
            session.send_attempt.map(|attempt| attempt.0),
            session.sealed_next_link.as_ref().map(|link| link.as_bytes()),
            session.code_generation.0,
            session.code_began_at.map(Timestamp::as_millis),
            session.misses,
            session.requested_by.as_ref().map(|user_id| user_id.as_str()),
            session.created_at.as_millis(),
            session.validated_at.map(Timestamp::as_millis),
            session.expires_at.as_millis(),
            session.ended.map(|ended| ended.at.as_millis()),
            session.ended.map(|ended| ended.reason.as_str()),
            session.consumed.as_ref().map(|consumed| consumed.at.as_millis()),
            session.consumed.as_ref().map(|consumed| consumed.by.as_str()),
            session.decoy,
            session.latest,
        ],
    )
}

/// Saves what may change in a session. The rest of the row stays as it was inserted.
pub(super) fn save(tx: &Connection, session: &ValidationSession) -> Outcome<()> {
    change_one(
        tx,
        "validation_sessions",
        "update validation_sessions set
            send_attempt = ?2, sealed_next_link = ?3, code_generation = ?4, code_began_at = ?5, misses = ?6,
            requested_by = ?7, validated_at = ?8, ended_at = ?9, ended_reason = ?10, consumed_at = ?11,
            consumed_by = ?12, decoy = ?13
         where sid = ?1",
        params![
            session.sid.as_bytes(),
            session.send_attempt.map(|attempt| attempt.0),
            session.sealed_next_link.as_ref().map(|link| link.as_bytes()),
            session.code_generation.0,
            session.code_began_at.map(Timestamp::as_millis),
            session.misses,
            session.requested_by.as_ref().map(|user_id| user_id.as_str()),
            session.validated_at.map(Timestamp::as_millis),
            session.ended.map(|ended| ended.at.as_millis()),
            session.ended.map(|ended| ended.reason.as_str()),
            session.consumed.as_ref().map(|consumed| consumed.at.as_millis()),
            session.consumed.as_ref().map(|consumed| consumed.by.as_str()),
            session.decoy,
        ],
    )?;
    // Apart, since it is in an index, which an update to the same value would rewrite all the same.
    change(
        tx,
        "update validation_sessions set expires_at = ?2 where sid = ?1 and expires_at <> ?2",
        params![session.sid.as_bytes(), session.expires_at.as_millis()],
    )?;
    Ok(())
}

/// Takes the key from a session, which stays usable by its id.
fn retire(tx: &Connection, sid: SessionId) -> Outcome<()> {
    change_one(
        tx,
        "validation_sessions",
        "update validation_sessions set latest = 0 where sid = ?1",
        [sid.as_bytes()],
    )
}

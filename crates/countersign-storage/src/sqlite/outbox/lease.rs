//! Hands messages that are due to a worker.

use countersign_core::{
    BeginSend, Carrier, GiveUpReason, Language, LeasedMessage, MessageId, MessageKind, MessageOutcome,
    OutboxMessage, SendAttempt, SessionId, Timestamp, ValidationSession,
};
use rusqlite::{Connection, params};

use super::{finish, recompute_attempt};
use crate::{
    LeaseRequest, StorageError,
    sqlite::{
        failure::{Failure, Outcome},
        rows::{Columns, change_one, find, list},
        sessions,
    },
};

/// Leases what is due and still makes sense; finishes what does not.
pub(super) fn lease(tx: &Connection, request: &LeaseRequest, now: Timestamp) -> Outcome<Vec<LeasedMessage>> {
    let mut leased = Vec::new();
    for id in list_due(tx, request, now)? {
        match load_with_session(tx, id) {
            Ok((message, session)) => leased.extend(begin_send(tx, message, session, request, now)?),
            Err(Failure::Storage(error @ StorageError::Corrupt { .. })) => {
                // Must not stop the messages behind it.
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    outbox.id = %id,
                    "gave up on message {id}, whose row or session makes no sense"
                );
                finish(tx, id, MessageOutcome::GivenUp(GiveUpReason::Unreadable), None, now)?;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(leased)
}

fn begin_send(
    tx: &Connection,
    message: OutboxMessage,
    session: ValidationSession,
    request: &LeaseRequest,
    now: Timestamp,
) -> Outcome<Option<LeasedMessage>> {
    match session.begin_send(&message, &request.codes, now) {
        BeginSend::Send(begun) => {
            if begun != session {
                sessions::save(tx, &begun)?;
            }
            let message = OutboxMessage { tries: message.tries.saturating_add(1), ..message };
            hold(tx, &message, request)?;
            Ok(Some(LeasedMessage { message, session: begun }))
        }
        BeginSend::Drop(reason) => {
            finish(tx, message.id, MessageOutcome::Dropped(reason), None, now)?;
            Ok(None)
        }
        BeginSend::GiveUp(reason) => {
            finish(tx, message.id, MessageOutcome::GivenUp(reason), None, now)?;
            recompute_attempt(tx, &session)?;
            Ok(None)
        }
    }
}

/// What waits without a lease, or under one that ran out; the longest due first. Each half has an index of its own.
fn list_due(tx: &Connection, request: &LeaseRequest, now: Timestamp) -> Outcome<Vec<MessageId>> {
    let statement = tx.prepare_cached(
        "select id from (
            select * from (
                select id, not_before from outbox
                where medium = ?1 and lease_id is null and not_before <= ?2 order by not_before limit ?3)
            union all
            select * from (
                select id, not_before from outbox
                where medium = ?1 and lease_id is not null and leased_until < ?2 order by not_before limit ?3))
         order by not_before, id limit ?3",
    )?;
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    list(statement, params![request.carrier.as_str(), now.as_millis(), limit], |row| {
        Columns::of("outbox", row).bytes("id").map(MessageId::from_bytes)
    })
}

fn load_with_session(tx: &Connection, id: MessageId) -> Outcome<(OutboxMessage, ValidationSession)> {
    let statement = tx.prepare_cached(
        "select kind, medium, sid, send_attempt, language, created_at, not_before, tries from outbox where id = ?1",
    )?;
    let message = find(statement, [id.as_bytes()], |row| {
        let mut columns = Columns::of("outbox", row);
        Ok(OutboxMessage {
            id,
            kind: columns.parse("kind", MessageKind::parse)?,
            carrier: columns.parse("medium", Carrier::parse)?,
            sid: SessionId::from_bytes(columns.bytes("sid")?),
            send_attempt: SendAttempt(columns.integer("send_attempt")?),
            language: columns.parse("language", Language::parse)?,
            created_at: columns.timestamp("created_at")?,
            not_before: columns.timestamp("not_before")?,
            tries: columns.integer("tries")?,
        })
    })?;
    let message = message.ok_or(Failure::RowCount { table: "outbox", changed: 0 })?;
    let session = sessions::load(tx, message.sid)?;
    let dangling = Failure::Storage(StorageError::Corrupt { table: "outbox", column: "sid" });
    Ok((message, session.ok_or(dangling)?))
}

fn hold(tx: &Connection, message: &OutboxMessage, request: &LeaseRequest) -> Outcome<()> {
    change_one(
        tx,
        "outbox",
        "update outbox set lease_id = ?2, leased_until = ?3, tries = ?4 where id = ?1",
        params![
            message.id.as_bytes(),
            request.lease_id.as_bytes(),
            request.leased_until.as_millis(),
            message.tries,
        ],
    )
}

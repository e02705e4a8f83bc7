//! Messages that are owed. The column `medium` holds the carrier: tables keep the names that they came with.

mod lease;

use async_trait::async_trait;
use countersign_core::{
    Association, Carrier, DropReason, GiveUpReason, LeaseId, LeasedMessage, MessageId, MessageKind,
    MessageOutcome, OutboxMessage, SendAttempt, SessionId, Timestamp, ValidationSession,
};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::{Failure, Outcome},
    rows::{Columns, change, change_one, find, list},
    sessions,
};
use crate::{FinishedMessage, LeaseRequest, OutboxCounts, OutboxStore, StorageError, outbox::parse_outcome};

#[async_trait]
impl OutboxStore for SqliteStorage {
    async fn lease(&self, request: LeaseRequest, now: Timestamp) -> Result<Vec<LeasedMessage>, StorageError> {
        self.write(move |tx| lease::lease(tx, &request, now)).await
    }

    async fn mark_delivered(
        &self,
        id: MessageId,
        lease_id: LeaseId,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        self.write(move |tx| {
            if !is_leased(tx, id, lease_id)? {
                return Ok(false);
            }
            finish(tx, id, MessageOutcome::Delivered, None, now)?;
            Ok(true)
        })
        .await
    }

    async fn retry_at(
        &self,
        id: MessageId,
        lease_id: LeaseId,
        not_before: Timestamp,
    ) -> Result<bool, StorageError> {
        self.write(move |tx| {
            let changed = change(
                tx,
                "update outbox set lease_id = null, leased_until = null, not_before = ?3
                 where id = ?1 and lease_id = ?2",
                params![id.as_bytes(), lease_id.as_bytes(), not_before.as_millis()],
            )?;
            Ok(changed == 1)
        })
        .await
    }

    async fn give_up(
        &self,
        id: MessageId,
        lease_id: LeaseId,
        reason: GiveUpReason,
        said: Option<String>,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        self.write(move |tx| {
            if !is_leased(tx, id, lease_id)? {
                return Ok(false);
            }
            let sid = find_sid(tx, id)?;
            finish(tx, id, MessageOutcome::GivenUp(reason), said.as_deref(), now)?;
            // A message whose session is gone has no attempt to take back.
            let session = sessions::load(tx, sid)?;
            session.map_or(Ok(()), |session| recompute_attempt(tx, &session))?;
            Ok(true)
        })
        .await
    }

    async fn next_due_at(&self, carrier: Carrier) -> Result<Option<Timestamp>, StorageError> {
        self.read(move |tx| next_due_at(tx, carrier)).await
    }

    async fn count_outbox(&self) -> Result<OutboxCounts, StorageError> {
        self.read_many(|tx| {
            let statement = tx.prepare_cached("select count(*), min(created_at) from outbox")?;
            let counts = find(statement, [], |row| {
                let mut columns = Columns::of("outbox", row);
                Ok(OutboxCounts {
                    waiting: columns.integer("id")?,
                    oldest_created_at: columns.optional_timestamp("created_at")?,
                })
            })?;
            Ok(counts.unwrap_or_default())
        })
        .await
    }

    async fn find_finished_message(&self, id: MessageId) -> Result<Option<FinishedMessage>, StorageError> {
        self.read(move |tx| find_finished_message(tx, id)).await
    }
}

/// Whether the homeserver of the address's user is to be told already, by a message that no worker holds and that has time
/// until then. Looks at all that homeservers are owed, which only binds with invitations add to.
pub(super) fn is_on_bind_waiting(
    tx: &Connection,
    association: &Association,
    until: Timestamp,
) -> Outcome<bool> {
    let mut statement = tx.prepare_cached(
        "select 1 from outbox join validation_sessions as session using (sid)
         where outbox.medium = ?1 and outbox.lease_id is null and outbox.kind = ?2
            and session.address_hash = ?3 and session.requested_by = ?4 and ?5 < session.expires_at",
    )?;
    Ok(statement.exists(params![
        Carrier::Federation.as_str(),
        MessageKind::OnBind.as_str(),
        association.address_hash.as_bytes(),
        association.user_id.as_str(),
        until.as_millis(),
    ])?)
}

/// Adds a message to those that are owed. By `values`, since SQLite would make ready to undo an `insert … select`, which
/// costs a copy of every page that it changes.
pub(super) fn enqueue(tx: &Connection, message: &OutboxMessage) -> Outcome<()> {
    change_one(
        tx,
        "outbox",
        "insert into outbox
            (id, kind, medium, session_number, sid, send_attempt, language, created_at, not_before, tries)
         values (?1, ?2, ?3, (select session_number from validation_sessions where sid = ?4), ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            message.id.as_bytes(),
            message.kind.as_str(),
            message.carrier.as_str(),
            message.sid.as_bytes(),
            message.send_attempt.0,
            message.language.as_str(),
            message.created_at.as_millis(),
            message.not_before.as_millis(),
            message.tries,
        ],
    )
}

/// Drops the messages of a session that no worker holds: a later one takes their place.
pub(super) fn supersede(tx: &Connection, sid: SessionId, now: Timestamp) -> Outcome<()> {
    let statement = tx.prepare_cached(
        "select id from outbox
         where session_number = (select session_number from validation_sessions where sid = ?1)
            and sid = ?1 and lease_id is null",
    )?;
    let waiting = list(statement, [sid.as_bytes()], |row| {
        Columns::of("outbox", row).bytes("id").map(MessageId::from_bytes)
    })?;
    for id in waiting {
        finish(tx, id, MessageOutcome::Dropped(DropReason::Superseded), None, now)?;
    }
    Ok(())
}

/// Moves a message to the history.
pub(super) fn finish(
    tx: &Connection,
    id: MessageId,
    outcome: MessageOutcome,
    reason: Option<&str>,
    now: Timestamp,
) -> Outcome<()> {
    change_one(
        tx,
        "message_history",
        "insert into message_history
            (id, kind, medium, session_number, sid, send_attempt, outcome, reason, tries, created_at, finished_at)
         select id, kind, medium, session_number, sid, send_attempt, ?2, ?3, tries, created_at, ?4
         from outbox where id = ?1",
        params![id.as_bytes(), outcome.as_str(), reason, now.as_millis()],
    )?;
    change_one(tx, "outbox", "delete from outbox where id = ?1", [id.as_bytes()])
}

/// After a message was given up: the session's attempt is the highest among those that were delivered or still wait.
fn recompute_attempt(tx: &Connection, session: &ValidationSession) -> Outcome<()> {
    let statement = tx.prepare_cached(
        "with session as (select session_number, sid from validation_sessions where sid = ?1)
         select max(send_attempt) from (
            select send_attempt from session join outbox using (session_number, sid)
            union all
            select send_attempt from session join message_history using (session_number, sid)
            where outcome = 'delivered')",
    )?;
    let remaining = find(statement, [session.sid.as_bytes()], |row| {
        Columns::of("message_history", row).optional_integer("send_attempt")
    })?;
    sessions::save(tx, &session.after_giving_up(remaining.flatten().map(SendAttempt)))
}

fn is_leased(tx: &Connection, id: MessageId, lease_id: LeaseId) -> Outcome<bool> {
    let mut statement = tx.prepare_cached("select 1 from outbox where id = ?1 and lease_id = ?2")?;
    Ok(statement.exists([id.as_bytes().as_slice(), lease_id.as_bytes()])?)
}

fn find_sid(tx: &Connection, id: MessageId) -> Outcome<SessionId> {
    let statement = tx.prepare_cached("select sid from outbox where id = ?1")?;
    let sid = find(statement, [id.as_bytes()], |row| Columns::of("outbox", row).bytes("sid"))?;
    sid.map(SessionId::from_bytes).ok_or(Failure::RowCount { table: "outbox", changed: 0 })
}

/// A lease runs out when its last moment is over.
fn next_due_at(tx: &Connection, carrier: Carrier) -> Outcome<Option<Timestamp>> {
    let statement = tx.prepare_cached(
        "select min(due_at) from (
            select min(not_before) as due_at from outbox where medium = ?1 and lease_id is null
            union all
            select min(leased_until) + 1 from outbox where medium = ?1 and lease_id is not null)",
    )?;
    let due_at = find(statement, [carrier.as_str()], |row| {
        Columns::of("outbox", row).optional_timestamp("not_before")
    })?;
    Ok(due_at.flatten())
}

fn find_finished_message(tx: &Connection, id: MessageId) -> Outcome<Option<FinishedMessage>> {
    let statement =
        tx.prepare_cached("select outcome, reason, tries, finished_at from message_history where id = ?1")?;
    find(statement, [id.as_bytes()], |row| {
        let mut columns = Columns::of("message_history", row);
        Ok(FinishedMessage {
            id,
            outcome: columns.parse("outcome", parse_outcome)?,
            reason: columns.parse_optional("reason", |reason| Some(reason.to_owned()))?,
            tries: columns.integer("tries")?,
            finished_at: columns.timestamp("finished_at")?,
        })
    })
}

//! Messages that are owed. The column `medium` holds the carrier: tables keep the names that they came with.

pub(super) mod delivered;
pub(super) mod lease;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use countersign_core::{
    Association, Carrier, DropReason, GiveUpReason, LeaseId, LeasedMessage, MessageId, MessageKind,
    MessageOutcome, OutboxMessage, SendAttempt, SessionId, Timestamp, ValidationSession,
};

use super::{
    PostgresStorage,
    connection::{Reply, Transaction},
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first, list},
    sessions,
};
use crate::{FinishedMessage, LeaseRequest, OutboxCounts, OutboxStore, StorageError, outbox::parse_outcome};

#[async_trait]
impl OutboxStore for PostgresStorage {
    async fn lease(&self, request: LeaseRequest, now: Timestamp) -> Result<Vec<LeasedMessage>, StorageError> {
        let (request, clock) = (Arc::new(request), self.lease_clock);
        let (leased, offset) =
            self.write(move |tx| lease::lease(tx, Arc::clone(&request), now, clock)).await?;
        self.clock_offset.set(offset);
        Ok(leased)
    }

    async fn mark_delivered(
        &self,
        id: MessageId,
        lease_id: LeaseId,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        self.results.run(delivered::Delivered { id, lease_id, at: now }).await
    }

    async fn retry_at(
        &self,
        id: MessageId,
        lease_id: LeaseId,
        not_before: Timestamp,
    ) -> Result<bool, StorageError> {
        let update = Query::new(
            "update outbox set lease_id = null, leased_until = null, not_before = $3
             where id = $1 and lease_id = $2",
        )
        .with(id.as_bytes().as_slice())
        .with(lease_id.as_bytes().as_slice())
        .with(not_before.as_millis());
        let [updated] = self.connect().await?.run([update]).await?;
        Ok(updated.changed() == 1)
    }

    async fn give_up(
        &self,
        id: MessageId,
        lease_id: LeaseId,
        reason: GiveUpReason,
        said: Option<String>,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let said: Option<Arc<str>> = said.map(Arc::from);
        self.write(move |tx| give_up(tx, id, lease_id, reason, said.clone(), now)).await
    }

    async fn next_due_at(&self, carrier: Carrier) -> Result<Option<Timestamp>, StorageError> {
        // A lease runs out when its last moment is over.
        let select = Query::new(
            "select (select min(not_before) from outbox where medium = $1 and lease_id is null),
                (select min(leased_until) + 1 from outbox where medium = $1 and lease_id is not null)",
        )
        .with(carrier.as_str());
        let [found] = self.connect().await?.run([select]).await?;
        let due = first(&found.rows, |row| {
            let mut columns = Columns::of("outbox", row);
            Ok((columns.optional_timestamp("not_before")?, columns.optional_timestamp("leased_until")?))
        })?;
        let (waiting, leased) = due.unwrap_or_default();
        let leased = leased.map(|until| self.clock_offset.on_the_nodes_clock(until));
        Ok(waiting.into_iter().chain(leased).min())
    }

    async fn count_outbox(&self) -> Result<OutboxCounts, StorageError> {
        let select = Query::new("select count(*), min(created_at) from outbox");
        let [found] = self.connect().await?.run([select]).await?;
        let counts = first(&found.rows, |row| {
            let mut columns = Columns::of("outbox", row);
            Ok(OutboxCounts {
                waiting: columns.integer("id")?,
                oldest_created_at: columns.optional_timestamp("created_at")?,
            })
        })?;
        Ok(counts.unwrap_or_default())
    }

    async fn find_finished_message(&self, id: MessageId) -> Result<Option<FinishedMessage>, StorageError> {
        let select =
            Query::new("select outcome, reason, tries, finished_at from message_history where id = $1")
                .with(id.as_bytes().as_slice());
        let [found] = self.connect().await?.run([select]).await?;
        let message = first(&found.rows, |row| {
            let mut columns = Columns::of("message_history", row);
            Ok(FinishedMessage {
                id,
                outcome: columns.parse("outcome", parse_outcome)?,
                reason: columns.parse_optional("reason", |reason| Some(reason.to_owned()))?,
                tries: columns.integer("tries")?,
                finished_at: columns.timestamp("finished_at")?,
            })
        });
        Ok(message?)
    }
}

/// Locks the session before the message, as everything does.
async fn give_up(
    mut tx: Transaction,
    id: MessageId,
    lease_id: LeaseId,
    reason: GiveUpReason,
    said: Option<Arc<str>>,
    now: Timestamp,
) -> Outcome<bool> {
    let lock = Query::new(sessions::select_sessions!(
        "where sid in (select sid from outbox where id = $1 and lease_id = $2) for update"
    ))
    .with(id.as_bytes().as_slice())
    .with(lease_id.as_bytes().as_slice());
    let finish = Query::new(
        "with gone as (delete from outbox where id = $1 and lease_id = $2 returning *)
         insert into message_history
            (id, kind, medium, sid, send_attempt, outcome, reason, tries, created_at, finished_at)
         select id, kind, medium, sid, send_attempt, $3, $4, tries, created_at, $5 from gone",
    )
    .with(id.as_bytes().as_slice())
    .with(lease_id.as_bytes().as_slice())
    .with(MessageOutcome::GivenUp(reason).as_str())
    .with(said.as_deref())
    .with(now.as_millis());
    let [session, finished] = tx.run([lock, finish]).await?;
    if finished.changed() == 0 {
        tx.roll_back().await?;
        return Ok(false);
    }
    // A message whose session is gone has no attempt to take back.
    if let Some(session) = sessions::read_found(&session)? {
        recompute_attempts(&mut tx, vec![session]).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// After messages were given up: the attempt of each session is the highest among those that were delivered or still wait.
/// The sessions are locked.
async fn recompute_attempts(tx: &mut Transaction, sessions: Vec<ValidationSession>) -> Outcome<()> {
    let sids: Vec<&[u8]> = sessions.iter().map(|session| session.sid.as_bytes().as_slice()).collect();
    let select = Query::new(
        "select sid, max(send_attempt) from (
            select sid, send_attempt from outbox where sid = any($1)
            union all
            select sid, send_attempt from message_history where sid = any($1) and outcome = 'delivered') as remaining
         group by sid",
    )
    .with(sids);
    let [found] = tx.run([select]).await?;
    let remaining: BTreeMap<SessionId, SendAttempt> = list(&found.rows, |row| {
        let mut columns = Columns::of("message_history", row);
        let sid = SessionId::from_bytes(columns.bytes("sid")?);
        Ok((sid, SendAttempt(columns.integer("send_attempt")?)))
    })?
    .into_iter()
    .collect();
    let recompute =
        |session: &ValidationSession| session.after_giving_up(remaining.get(&session.sid).copied());
    let recomputed: Vec<ValidationSession> = sessions.iter().map(recompute).collect();
    let [saved] = tx.run([sessions::save(recomputed.iter().collect())]).await?;
    saved.must_change("validation_sessions", recomputed.len())
}

/// A message by which the homeserver of the address's user is to be told, that no worker holds and that has time until then.
/// None can take it before the end of the transaction, and so each sees what that did. Looks at all that homeservers are owed, which only binds with
/// invitations add to.
pub(super) fn hold_waiting_on_bind(association: &Association, until: Timestamp) -> Query<'_> {
    Query::new(
        "select 1 from outbox join validation_sessions as session using (sid)
         where outbox.medium = $1 and outbox.lease_id is null and outbox.kind = $2
            and session.address_hash = $3 and session.requested_by = $4 and $5 < session.expires_at
         limit 1 for update of outbox skip locked",
    )
    .with(Carrier::Federation.as_str())
    .with(MessageKind::OnBind.as_str())
    .with(association.address_hash.as_bytes().as_slice())
    .with(association.user_id.as_str())
    .with(until.as_millis())
}

/// Adds messages to those that are owed.
pub(super) fn enqueue(messages: &[OutboxMessage]) -> Query<'_> {
    let insert = Query::new(
        "insert into outbox (id, kind, medium, sid, send_attempt, language, tries, created_at, not_before)
         select id, kind, medium, sid, send_attempt, language, tries, created_at, not_before
         from unnest($1::bytea[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::text[], $9::bigint[])
            as n (id, kind, medium, sid, send_attempt, tries, created_at, language, not_before)",
    );
    fill(insert, messages.iter().collect())
        .with(messages.iter().map(|message| message.language.as_str()).collect::<Vec<_>>())
        .with(messages.iter().map(|message| message.not_before.as_millis()).collect::<Vec<_>>())
}

/// Puts messages that never were in the outbox into the history.
pub(super) fn record(messages: &[(OutboxMessage, Timestamp)], outcome: MessageOutcome) -> Query<'_> {
    let insert = Query::new(
        "insert into message_history
            (id, kind, medium, sid, send_attempt, outcome, reason, tries, created_at, finished_at)
         select id, kind, medium, sid, send_attempt, $9, null, tries, created_at, finished_at
         from unnest($1::bytea[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::bigint[])
            as n (id, kind, medium, sid, send_attempt, tries, created_at, finished_at)",
    );
    fill(insert, messages.iter().map(|(message, _)| message).collect())
        .with(messages.iter().map(|(_, at)| at.as_millis()).collect::<Vec<_>>())
        .with(outcome.as_str())
}

/// Fills the gaps for what outbox and history have in common.
fn fill<'a>(query: Query<'a>, messages: Vec<&'a OutboxMessage>) -> Query<'a> {
    query
        .with(messages.iter().map(|message| message.id.as_bytes().as_slice()).collect::<Vec<_>>())
        .with(messages.iter().map(|message| message.kind.as_str()).collect::<Vec<_>>())
        .with(messages.iter().map(|message| message.carrier.as_str()).collect::<Vec<_>>())
        .with(messages.iter().map(|message| message.sid.as_bytes().as_slice()).collect::<Vec<_>>())
        .with(messages.iter().map(|message| message.send_attempt.0).collect::<Vec<_>>())
        .with(messages.iter().map(|message| i64::from(message.tries)).collect::<Vec<_>>())
        .with(messages.iter().map(|message| message.created_at.as_millis()).collect::<Vec<_>>())
}

/// Drops the messages of sessions that no worker holds: later ones take their place.
pub(super) fn supersede(sessions: &BTreeMap<SessionId, Timestamp>) -> Query<'_> {
    Query::new(
        "with later as (select * from unnest($1::bytea[], $2::bigint[]) as later (sid, finished_at)),
         gone as (
            delete from outbox using later where outbox.sid = later.sid and outbox.lease_id is null
            returning outbox.*, later.finished_at)
         insert into message_history
            (id, kind, medium, sid, send_attempt, outcome, reason, tries, created_at, finished_at)
         select id, kind, medium, sid, send_attempt, $3, null, tries, created_at, finished_at from gone",
    )
    .with(sessions.keys().map(|sid| sid.as_bytes().as_slice()).collect::<Vec<_>>())
    .with(sessions.values().map(|at| at.as_millis()).collect::<Vec<_>>())
    .with(MessageOutcome::Dropped(DropReason::Superseded).as_str())
}

/// Moves messages to the history, each with its outcome.
fn finish(messages: &BTreeMap<MessageId, MessageOutcome>, now: Timestamp) -> Query<'_> {
    Query::new(
        "with over as (select * from unnest($1::bytea[], $2::text[]) as over_now (id, outcome)),
         gone as (delete from outbox using over where outbox.id = over.id returning outbox.*, over.outcome)
         insert into message_history
            (id, kind, medium, sid, send_attempt, outcome, reason, tries, created_at, finished_at)
         select id, kind, medium, sid, send_attempt, outcome, null, tries, created_at, $3 from gone",
    )
    .with(messages.keys().map(|id| id.as_bytes().as_slice()).collect::<Vec<_>>())
    .with(messages.values().map(|outcome| outcome.as_str()).collect::<Vec<_>>())
    .with(now.as_millis())
}

fn check_finished(reply: &Reply, expected: usize) -> Outcome<()> {
    reply.must_change("message_history", expected)
}

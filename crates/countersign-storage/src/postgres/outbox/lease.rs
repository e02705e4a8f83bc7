//! Hands messages that are due to a worker. What another worker or request is busy with is passed over, not waited for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use countersign_core::{
    BeginSend, Carrier, GiveUpReason, Language, LeasedMessage, MessageId, MessageKind, MessageOutcome,
    OutboxMessage, SendAttempt, SessionId, Timestamp, ValidationSession,
};
use tokio_postgres::Row;

use super::{check_finished, finish, recompute_attempts};
use crate::{
    LeaseRequest, StorageError,
    postgres::{
        LeaseClock,
        connection::{Reply, Transaction},
        failure::{Failure, Outcome},
        lane::decide,
        parameter::Query,
        rows::{Columns, first, list},
        sessions::{read, save, select_sessions},
    },
};

/// How far the node's clock is ahead of the one that says when leases run out, in milliseconds.
#[derive(Default)]
pub(in crate::postgres) struct ClockOffset(AtomicI64);

impl ClockOffset {
    pub(super) fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }

    /// When the node's clock will show what the other shows at `moment`.
    pub(super) fn on_the_nodes_clock(&self, moment: Timestamp) -> Timestamp {
        Timestamp::from_millis(moment.as_millis().saturating_add(self.0.load(Ordering::Relaxed)))
    }
}

/// Leases what is due and still makes sense; finishes what does not. Answers also how far `now` is ahead of the clock that
/// says when leases run out.
pub(in crate::postgres) async fn lease(
    mut tx: Transaction,
    request: Arc<LeaseRequest>,
    now: Timestamp,
    clock: LeaseClock,
) -> Outcome<(Vec<LeasedMessage>, i64)> {
    let given = match clock {
        LeaseClock::Database => None,
        LeaseClock::Given => Some(now.as_millis()),
    };
    let (due, lease_now) = list_due(&mut tx, &request, now, given).await?;
    let offset = now.as_millis().saturating_sub(lease_now.as_millis());
    if due.is_empty() {
        tx.roll_back().await?;
        return Ok((Vec::new(), offset));
    }
    let mut plan = Plan::default();
    let mut sessions = lock_sessions(&mut tx, &due, &mut plan).await?;
    let mut began: BTreeSet<SessionId> = BTreeSet::new();
    for message in due {
        let Ok(message) = message.parsed else {
            plan.finished.insert(message.id, MessageOutcome::GivenUp(GiveUpReason::Unreadable));
            continue;
        };
        // Whose session another transaction holds, waits for the next look.
        let Some(session) = sessions.get_mut(&message.sid) else { continue };
        match decide(|| session.begin_send(&message, &request.codes, now))? {
            BeginSend::Send(begun) => {
                if begun != *session {
                    began.insert(begun.sid);
                    *session = begun;
                }
                let message = OutboxMessage { tries: message.tries.saturating_add(1), ..message };
                plan.leased.push(LeasedMessage { message, session: session.clone() });
            }
            BeginSend::Drop(reason) => {
                plan.finished.insert(message.id, MessageOutcome::Dropped(reason));
            }
            BeginSend::GiveUp(reason) => {
                plan.finished.insert(message.id, MessageOutcome::GivenUp(reason));
                plan.gave_up.insert(message.sid);
            }
        }
    }
    let leased_until = lease_now.after(request.leased_until.since(now));
    plan.carry_out(tx, &request, leased_until, now, &sessions, &began).await.map(|leased| (leased, offset))
}

/// What a lease does.
#[derive(Default)]
struct Plan {
    leased: Vec<LeasedMessage>,
    finished: BTreeMap<MessageId, MessageOutcome>,
    /// Sessions of messages that were given up.
    gave_up: BTreeSet<SessionId>,
}

impl Plan {
    async fn carry_out(
        self,
        mut tx: Transaction,
        request: &LeaseRequest,
        leased_until: Timestamp,
        now: Timestamp,
        sessions: &BTreeMap<SessionId, ValidationSession>,
        began: &BTreeSet<SessionId>,
    ) -> Outcome<Vec<LeasedMessage>> {
        if self.leased.is_empty() && self.finished.is_empty() {
            tx.roll_back().await?;
            return Ok(Vec::new());
        }
        let begun: Vec<&ValidationSession> = began.iter().filter_map(|sid| sessions.get(sid)).collect();
        let mut queries = Vec::new();
        if !begun.is_empty() {
            queries.push(save(begun));
        }
        if !self.leased.is_empty() {
            queries.push(hold(&self.leased, request, leased_until));
        }
        if !self.finished.is_empty() {
            queries.push(finish(&self.finished, now));
        }
        if self.gave_up.is_empty() {
            let replies = tx.finish(queries).await?;
            self.check(&replies)?;
        } else {
            let replies = tx.run_all(queries).await?;
            self.check(&replies)?;
            let gave_up = self.gave_up.iter().filter_map(|sid| sessions.get(sid)).cloned().collect();
            recompute_attempts(&mut tx, gave_up).await?;
            tx.commit().await?;
        }
        Ok(self.leased)
    }

    fn check(&self, replies: &[Reply]) -> Outcome<()> {
        let mut replies = replies.iter().rev();
        if !self.finished.is_empty() {
            replies.next().map_or(Ok(()), |reply| check_finished(reply, self.finished.len()))?;
        }
        if !self.leased.is_empty() {
            replies.next().map_or(Ok(()), |reply| reply.must_change("outbox", self.leased.len()))?;
        }
        Ok(())
    }
}

/// A message whose turn has come.
struct Due {
    id: MessageId,
    not_before: Timestamp,
    parsed: Result<OutboxMessage, Failure>,
}

/// What waits without a lease, or under one that ran out; the longest due first. Each half has an index of its own. Answers
/// also the time by the clock that says when leases run out: `given`, or the database's.
async fn list_due(
    tx: &mut Transaction,
    request: &LeaseRequest,
    now: Timestamp,
    given: Option<i64>,
) -> Outcome<(Vec<Due>, Timestamp)> {
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let waiting = Query::new(
        "select id, not_before, kind, medium, sid, send_attempt, language, created_at, tries from outbox
         where medium = $1 and lease_id is null and not_before <= $2
         order by not_before limit $3 for update skip locked",
    )
    .with(request.carrier.as_str())
    .with(now.as_millis())
    .with(limit);
    let ran_out = Query::new(
        "select id, not_before, kind, medium, sid, send_attempt, language, created_at, tries from outbox
         where medium = $1 and lease_id is not null
            and leased_until < coalesce($2, (extract(epoch from statement_timestamp()) * 1000)::bigint)
         order by leased_until limit $3 for update skip locked",
    )
    .with(request.carrier.as_str())
    .with(given)
    .with(limit);
    let time = Query::new("select coalesce($1, (extract(epoch from statement_timestamp()) * 1000)::bigint)")
        .with(given);
    let [waiting, ran_out, time] = tx.run([waiting, ran_out, time]).await?;
    let mut due = list(&waiting.rows, read_due)?;
    due.extend(list(&ran_out.rows, read_due)?);
    due.sort_by_key(|message| (message.not_before, message.id));
    due.truncate(request.limit);
    let time = first(&time.rows, |row| Columns::of("outbox", row).timestamp("leased_until"))?;
    Ok((due, time.unwrap_or(now)))
}

fn read_due(row: &Row) -> Outcome<Due> {
    let mut columns = Columns::of("outbox", row);
    let id = MessageId::from_bytes(columns.bytes("id")?);
    let not_before = columns.timestamp("not_before")?;
    let parsed = read_message(id, not_before, &mut columns);
    if let Err(failure) = &parsed {
        log_unreadable(id, failure);
    }
    Ok(Due { id, not_before, parsed })
}

fn read_message(id: MessageId, not_before: Timestamp, columns: &mut Columns<'_>) -> Outcome<OutboxMessage> {
    Ok(OutboxMessage {
        id,
        kind: columns.parse("kind", MessageKind::parse)?,
        carrier: columns.parse("medium", Carrier::parse)?,
        sid: SessionId::from_bytes(columns.bytes("sid")?),
        send_attempt: SendAttempt(columns.integer("send_attempt")?),
        language: columns.parse("language", Language::parse)?,
        created_at: columns.timestamp("created_at")?,
        not_before,
        tries: columns.integer("tries")?,
    })
}

/// Locks the sessions of the messages, but for those that are locked already. A message whose session is gone or makes no
/// sense must not stop the others: it is given up.
async fn lock_sessions(
    tx: &mut Transaction,
    due: &[Due],
    plan: &mut Plan,
) -> Outcome<BTreeMap<SessionId, ValidationSession>> {
    let messages = || due.iter().filter_map(|message| message.parsed.as_ref().ok());
    let sids: BTreeSet<SessionId> = messages().map(|message| message.sid).collect();
    let sids: Vec<&[u8]> = sids.iter().map(|sid| sid.as_bytes().as_slice()).collect();
    let lock = Query::new(select_sessions!("where sid = any($1) order by sid for update skip locked"))
        .with(sids.clone());
    let there = Query::new("select sid from validation_sessions where sid = any($1)").with(sids);
    let [locked, there] = tx.run([lock, there]).await?;
    let there: BTreeSet<SessionId> = list(&there.rows, |row| {
        Ok(SessionId::from_bytes(Columns::of("validation_sessions", row).bytes("sid")?))
    })?
    .into_iter()
    .collect();
    let (mut sessions, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
    for row in &locked.rows {
        let sid = SessionId::from_bytes(Columns::of("validation_sessions", row).bytes("sid")?);
        match read(row) {
            Ok(session) => drop(sessions.insert(sid, session)),
            Err(failure) => drop(unreadable.insert(sid, failure)),
        }
    }
    let dangling = Failure::Storage(StorageError::Corrupt { table: "outbox", column: "sid" });
    for message in messages() {
        let failure = match unreadable.get(&message.sid) {
            Some(failure) => failure,
            None if there.contains(&message.sid) => continue,
            None => &dangling,
        };
        log_unreadable(message.id, failure);
        plan.finished.insert(message.id, MessageOutcome::GivenUp(GiveUpReason::Unreadable));
    }
    Ok(sessions)
}

fn log_unreadable(id: MessageId, failure: &Failure) {
    tracing::error!(
        error = failure as &dyn std::error::Error,
        outbox.id = %id,
        "gave up on message {id}, whose row or session makes no sense"
    );
}

fn hold<'a>(leased: &'a [LeasedMessage], request: &'a LeaseRequest, leased_until: Timestamp) -> Query<'a> {
    Query::new(
        "update outbox o set lease_id = $3, leased_until = $4, tries = n.tries
         from unnest($1::bytea[], $2::bigint[]) as n (id, tries) where o.id = n.id",
    )
    .with(leased.iter().map(|leased| leased.message.id.as_bytes().as_slice()).collect::<Vec<_>>())
    .with(leased.iter().map(|leased| i64::from(leased.message.tries)).collect::<Vec<_>>())
    .with(request.lease_id.as_bytes().as_slice())
    .with(leased_until.as_millis())
}

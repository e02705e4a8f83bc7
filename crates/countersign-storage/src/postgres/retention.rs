//! Forgetting in time.

use async_trait::async_trait;
use countersign_core::Timestamp;

use super::{
    PostgresStorage,
    connection::Transaction,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, list},
};
use crate::{Retention, RetentionStore, StorageError, Swept};

/// How many budgets one sweep looks at, for each that it may delete. They have no index by time.
const BUDGETS_SEEN_PER_ROW: i64 = 4;

#[async_trait]
impl RetentionStore for PostgresStorage {
    async fn sweep(&self, retention: Retention, now: Timestamp) -> Result<Swept, StorageError> {
        let limit = i64::try_from(retention.rows_per_sweep).unwrap_or(i64::MAX);
        let messages = now.before(retention.messages);
        let expired = now.before(retention.sessions);
        let after = self.budgets_swept().clone();
        // Each in a transaction of its own: none needs the others.
        let sessions = self.write(move |tx| sweep_sessions(tx, expired, limit)).await?;
        let others = [
            delete_messages(messages, limit),
            delete_uia_sessions(now, limit),
            delete_openid_tokens(now, limit),
            delete_identity_tokens(now.before(retention.identity_tokens), limit),
            delete_delegated_sessions(now, limit),
        ];
        let [messages, uia_sessions, openid_tokens, identity_tokens, delegated_sessions] =
            self.connect().await?.run(others).await?.map(|reply| reply.changed());
        let (budgets, until) = self.write(move |tx| sweep_budgets(tx, now, limit, after.clone())).await?;
        *self.budgets_swept() = until;
        Ok(Swept {
            sessions,
            messages,
            uia_sessions,
            openid_tokens,
            identity_tokens,
            delegated_sessions,
            budgets,
        })
    }
}

/// Where in `budgets` the last sweep stopped.
pub(super) type BudgetCursor = Option<(Vec<u8>, String)>;

/// Locks the keys of sessions before the sessions, as everything does, and passes over those that a request holds.
async fn sweep_sessions(mut tx: Transaction, expired: Timestamp, limit: i64) -> Outcome<u64> {
    let select = Query::new(
        "select sid, key from validation_sessions
         where expires_at < $1 and not exists (select 1 from outbox where outbox.sid = validation_sessions.sid)
         order by expires_at limit $2",
    )
    .with(expired.as_millis())
    .with(limit);
    let [found] = tx.run([select]).await?;
    let found = list(&found.rows, |row| {
        let mut columns = Columns::of("validation_sessions", row);
        Ok((columns.blob("sid")?, columns.blob("key")?))
    })?;
    if found.is_empty() {
        tx.roll_back().await?;
        return Ok(0);
    }
    let sids: Vec<&[u8]> = found.iter().map(|(sid, _)| sid.as_slice()).collect();
    let keys: Vec<&[u8]> = found.iter().map(|(_, key)| key.as_slice()).collect();
    let lock =
        Query::new("select key from session_keys where key = any($1) order by key for update skip locked")
            .with(keys.clone());
    let [locked] = tx.run([lock]).await?;
    let locked = list(&locked.rows, |row| Columns::of("session_keys", row).blob("key"))?;
    let locked: Vec<&[u8]> = locked.iter().map(Vec::as_slice).collect();
    let sessions = Query::new(
        "delete from validation_sessions s where sid in (
            select sid from validation_sessions
            where sid = any($1) and expires_at < $2 and (not latest or key = any($3))
                and not exists (select 1 from outbox where outbox.sid = validation_sessions.sid)
            order by sid for update)",
    )
    .with(sids.clone())
    .with(expired.as_millis())
    .with(locked.clone());
    let keys = Query::new(
        "delete from session_keys k where key = any($1) and sid = any($2)
            and not exists (select 1 from validation_sessions s where s.sid = k.sid)",
    )
    .with(locked)
    .with(sids);
    let replies = tx.finish(vec![sessions, keys]).await?;
    Ok(replies[0].changed())
}

fn delete_messages(before: Timestamp, limit: i64) -> Query<'static> {
    Query::new(
        "delete from message_history where id in (
            select id from message_history where finished_at < $1 order by finished_at limit $2
            for update skip locked)",
    )
    .with(before.as_millis())
    .with(limit)
}

fn delete_uia_sessions(now: Timestamp, limit: i64) -> Query<'static> {
    Query::new(
        "delete from uia_sessions where id_hash in (
            select id_hash from uia_sessions where expires_at < $1 order by expires_at limit $2
            for update skip locked)",
    )
    .with(now.as_millis())
    .with(limit)
}

fn delete_openid_tokens(now: Timestamp, limit: i64) -> Query<'static> {
    Query::new(
        "delete from openid_tokens where token_hash in (
            select token_hash from openid_tokens where expires_at < $1 order by expires_at limit $2
            for update skip locked)",
    )
    .with(now.as_millis())
    .with(limit)
}

fn delete_identity_tokens(before: Timestamp, limit: i64) -> Query<'static> {
    Query::new(
        "delete from identity_accounts where token_hash in (
            select token_hash from identity_accounts where used_at < $1 order by used_at limit $2
            for update skip locked)",
    )
    .with(before.as_millis())
    .with(limit)
}

fn delete_delegated_sessions(now: Timestamp, limit: i64) -> Query<'static> {
    Query::new(
        "delete from delegated_sessions where sid in (
            select sid from delegated_sessions where expires_at < $1 order by expires_at limit $2
            for update skip locked)",
    )
    .with(now.as_millis())
    .with(limit)
}

/// Goes through a part of the table, from where the last sweep stopped; the one after the last part begins anew.
async fn sweep_budgets(
    mut tx: Transaction,
    now: Timestamp,
    limit: i64,
    after: BudgetCursor,
) -> Outcome<(u64, BudgetCursor)> {
    let seen = limit.saturating_mul(BUDGETS_SEEN_PER_ROW);
    let (subject, kind) = after.as_ref().map_or((&[][..], ""), |(subject, kind)| (subject, kind.as_str()));
    let select = Query::new(
        "select subject, kind, full_at from budgets where (subject, kind) > ($1, $2)
         order by subject, kind limit $3",
    )
    .with(subject)
    .with(kind)
    .with(seen);
    let [part] = tx.run([select]).await?;
    let is_last = i64::try_from(part.rows.len()).is_ok_and(|length| length < seen);
    let (mut subjects, mut kinds, mut cursor) = (Vec::new(), Vec::new(), after.clone());
    let mut is_cut = false;
    for row in &part.rows {
        if i64::try_from(subjects.len()).is_ok_and(|length| limit <= length) {
            is_cut = true;
            break;
        }
        let mut columns = Columns::of("budgets", row);
        let subject = columns.blob("subject")?;
        let kind = columns.parse("kind", |kind| Some(kind.to_owned()))?;
        if columns.timestamp("full_at")? <= now {
            subjects.push(subject.clone());
            kinds.push(kind.clone());
        }
        cursor = Some((subject, kind));
    }
    let cursor = cursor.filter(|_| is_cut || !is_last);
    if subjects.is_empty() {
        tx.roll_back().await?;
        return Ok((0, cursor));
    }
    let delete = Query::new(
        "delete from budgets b using (
            select b.subject, b.kind from unnest($1::bytea[], $2::text[]) as n (subject, kind)
            join budgets b on b.subject = n.subject and b.kind = n.kind
            where b.full_at <= $3 order by b.subject, b.kind for update of b skip locked) as full_again
         where b.subject = full_again.subject and b.kind = full_again.kind",
    )
    .with(subjects.iter().map(Vec::as_slice).collect::<Vec<_>>())
    .with(kinds.iter().map(String::as_str).collect::<Vec<_>>())
    .with(now.as_millis());
    let replies = tx.finish(vec![delete]).await?;
    Ok((replies[0].changed(), cursor))
}

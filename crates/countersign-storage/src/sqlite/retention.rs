//! Forgetting in time.

use async_trait::async_trait;
use countersign_core::Timestamp;
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change, list},
};
use crate::{Retention, RetentionStore, StorageError, Swept};

/// How many budgets one sweep looks at, for each that it may delete. They have no index by time.
const BUDGETS_SEEN_PER_ROW: usize = 4;

#[async_trait]
impl RetentionStore for SqliteStorage {
    async fn sweep(&self, retention: Retention, now: Timestamp) -> Result<Swept, StorageError> {
        let after = self.budgets_swept().clone();
        let (swept, until) = self.write(move |tx| sweep(tx, &retention, now, after.clone())).await?;
        *self.budgets_swept() = until;
        Ok(swept)
    }
}

/// Where in `budgets` the last sweep stopped.
pub(super) type BudgetCursor = Option<(Vec<u8>, String)>;

fn sweep(
    tx: &Connection,
    retention: &Retention,
    now: Timestamp,
    after: BudgetCursor,
) -> Outcome<(Swept, BudgetCursor)> {
    let limit = i64::try_from(retention.rows_per_sweep).unwrap_or(i64::MAX);
    let sessions = change(
        tx,
        "delete from validation_sessions where session_number in (
            select session_number from validation_sessions as session
            where expires_at < ?1 and not exists (
                select 1 from outbox where outbox.session_number = session.session_number)
            order by expires_at limit ?2)",
        params![now.before(retention.sessions).as_millis(), limit],
    )?;
    let messages = change(
        tx,
        "delete from message_history where id in (
            select id from message_history where finished_at < ?1 order by finished_at limit ?2)",
        params![now.before(retention.messages).as_millis(), limit],
    )?;
    let uia_sessions = change(
        tx,
        "delete from uia_sessions where id_hash in (
            select id_hash from uia_sessions where expires_at < ?1 order by expires_at limit ?2)",
        params![now.as_millis(), limit],
    )?;
    let openid_tokens = change(
        tx,
        "delete from openid_tokens where token_hash in (
            select token_hash from openid_tokens where expires_at < ?1 order by expires_at limit ?2)",
        params![now.as_millis(), limit],
    )?;
    let identity_tokens = change(
        tx,
        "delete from identity_accounts where token_hash in (
            select token_hash from identity_accounts where used_at < ?1 order by used_at limit ?2)",
        params![now.before(retention.identity_tokens).as_millis(), limit],
    )?;
    let delegated_sessions = change(
        tx,
        "delete from delegated_sessions where sid in (
            select sid from delegated_sessions where expires_at < ?1 order by expires_at limit ?2)",
        params![now.as_millis(), limit],
    )?;
    let (budgets, until) = sweep_budgets(tx, retention.rows_per_sweep, now, after)?;
    let count = |rows| u64::try_from(rows).unwrap_or(u64::MAX);
    let swept = Swept {
        sessions: count(sessions),
        messages: count(messages),
        uia_sessions: count(uia_sessions),
        openid_tokens: count(openid_tokens),
        identity_tokens: count(identity_tokens),
        delegated_sessions: count(delegated_sessions),
        budgets: count(budgets),
    };
    Ok((swept, until))
}

/// Goes through a part of the table, from where the last sweep stopped; the one after the last part begins anew.
fn sweep_budgets(
    tx: &Connection,
    limit: usize,
    now: Timestamp,
    after: BudgetCursor,
) -> Outcome<(usize, BudgetCursor)> {
    let seen = limit.saturating_mul(BUDGETS_SEEN_PER_ROW);
    let part = list_budgets(tx, after.as_ref(), seen)?;
    let is_last = part.len() < seen;
    let (mut deleted, mut cursor) = (0, after);
    for (subject, kind, full_at) in part {
        if limit <= deleted {
            return Ok((deleted, cursor));
        }
        if full_at <= now {
            let delete = "delete from budgets where subject = ?1 and kind = ?2";
            deleted += change(tx, delete, params![subject, kind])?;
        }
        cursor = Some((subject, kind));
    }
    Ok((deleted, cursor.filter(|_| !is_last)))
}

fn list_budgets(
    tx: &Connection,
    after: Option<&(Vec<u8>, String)>,
    limit: usize,
) -> Outcome<Vec<(Vec<u8>, String, Timestamp)>> {
    let statement = tx.prepare_cached(
        "select subject, kind, full_at from budgets where (?1, ?2) < (subject, kind)
         order by subject, kind limit ?3",
    )?;
    let (subject, kind) = after.map_or((&[][..], ""), |(subject, kind)| (subject, kind));
    list(statement, params![subject, kind, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let mut columns = Columns::of("budgets", row);
        let subject = columns.blob("subject")?;
        let kind = columns.parse("kind", |kind| Some(kind.to_owned()))?;
        Ok((subject, kind, columns.timestamp("full_at")?))
    })
}

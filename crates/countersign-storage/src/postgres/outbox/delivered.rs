//! Messages that were delivered, by the round: one statement for all of them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::{LeaseId, MessageId, Timestamp};

use crate::postgres::{
    failure::Outcome,
    lane::Round,
    parameter::Query,
    pool::Pool,
    rows::{Columns, list},
};

/// Carries out `mark_delivered`.
pub(in crate::postgres) struct MarkDelivered;

/// A message that was delivered.
pub(in crate::postgres) struct Delivered {
    pub(in crate::postgres) id: MessageId,
    pub(in crate::postgres) lease_id: LeaseId,
    pub(in crate::postgres) at: Timestamp,
}

impl Round for MarkDelivered {
    type Job = Delivered;
    type Answer = bool;

    async fn run(&self, pool: &Pool, jobs: &[Delivered]) -> Outcome<Vec<Outcome<bool>>> {
        let [finished] = pool.connect().await?.run([finish(jobs)]).await?;
        let finished = list(&finished.rows, |row| {
            let mut columns = Columns::of("outbox", row);
            let id = MessageId::from_bytes(columns.bytes("id")?);
            Ok((id, columns.bytes::<16>("lease_id")?))
        })?;
        // Who says the same twice is right the first time.
        let mut finished: BTreeSet<(MessageId, [u8; 16])> = finished.into_iter().collect();
        Ok(jobs.iter().map(|job| Ok(finished.remove(&(job.id, *job.lease_id.as_bytes())))).collect())
    }
}

fn finish(jobs: &[Delivered]) -> Query<'_> {
    // Each once, in the order in which rows are locked.
    let distinct: BTreeMap<_, _> =
        jobs.iter().rev().map(|job| ((job.id, *job.lease_id.as_bytes()), job)).collect();
    let distinct: Vec<&Delivered> = distinct.into_values().collect();
    Query::new(
        "with done as (select * from unnest($1::bytea[], $2::bytea[], $3::bigint[]) as done (id, lease_id, finished_at)),
         gone as (
            delete from outbox using done where outbox.id = done.id and outbox.lease_id = done.lease_id
            returning outbox.*, done.finished_at),
         kept as (
            insert into message_history
                (id, kind, medium, sid, send_attempt, outcome, reason, tries, created_at, finished_at)
            select id, kind, medium, sid, send_attempt, 'delivered', null, tries, created_at, finished_at from gone)
         select id, lease_id from gone",
    )
    .with(distinct.iter().map(|job| job.id.as_bytes().as_slice()).collect::<Vec<_>>())
    .with(distinct.iter().map(|job| job.lease_id.as_bytes().as_slice()).collect::<Vec<_>>())
    .with(distinct.iter().map(|job| job.at.as_millis()).collect::<Vec<_>>())
}

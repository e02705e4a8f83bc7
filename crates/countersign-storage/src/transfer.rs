//! Moves everything from an SQLite database into an empty PostgreSQL one, and makes sure that it arrived.
//!
//! All tables of the source are read once to count and sum up their rows, then copied in batches, each committed together with
//! how far it got; then the target is read and must come to the same counts and sums. Whoever is killed goes on from the
//! last batch when started again.

pub(crate) mod row;
pub(crate) mod tables;
#[cfg(test)]
mod tests;

use std::{num::NonZeroUsize, path::Path, path::PathBuf};

use thiserror::Error;

use self::{
    row::Tally,
    tables::{TABLES, Table},
};
use crate::{
    StorageError,
    postgres::{
        PostgresSettings,
        transfer::{Found, Target},
    },
    sqlite::transfer::Source,
};

/// How many rows share a commit.
const BATCH: NonZeroUsize = NonZeroUsize::new(5000).expect("not zero");

/// What a transfer is about to do, or has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The source was read, and copying begins.
    Began(Beginning),
    /// That many rows of a table have been worked on.
    Progress {
        /// What is done to them.
        phase: Phase,
        /// The table, as the target calls it.
        table: &'static str,
        /// How many rows are done.
        rows: u64,
        /// How many there are.
        of: u64,
    },
}

/// What is done to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its rows are read from the source and summed up.
    Reading,
    /// They are copied.
    Copying,
    /// They are read from the target and summed up.
    Checking,
}

/// How copying begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// With nothing there.
    Afresh,
    /// Where an earlier transfer of the same source stopped.
    Resumed,
    /// Anew: the source has changed since an earlier transfer stopped, and what that one copied was deleted.
    Anew,
}

/// What came of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transferred {
    /// Everything is there, as its counts and sums show: the rows of each table.
    Moved(Vec<(&'static str, u64)>),
    /// An earlier transfer of the same source had come to its end. Nothing was done.
    Before,
}

/// Why a transfer stopped. The source is as it was. What was copied stays for the next try, and until one comes to its end no
/// node starts on the target.
#[derive(Debug, Error)]
pub enum TransferError {
    /// Nothing is there to be moved.
    #[error("there is no database at {}", .0.display())]
    NoSource(PathBuf),
    /// A node or someone else has the source open.
    #[error("the SQLite database is in use: stop the node, and whatever else has it open")]
    SourceInUse,
    /// The source's tables are not those of this version.
    #[error("the SQLite database is not up to date")]
    SourceSchema(#[source] StorageError),
    /// The source can't be read.
    #[error("the SQLite database can't be read")]
    Source(#[source] StorageError),
    /// The target's tables are not those of this version, and nobody may change that here.
    #[error("the PostgreSQL database is not up to date")]
    TargetSchema(#[source] StorageError),
    /// The target does not do what it must.
    #[error("the PostgreSQL database can't take the rows")]
    Target(#[source] StorageError),
    /// The target holds what no transfer brought.
    #[error("the PostgreSQL database holds data already, in {0}: move into an empty one")]
    NotEmpty(&'static str),
    /// The target was filled from another source, or from this one as it was earlier.
    #[error("the PostgreSQL database was filled before, from other data: move into an empty one")]
    FilledBefore,
    /// Someone else fills the target.
    #[error("another transfer into the PostgreSQL database is under way")]
    TargetInUse,
    /// What arrived is not what was sent.
    #[error(
        "{table} did not arrive as it was: {sent_rows} rows with the sum {sent_sum} were sent, \
         {arrived_rows} with the sum {arrived_sum} are there"
    )]
    Mismatch {
        /// The table.
        table: &'static str,
        /// How many rows the source has.
        sent_rows: u64,
        /// Their sum.
        sent_sum: String,
        /// How many rows the target has.
        arrived_rows: u64,
        /// Their sum.
        arrived_sum: String,
    },
}

/// Moves everything in the database at `source` into `target`, or finishes doing so. Holds a lock on the source meanwhile, and
/// changes nothing in it. `watch` hears how it goes on.
///
/// Reads the source on the calling thread: this is for a process that does nothing else.
///
/// # Errors
/// Says why it stopped, in words for an operator.
pub async fn transfer(
    source: &Path,
    target: &PostgresSettings,
    watch: impl FnMut(Event),
) -> Result<Transferred, TransferError> {
    transfer_by(BATCH, source, target, watch).await
}

async fn transfer_by(
    batch: NonZeroUsize,
    source: &Path,
    target: &PostgresSettings,
    mut watch: impl FnMut(Event),
) -> Result<Transferred, TransferError> {
    let source = Source::open(source)?;
    let target = Target::open(target).await?;
    let mut tallies = Vec::new();
    for table in TABLES {
        tallies.push((table, read(&source, table, batch, &mut watch)?));
    }
    let (beginning, copied) = match target.begin(&tallies).await? {
        Found::Nothing => (Beginning::Afresh, vec![0; tallies.len()]),
        Found::Part(copied) => (Beginning::Resumed, copied),
        Found::PartOfOther => (Beginning::Anew, vec![0; tallies.len()]),
        Found::Everything => return Ok(Transferred::Before),
    };
    watch(Event::Began(beginning));
    for ((table, tally), copied) in tallies.iter().zip(copied) {
        copy(&source, &target, table, copied..tally.rows(), batch, &mut watch).await?;
    }
    for (table, tally) in &tallies {
        check(&target, table, tally, batch, &mut watch).await?;
    }
    target.finish().await?;
    Ok(Transferred::Moved(tallies.iter().map(|(table, tally)| (table.name, tally.rows())).collect()))
}

fn read(
    source: &Source,
    table: &'static Table,
    batch: NonZeroUsize,
    watch: &mut impl FnMut(Event),
) -> Result<Tally, TransferError> {
    let of = source.count(table)?;
    let mut tally = Tally::default();
    let mut selection = source.select(table)?;
    let mut rows = selection.rows_after(0)?;
    loop {
        watch(Event::Progress { phase: Phase::Reading, table: table.name, rows: tally.rows(), of });
        let batch = rows.next_batch(batch)?;
        if batch.is_empty() {
            return Ok(tally);
        }
        batch.iter().for_each(|row| tally.add(row));
    }
}

async fn copy(
    source: &Source,
    target: &Target,
    table: &'static Table,
    left: std::ops::Range<u64>,
    batch: NonZeroUsize,
    watch: &mut impl FnMut(Event),
) -> Result<(), TransferError> {
    let (mut copied, of) = (left.start, left.end);
    let mut selection = source.select(table)?;
    let mut rows = selection.rows_after(copied)?;
    loop {
        watch(Event::Progress { phase: Phase::Copying, table: table.name, rows: copied, of });
        let batch = rows.next_batch(batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        copied = target.copy(table, copied, &batch).await?;
    }
}

async fn check(
    target: &Target,
    table: &'static Table,
    sent: &Tally,
    batch: NonZeroUsize,
    watch: &mut impl FnMut(Event),
) -> Result<(), TransferError> {
    let report = |rows| Event::Progress { phase: Phase::Checking, table: table.name, rows, of: sent.rows() };
    let arrived = target
        .tally(table, |rows| {
            if rows.is_multiple_of(batch.get() as u64) && rows < sent.rows() {
                watch(report(rows));
            }
        })
        .await?;
    if arrived == *sent {
        watch(report(arrived.rows()));
        return Ok(());
    }
    Err(TransferError::Mismatch {
        table: table.name,
        sent_rows: sent.rows(),
        sent_sum: sent.sum_as_hex(),
        arrived_rows: arrived.rows(),
        arrived_sum: arrived.sum_as_hex(),
    })
}

//! The addresses of accounts in a database of Synapse, the homeserver (github.com/element-hq/synapse): the table
//! `user_threepids`, in SQLite or PostgreSQL.
//!
//! They come in the order in which they were added, as they were at one moment.

use std::path::Path;

use rusqlite::Connection;

use super::{ForeignError, has_table, integer, open_sqlite, text};
use crate::{
    StorageError,
    postgres::{PostgresSettings, foreign::Snapshot},
};

/// The table that addresses are in.
const TABLE: &str = "user_threepids";

/// A row of `user_threepids`. The times are milliseconds.
#[derive(Clone, PartialEq, Eq)]
pub struct SynapseThreepid {
    /// The account, as a full user id.
    pub user_id: Option<String>,
    /// `email` or `msisdn`.
    pub medium: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// When it was proven.
    pub validated_at: Option<i64>,
    /// When it came to the account.
    pub added_at: Option<i64>,
}

/// Where a database of Synapse is.
#[derive(Clone)]
pub enum SynapseSource<'a> {
    /// A file.
    Sqlite(&'a Path),
    /// On a server.
    Postgres(&'a PostgresSettings),
}

/// The addresses in a database of Synapse. Synapse may go on using it.
pub struct SynapseThreepids {
    count: u64,
    rows: Rows,
}

enum Rows {
    Sqlite { connection: Connection, taken: i64 },
    Postgres(Snapshot),
}

impl SynapseThreepids {
    /// Opens the database and begins to read.
    ///
    /// # Errors
    /// When it can't be opened, or is no database of Synapse.
    pub async fn open(source: SynapseSource<'_>) -> Result<Self, ForeignError> {
        match source {
            SynapseSource::Sqlite(path) => Self::open_sqlite(path),
            SynapseSource::Postgres(settings) => {
                let (snapshot, count) =
                    Snapshot::begin(settings).await.map_err(unreadable)?.ok_or(NOT_THEIRS)?;
                Ok(Self { count, rows: Rows::Postgres(snapshot) })
            }
        }
    }

    fn open_sqlite(path: &Path) -> Result<Self, ForeignError> {
        let connection = open_sqlite(path)?;
        if !has_table(&connection, TABLE)? {
            return Err(NOT_THEIRS);
        }
        // Sorted once into a table of this connection alone, so that Synapse is in nobody's way while its rows are used.
        connection.execute_batch(
            "create temp table taken as select user_id, medium, address, validated_at, added_at from user_threepids
             order by added_at, medium, address, user_id",
        )?;
        let count =
            connection.query_row("select count(*) from temp.taken", [], |row| row.get::<_, i64>(0))?;
        let rows = Rows::Sqlite { connection, taken: 0 };
        Ok(Self { count: u64::try_from(count).unwrap_or(0), rows })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The next rows, up to `limit`; none at the end.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn next_batch(&mut self, limit: usize) -> Result<Vec<SynapseThreepid>, ForeignError> {
        match &mut self.rows {
            Rows::Sqlite { connection, taken } => {
                let batch = read_taken(connection, *taken, limit)?;
                *taken += i64::try_from(batch.len()).unwrap_or(i64::MAX);
                Ok(batch)
            }
            Rows::Postgres(snapshot) => snapshot.fetch(limit).await.map_err(unreadable),
        }
    }
}

const NOT_THEIRS: ForeignError = ForeignError::NotTheirs { table: TABLE, program: "Synapse" };

fn unreadable(error: StorageError) -> ForeignError {
    ForeignError::Unreadable(Box::new(error))
}

fn read_taken(
    connection: &Connection,
    taken: i64,
    limit: usize,
) -> Result<Vec<SynapseThreepid>, ForeignError> {
    let mut statement = connection.prepare_cached(
        "select user_id, medium, address, validated_at, added_at from temp.taken
         where ?1 < rowid order by rowid limit ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map([taken, limit], |row| {
        Ok(SynapseThreepid {
            user_id: text(row, 0)?,
            medium: text(row, 1)?,
            address: text(row, 2)?,
            validated_at: integer(row, 3)?,
            added_at: integer(row, 4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

//! An SQLite database as the source of a transfer.

use std::{num::NonZeroUsize, path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, config::DbConfig, types::ValueRef};

use super::{
    failure::{Failure, Outcome},
    migrations,
};
use crate::{
    StorageError,
    transfer::{
        TransferError,
        row::{Kind, Row, Value},
        tables::{Column, Table},
    },
};

/// A database that nobody else can open while this lives, and that nobody changes.
pub(crate) struct Source {
    connection: Connection,
}

impl Source {
    /// Opens it, if nobody else has it open and its tables are those of this version.
    pub(crate) fn open(path: &Path) -> Result<Self, TransferError> {
        if !path.is_file() {
            return Err(TransferError::NoSource(path.to_owned()));
        }
        let connection = lock(path).map_err(source_error)?;
        migrations::check(&connection).map_err(|failure| match failure {
            Failure::Storage(error @ StorageError::Schema { .. }) => TransferError::SourceSchema(error),
            failure => source_error(failure),
        })?;
        Ok(Self { connection })
    }

    /// How many rows fill a table.
    pub(crate) fn count(&self, table: &Table) -> Result<u64, TransferError> {
        let count = format!("select count(*) from {}", table.from);
        let count = self.connection.query_row(&count, [], |row| row.get::<_, i64>(0));
        let count = count.map_err(|error| source_error(error.into()))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The rows that fill a table, in the same order each time.
    pub(crate) fn select(&self, table: &'static Table) -> Result<Selection<'_>, TransferError> {
        let columns: Vec<_> = table.columns.iter().map(|column| column.from).collect();
        let (columns, from, order) = (columns.join(", "), table.from, table.order);
        let statement = self
            .connection
            .prepare(&format!("select {columns} from {from} order by {order} limit -1 offset ?1"));
        Ok(Selection { statement: statement.map_err(|error| source_error(error.into()))?, table })
    }
}

/// A node holds a shared lock on the file for as long as it has it open, so an exclusive one tells whether there is one, and
/// keeps it out. Such a lock needs no `-shm` file, and where a log is left, it stays: nothing is written.
fn lock(path: &Path) -> Outcome<Connection> {
    let log = path.with_file_name({
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push("-wal");
        name
    });
    let has_log = log.exists();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
    connection.execute_batch(
        "pragma locking_mode = exclusive; pragma cache_size = -65536; begin exclusive; pragma query_only = on;",
    )?;
    Ok(connection)
}

/// What was selected.
pub(crate) struct Selection<'source> {
    statement: Statement<'source>,
    table: &'static Table,
}

impl Selection<'_> {
    /// All rows but the first `skipped`.
    pub(crate) fn rows_after(&mut self, skipped: u64) -> Result<SelectedRows<'_>, TransferError> {
        let skipped = i64::try_from(skipped).unwrap_or(i64::MAX);
        let rows = self.statement.query([skipped]).map_err(|error| source_error(error.into()))?;
        Ok(SelectedRows { rows, table: self.table })
    }
}

/// Rows, one after the other.
pub(crate) struct SelectedRows<'selection> {
    rows: rusqlite::Rows<'selection>,
    table: &'static Table,
}

impl SelectedRows<'_> {
    /// The next rows, as many as there are and no more than `limit`.
    pub(crate) fn next_batch(&mut self, limit: NonZeroUsize) -> Result<Vec<Row>, TransferError> {
        let mut batch = Vec::new();
        while batch.len() < limit.get() {
            match self.next().map_err(source_error)? {
                Some(row) => batch.push(row),
                None => break,
            }
        }
        Ok(batch)
    }

    fn next(&mut self) -> Outcome<Option<Row>> {
        let Some(row) = self.rows.next()? else { return Ok(None) };
        let columns = self.table.columns.iter().enumerate();
        let values = columns.map(|(index, column)| read(self.table, column, row.get_ref(index)?));
        Ok(Some(values.collect::<Outcome<_>>()?))
    }
}

fn read(table: &Table, column: &Column, value: ValueRef<'_>) -> Outcome<Value> {
    match (column.kind, value) {
        (_, ValueRef::Null) => Ok(Value::Null),
        (Kind::Integer, ValueRef::Integer(integer)) => Ok(Value::Integer(integer)),
        (Kind::Flag, ValueRef::Integer(flag @ (0 | 1))) => Ok(Value::Flag(flag == 1)),
        (Kind::Blob, ValueRef::Blob(bytes)) => Ok(Value::Blob(bytes.to_vec())),
        // PostgreSQL has no text with a zero in it, and nothing of ours writes one.
        (Kind::Text, ValueRef::Text(bytes)) if !bytes.contains(&0) => {
            let text = std::str::from_utf8(bytes).map_err(|_| corrupt(table, column))?;
            Ok(Value::Text(text.to_owned()))
        }
        _ => Err(corrupt(table, column)),
    }
}

fn corrupt(table: &Table, column: &Column) -> Failure {
    Failure::Storage(StorageError::Corrupt { table: table.name, column: column.name })
}

fn source_error(failure: Failure) -> TransferError {
    match failure {
        Failure::Sqlite(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ) =>
        {
            TransferError::SourceInUse
        }
        failure => TransferError::Source(failure.into()),
    }
}

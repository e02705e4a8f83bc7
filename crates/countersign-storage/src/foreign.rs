//! Databases of other programs, to take over what they hold. They are read, never written to.

pub mod sydent;
pub mod synapse;
#[cfg(test)]
mod tests;

use std::{
    error::Error,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, Row, types::ValueRef};
use thiserror::Error;

use crate::sqlite::BUSY_TIMEOUT;

/// Why another program's database can't be read.
#[derive(Debug, Error)]
pub enum ForeignError {
    /// No file is there.
    #[error("there is no database at {}", .0.display())]
    NoDatabase(PathBuf),
    /// It lacks the table that any database of that program has.
    #[error("the database has no table {table}: it is not one of {program}")]
    NotTheirs {
        /// The table.
        table: &'static str,
        /// The program.
        program: &'static str,
    },
    /// It can't be opened or read.
    #[error("the database can't be read")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
}

impl From<rusqlite::Error> for ForeignError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unreadable(Box::new(error))
    }
}

/// Opens a file of SQLite to read. Its own program may go on using it.
fn open_sqlite(path: &Path) -> Result<Connection, ForeignError> {
    if !path.is_file() {
        return Err(ForeignError::NoDatabase(path.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Whether there is a table of that name.
fn has_table(connection: &Connection, table: &str) -> Result<bool, ForeignError> {
    let select = "select count(*) from sqlite_master where type = 'table' and name = ?1";
    Ok(connection.query_row(select, [table], |row| row.get::<_, i64>(0))? != 0)
}

/// The text in a column. A column of SQLite may hold anything; what is no text counts as missing.
fn text(row: &Row<'_>, index: usize) -> Result<Option<String>, rusqlite::Error> {
    match row.get_ref(index)? {
        ValueRef::Text(bytes) => Ok(std::str::from_utf8(bytes).ok().map(str::to_owned)),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Ok(None),
    }
}

/// The integer in a column. What is none counts as missing.
fn integer(row: &Row<'_>, index: usize) -> Result<Option<i64>, rusqlite::Error> {
    match row.get_ref(index)? {
        ValueRef::Integer(integer) => Ok(Some(integer)),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Ok(None),
    }
}

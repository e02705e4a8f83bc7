//! From rows to values. What does not parse is named by table and column.

use countersign_core::Timestamp;
use rusqlite::{CachedStatement, Connection, Params, Row, types::ValueRef};

use super::failure::{Failure, Outcome};
use crate::StorageError;

/// Reads the columns of a row from left to right.
pub(super) struct Columns<'row> {
    row: &'row Row<'row>,
    table: &'static str,
    next: usize,
}

impl<'row> Columns<'row> {
    /// The columns of `row`, which comes from `table`.
    pub(super) fn of(table: &'static str, row: &'row Row<'row>) -> Self {
        Self { row, table, next: 0 }
    }

    /// The columns that follow come from another table.
    pub(super) fn and_of(&mut self, table: &'static str) {
        self.table = table;
    }

    /// The next column, if `parse` makes sense of its text.
    pub(super) fn parse<T>(
        &mut self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Outcome<T> {
        let value = self.take()?;
        value.as_str().ok().and_then(parse).ok_or_else(|| self.corrupt(column))
    }

    /// As [`parse`](Self::parse), or `None` for null.
    pub(super) fn parse_optional<T>(
        &mut self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Outcome<Option<T>> {
        match self.take()? {
            ValueRef::Null => Ok(None),
            value => value.as_str().ok().and_then(parse).map(Some).ok_or_else(|| self.corrupt(column)),
        }
    }

    /// The next column, of exactly `N` bytes.
    pub(super) fn bytes<const N: usize>(&mut self, column: &'static str) -> Outcome<[u8; N]> {
        let value = self.take()?;
        value.as_blob().ok().and_then(|blob| blob.try_into().ok()).ok_or_else(|| self.corrupt(column))
    }

    /// As [`bytes`](Self::bytes), or `None` for null.
    pub(super) fn optional_bytes<const N: usize>(
        &mut self,
        column: &'static str,
    ) -> Outcome<Option<[u8; N]>> {
        match self.take()? {
            ValueRef::Null => Ok(None),
            value => {
                let bytes = value.as_blob().ok().and_then(|blob| blob.try_into().ok());
                bytes.map(Some).ok_or_else(|| self.corrupt(column))
            }
        }
    }

    /// The next column, of any number of bytes.
    pub(super) fn blob(&mut self, column: &'static str) -> Outcome<Vec<u8>> {
        let value = self.take()?;
        value.as_blob().map(<[u8]>::to_vec).map_err(|_| self.corrupt(column))
    }

    /// As [`blob`](Self::blob), or `None` for null.
    pub(super) fn optional_blob(&mut self, column: &'static str) -> Outcome<Option<Vec<u8>>> {
        match self.take()? {
            ValueRef::Null => Ok(None),
            value => value.as_blob().map(|blob| Some(blob.to_vec())).map_err(|_| self.corrupt(column)),
        }
    }

    /// The next column, an integer that fits.
    pub(super) fn integer<T: TryFrom<i64>>(&mut self, column: &'static str) -> Outcome<T> {
        self.optional_integer(column)?.ok_or_else(|| self.corrupt(column))
    }

    /// As [`integer`](Self::integer), or `None` for null.
    pub(super) fn optional_integer<T: TryFrom<i64>>(&mut self, column: &'static str) -> Outcome<Option<T>> {
        match self.take()? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(integer) => T::try_from(integer).map(Some).map_err(|_| self.corrupt(column)),
            _ => Err(self.corrupt(column)),
        }
    }

    /// The next column, a point in time.
    pub(super) fn timestamp(&mut self, column: &'static str) -> Outcome<Timestamp> {
        self.integer(column).map(Timestamp::from_millis)
    }

    /// As [`timestamp`](Self::timestamp), or `None` for null.
    pub(super) fn optional_timestamp(&mut self, column: &'static str) -> Outcome<Option<Timestamp>> {
        Ok(self.optional_integer(column)?.map(Timestamp::from_millis))
    }

    /// The next column: 0 or 1.
    pub(super) fn flag(&mut self, column: &'static str) -> Outcome<bool> {
        match self.integer(column)? {
            0_i64 => Ok(false),
            1 => Ok(true),
            _ => Err(self.corrupt(column)),
        }
    }

    /// That this column, or this one together with its neighbors, makes no sense.
    pub(super) fn corrupt(&self, column: &'static str) -> Failure {
        Failure::Storage(StorageError::Corrupt { table: self.table, column })
    }

    fn take(&mut self) -> Outcome<ValueRef<'row>> {
        let value = self.row.get_ref(self.next)?;
        self.next += 1;
        Ok(value)
    }
}

/// The row that a statement finds, if any.
pub(super) fn find<T>(
    mut statement: CachedStatement<'_>,
    parameters: impl Params,
    read: impl FnOnce(&Row<'_>) -> Outcome<T>,
) -> Outcome<Option<T>> {
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(read).transpose()
}

/// All rows that a statement finds.
pub(super) fn list<T>(
    mut statement: CachedStatement<'_>,
    parameters: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// One view of the database for all that is read until it is dropped.
pub(super) struct View<'c>(&'c Connection);

impl<'c> View<'c> {
    /// The view begins with the first statement that reads.
    pub(super) fn begin(connection: &'c Connection) -> Outcome<Self> {
        connection.prepare_cached("begin")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        // Nothing was written. Should it fail, the next one can't begin, and says why.
        let _ = self.0.prepare_cached("rollback").and_then(|mut statement| statement.execute([]));
    }
}

/// Runs a statement that changes rows; answers how many.
pub(super) fn change(tx: &Connection, sql: &'static str, parameters: impl Params) -> Outcome<usize> {
    Ok(tx.prepare_cached(sql)?.execute(parameters)?)
}

/// Runs a statement that changes exactly one row of `table`.
pub(super) fn change_one(
    tx: &Connection,
    table: &'static str,
    sql: &'static str,
    parameters: impl Params,
) -> Outcome<()> {
    match change(tx, sql, parameters)? {
        1 => Ok(()),
        changed => Err(Failure::RowCount { table, changed }),
    }
}

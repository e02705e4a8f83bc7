//! From rows to values. What does not parse is named by table and column.

use countersign_core::Timestamp;
use tokio_postgres::{Row, types::FromSql};

use super::failure::{Failure, Outcome};
use crate::StorageError;

/// Reads the columns of a row from left to right.
pub(super) struct Columns<'row> {
    row: &'row Row,
    table: &'static str,
    next: usize,
}

impl<'row> Columns<'row> {
    /// The columns of `row`, which comes from `table`.
    pub(super) fn of(table: &'static str, row: &'row Row) -> Self {
        Self { row, table, next: 0 }
    }

    /// The next column, if `parse` makes sense of its text.
    pub(super) fn parse<T>(
        &mut self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Outcome<T> {
        let text = self.take::<&str>(column)?;
        parse(text).ok_or_else(|| self.corrupt(column))
    }

    /// As [`parse`](Self::parse), or `None` for null.
    pub(super) fn parse_optional<T>(
        &mut self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Outcome<Option<T>> {
        match self.take::<Option<&str>>(column)? {
            Some(text) => parse(text).map(Some).ok_or_else(|| self.corrupt(column)),
            None => Ok(None),
        }
    }

    /// The next column, of exactly `N` bytes.
    pub(super) fn bytes<const N: usize>(&mut self, column: &'static str) -> Outcome<[u8; N]> {
        self.take::<&[u8]>(column)?.try_into().map_err(|_| self.corrupt(column))
    }

    /// As [`bytes`](Self::bytes), or `None` for null.
    pub(super) fn optional_bytes<const N: usize>(
        &mut self,
        column: &'static str,
    ) -> Outcome<Option<[u8; N]>> {
        let bytes = self.take::<Option<&[u8]>>(column)?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| self.corrupt(column))).transpose()
    }

    /// The next column, of any number of bytes.
    pub(super) fn blob(&mut self, column: &'static str) -> Outcome<Vec<u8>> {
        self.take(column)
    }

    /// As [`blob`](Self::blob), or `None` for null.
    pub(super) fn optional_blob(&mut self, column: &'static str) -> Outcome<Option<Vec<u8>>> {
        self.take(column)
    }

    /// The next column, an integer that fits.
    pub(super) fn integer<T: TryFrom<i64>>(&mut self, column: &'static str) -> Outcome<T> {
        self.optional_integer(column)?.ok_or_else(|| self.corrupt(column))
    }

    /// As [`integer`](Self::integer), or `None` for null.
    pub(super) fn optional_integer<T: TryFrom<i64>>(&mut self, column: &'static str) -> Outcome<Option<T>> {
        match self.take::<Option<i64>>(column)? {
            Some(integer) => T::try_from(integer).map(Some).map_err(|_| self.corrupt(column)),
            None => Ok(None),
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

    /// The next column, true or false.
    pub(super) fn flag(&mut self, column: &'static str) -> Outcome<bool> {
        self.take(column)
    }

    /// That this column, or this one together with its neighbors, makes no sense.
    pub(super) fn corrupt(&self, column: &'static str) -> Failure {
        Failure::Storage(StorageError::Corrupt { table: self.table, column })
    }

    fn take<T: FromSql<'row>>(&mut self, column: &'static str) -> Outcome<T> {
        let index = self.next;
        self.next += 1;
        self.row.try_get(index).map_err(|_| self.corrupt(column))
    }
}

/// The first of the rows, if there is one.
pub(super) fn first<T>(rows: &[Row], read: impl FnOnce(&Row) -> Outcome<T>) -> Outcome<Option<T>> {
    rows.first().map(read).transpose()
}

/// All of the rows.
pub(super) fn list<T>(rows: &[Row], read: impl FnMut(&Row) -> Outcome<T>) -> Outcome<Vec<T>> {
    rows.iter().map(read).collect()
}

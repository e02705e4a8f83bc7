//! The SQLite database of Sydent, the first identity server (github.com/matrix-org/sydent, `sydent/db`), as its schema versions
//! 0 to 5 left it. What early versions lack reads as empty.
//!
//! Rows come in batches in the order of their ids, each batch in a transaction of its own: a longer one would keep Sydent from
//! writing for as long as it lasts.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{ForeignError, has_table, integer, open_sqlite, text};

/// The table that any database of Sydent has.
const FIRST_TABLE: &str = "local_threepid_associations";

/// A database of Sydent, open to read.
#[derive(Debug)]
pub struct SydentDatabase {
    connection: Connection,
}

/// A row and its id. Rows are read in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered<T> {
    /// The id.
    pub id: i64,
    /// The row.
    pub row: T,
}

/// A row of `local_threepid_associations`. The times are milliseconds.
#[derive(Clone, PartialEq, Eq)]
pub struct SydentAssociation {
    /// `email` or `msisdn`.
    pub medium: Option<String>,
    /// The address, in whatever case it was typed.
    pub address: Option<String>,
    /// Whose it is; `None`: nobody's any more, as some versions note an unbind.
    pub mxid: Option<String>,
    /// When it was bound.
    pub ts: Option<i64>,
    /// When it ceases to be valid.
    pub not_after: Option<i64>,
}

/// A row of `invite_tokens`. The times are seconds.
#[derive(Clone, PartialEq, Eq)]
pub struct SydentInvitation {
    /// `email`.
    pub medium: Option<String>,
    /// The address, in whatever case it was typed.
    pub address: Option<String>,
    /// The room.
    pub room_id: Option<String>,
    /// Who invites.
    pub sender: Option<String>,
    /// The token that names it.
    pub token: Option<String>,
    /// When it came.
    pub received_ts: Option<i64>,
    /// When it was handed over to the homeserver of the user who bound the address.
    pub sent_ts: Option<i64>,
}

/// A row of `tokens`, with when its account was made, in milliseconds.
#[derive(Clone, PartialEq, Eq)]
pub struct SydentToken {
    /// The access token.
    pub token: Option<String>,
    /// Whom it stands for.
    pub user_id: Option<String>,
    /// When the account was made.
    pub created_ts: Option<i64>,
}

/// A row of `accepted_terms_urls`.
#[derive(Clone, PartialEq, Eq)]
pub struct SydentAcceptedTerms {
    /// Who accepted.
    pub user_id: Option<String>,
    /// Where the document stands.
    pub url: Option<String>,
}

/// How many rows there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SydentCounts {
    /// Of `local_threepid_associations`.
    pub associations: u64,
    /// Of `global_threepid_associations`, those that are no copies of local ones: they came from other identity servers.
    pub foreign_associations: u64,
    /// Of `invite_tokens`.
    pub invitations: u64,
    /// Of `ephemeral_public_keys`.
    pub ephemeral_keys: u64,
    /// Of `tokens`.
    pub tokens: u64,
    /// Of `accepted_terms_urls`.
    pub accepted_terms: u64,
    /// Of `threepid_validation_sessions`.
    pub sessions: u64,
}

impl SydentDatabase {
    /// Opens a database of Sydent. Sydent may go on using it.
    ///
    /// # Errors
    /// When there is no such file, or it is no database of Sydent.
    pub fn open(path: &Path) -> Result<Self, ForeignError> {
        let connection = open_sqlite(path)?;
        if !has_table(&connection, FIRST_TABLE)? {
            return Err(ForeignError::NotTheirs { table: FIRST_TABLE, program: "Sydent" });
        }
        Ok(Self { connection })
    }

    /// Counts everything.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn counts(&self) -> Result<SydentCounts, ForeignError> {
        // Sydent copies each local association among the global ones, letter for letter.
        let foreign = "select count(*) from global_threepid_associations g where not exists (
            select 1 from local_threepid_associations l
            where l.medium = g.medium and l.address = g.address and l.mxid = g.mxid)";
        Ok(SydentCounts {
            associations: self.count(FIRST_TABLE, "select count(*) from local_threepid_associations")?,
            foreign_associations: self.count("global_threepid_associations", foreign)?,
            invitations: self.count("invite_tokens", "select count(*) from invite_tokens")?,
            ephemeral_keys: self
                .count("ephemeral_public_keys", "select count(*) from ephemeral_public_keys")?,
            tokens: self.count("tokens", "select count(*) from tokens")?,
            accepted_terms: self.count("accepted_terms_urls", "select count(*) from accepted_terms_urls")?,
            sessions: self
                .count("threepid_validation_sessions", "select count(*) from threepid_validation_sessions")?,
        })
    }

    /// The pepper that clients hash addresses with, if there is one.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn lookup_pepper(&self) -> Result<Option<String>, ForeignError> {
        if !has_table(&self.connection, "hashing_metadata")? {
            return Ok(None);
        }
        let select = "select lookup_pepper from hashing_metadata order by id limit 1";
        Ok(self.connection.query_row(select, [], |row| text(row, 0)).optional()?.flatten())
    }

    /// Up to `limit` local associations behind the id `after`.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn associations(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<SydentAssociation>>, ForeignError> {
        let select = "select id, medium, address, mxid, ts, notAfter from local_threepid_associations
            where ?1 < id order by id limit ?2";
        self.list(FIRST_TABLE, select, after, limit, |row| {
            Ok(SydentAssociation {
                medium: text(row, 1)?,
                address: text(row, 2)?,
                mxid: text(row, 3)?,
                ts: integer(row, 4)?,
                not_after: integer(row, 5)?,
            })
        })
    }

    /// Up to `limit` invitations behind the id `after`.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn invitations(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<SydentInvitation>>, ForeignError> {
        let select =
            "select id, medium, address, room_id, sender, token, received_ts, sent_ts from invite_tokens
            where ?1 < id order by id limit ?2";
        self.list("invite_tokens", select, after, limit, |row| {
            Ok(SydentInvitation {
                medium: text(row, 1)?,
                address: text(row, 2)?,
                room_id: text(row, 3)?,
                sender: text(row, 4)?,
                token: text(row, 5)?,
                received_ts: integer(row, 6)?,
                sent_ts: integer(row, 7)?,
            })
        })
    }

    /// Up to `limit` public keys of invitations behind the id `after`.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn ephemeral_keys(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<Option<String>>>, ForeignError> {
        let select = "select id, public_key from ephemeral_public_keys where ?1 < id order by id limit ?2";
        self.list("ephemeral_public_keys", select, after, limit, |row| text(row, 1))
    }

    /// Up to `limit` access tokens behind the row id `after`.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn tokens(&self, after: i64, limit: usize) -> Result<Vec<Numbered<SydentToken>>, ForeignError> {
        let select = "select t.rowid, t.token, t.user_id, a.created_ts from tokens t
            left join accounts a on a.user_id = t.user_id where ?1 < t.rowid order by t.rowid limit ?2";
        self.list("tokens", select, after, limit, |row| {
            Ok(SydentToken { token: text(row, 1)?, user_id: text(row, 2)?, created_ts: integer(row, 3)? })
        })
    }

    /// Up to `limit` accepted documents behind the row id `after`.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn accepted_terms(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<SydentAcceptedTerms>>, ForeignError> {
        let select = "select rowid, user_id, url from accepted_terms_urls
            where ?1 < rowid order by rowid limit ?2";
        self.list("accepted_terms_urls", select, after, limit, |row| {
            Ok(SydentAcceptedTerms { user_id: text(row, 1)?, url: text(row, 2)? })
        })
    }

    fn count(&self, table: &str, sql: &str) -> Result<u64, ForeignError> {
        if !has_table(&self.connection, table)? {
            return Ok(0);
        }
        let count = self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    fn list<T>(
        &self,
        table: &str,
        sql: &str,
        after: i64,
        limit: usize,
        read: impl Fn(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<Numbered<T>>, ForeignError> {
        if !has_table(&self.connection, table)? {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows =
            statement.query_map([after, limit], |row| Ok(Numbered { id: row.get(0)?, row: read(row)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

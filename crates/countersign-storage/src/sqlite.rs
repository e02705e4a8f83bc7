//! The SQLite backend: one thread writes, with one commit for all operations that wait. Few rows are read where they are asked
//! for, many by a few threads.
//!
//! Each operation is a plain function over a connection, in the file of its aggregate: load, let core decide, save.

mod accounts;
mod associations;
mod authorization;
mod budgets;
mod checkpoint;
mod connection;
mod delegations;
mod devices;
mod export;
mod failure;
mod health;
mod identity_accounts;
mod import;
mod invitations;
mod keys;
mod migrations;
mod notices;
mod openid;
mod outbox;
mod peppers;
mod readers;
mod recorded_binds;
mod registration_tokens;
mod retention;
mod rows;
mod sessions;
mod signing_keys;
mod suppressions;
#[cfg(test)]
mod tests;
mod threepids;
mod tokens;
pub(crate) mod transfer;
mod uia;
mod writer;

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

pub(crate) use self::connection::BUSY_TIMEOUT;
use self::{
    checkpoint::Checkpointer,
    failure::Outcome,
    readers::{Extent, Readers},
    retention::BudgetCursor,
    writer::Writer,
};
use crate::{StorageError, outage::Condition};

/// Where the database is and how much may wait for it.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// The file. Made, with its folder, unless it exists; SQLite keeps `-wal` and `-shm` files beside it.
    pub path: PathBuf,
    /// How many connections read, and threads.
    pub readers: NonZeroUsize,
    /// How many operations may wait for the writer, and how many for the readers.
    pub queue_capacity: NonZeroUsize,
}

impl SqliteSettings {
    /// That file, everything else by default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let number = |number| NonZeroUsize::new(number).expect("the defaults are not zero");
        Self { path: path.into(), readers: number(2), queue_capacity: number(4096) }
    }
}

/// A database in one file.
///
/// Several processes may open one file: SQLite's locks keep their commits apart. Dropping it closes it.
pub struct SqliteStorage {
    readers: Readers,
    checkpointer: Checkpointer,
    writer: Writer,
    budgets_swept: Mutex<BudgetCursor>,
}

impl SqliteStorage {
    /// Opens the database, brings its tables up to date, and starts its threads.
    ///
    /// # Errors
    /// When the file can't be opened or is no database, or was made by a newer version.
    pub fn open(settings: SqliteSettings) -> Result<Self, StorageError> {
        Ok(Self::start(&settings)?)
    }

    fn start(settings: &SqliteSettings) -> Outcome<Self> {
        connection::create_file(&settings.path)?;
        let mut connection = connection::open_writing(&settings.path)?;
        migrations::migrate(&mut connection)?;
        let checkpointer = Checkpointer::start(&settings.path, &mut connection)?;
        let condition = Arc::new(Condition::default());
        let readers = Readers::start(settings, Arc::clone(&condition))?;
        let writer = Writer::start(connection, checkpointer.progress(), settings.queue_capacity, condition)?;
        Ok(Self { readers, checkpointer, writer, budgets_swept: Mutex::default() })
    }

    /// Finishes the operations that wait, then ends all threads. Operations that come later fail with
    /// [`StorageError::Closed`]. Blocks the calling thread for as long as that takes; closing twice does no harm.
    pub fn close(&self) {
        let connection = self.writer.finish();
        self.readers.finish();
        self.checkpointer.finish();
        // The last connection to close moves the log into the database and removes it.
        drop(connection);
    }

    /// Carries out an operation that may write. It goes on even if the caller stops waiting, and may begin again after
    /// it was undone.
    async fn write<T, F>(&self, operation: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Outcome<T> + Send + 'static,
    {
        self.writer.run(operation).await
    }

    /// Carries out an operation that only reads, and few rows. It sees everything of operations that returned, and may begin
    /// again.
    async fn read<T, F>(&self, operation: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Outcome<T> + Send + 'static,
    {
        self.readers.run(Extent::Few, operation).await
    }

    /// The same for an operation that may read many rows.
    async fn read_many<T, F>(&self, operation: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Outcome<T> + Send + 'static,
    {
        self.readers.run(Extent::Many, operation).await
    }

    /// Where in `budgets` the last sweep stopped.
    fn budgets_swept(&self) -> MutexGuard<'_, BudgetCursor> {
        self.budgets_swept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SqliteStorage {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for SqliteStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStorage").finish_non_exhaustive()
    }
}

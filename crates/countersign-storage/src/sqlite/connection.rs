//! Files and connections: how they are made and set.

use std::{fs, io, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::failure::Outcome;

/// More than there are statements.
const STATEMENTS_CACHED: usize = 128;
/// How long a connection waits for another process or for a checkpoint.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the file, for its owner only, unless it exists; and its folder. SQLite gives its other files the same mode.
pub(super) fn create_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Opens the connection that writes. It never checkpoints by itself: `checkpoint` says when.
pub(super) fn open_writing(path: &Path) -> Outcome<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch(
        "pragma journal_mode = wal;
         pragma synchronous = full;
         pragma wal_autocheckpoint = 0;
         pragma journal_size_limit = 67108864;
         pragma foreign_keys = off;
         pragma temp_store = memory;
         pragma cache_size = -32768;",
    )?;
    Ok(connection)
}

/// Opens a connection that moves the log into the database.
pub(super) fn open_checkpointing(path: &Path) -> Outcome<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch(
        "pragma synchronous = full; pragma wal_autocheckpoint = 0; pragma cache_size = -64;",
    )?;
    Ok(connection)
}

/// Opens a connection that can't write.
pub(super) fn open_reading(path: &Path) -> Outcome<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute_batch("pragma cache_size = -8192;")?;
    Ok(connection)
}

fn open(path: &Path, access: OpenFlags) -> Outcome<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // Statements stay as they were prepared. Without this, one with a limit as parameter is prepared anew for each use.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

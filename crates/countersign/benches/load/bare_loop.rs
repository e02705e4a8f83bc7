//! The storage limit: the rows that one `requestToken` writes, by a loop that does nothing else, as durable as the node's.

use std::{
    io::stdout,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Args;
use countersign_storage::sqlite::{SqliteSettings, SqliteStorage};
use rusqlite::{CachedStatement, Connection, params};
use serde::{Deserialize, Serialize};

use crate::figures;

/// The loop, as a process of its own.
#[derive(Args)]
pub(crate) struct BareLoop {
    /// A folder without a database.
    folder: PathBuf,
    /// How many requests share a commit.
    #[arg(long)]
    batch: u64,
    /// For how long it runs.
    #[arg(long)]
    milliseconds: u64,
}

/// What it comes to.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Wrote {
    /// CPU time for the rows of one request, in microseconds.
    pub(crate) cpu_us: f64,
    /// Requests a second.
    pub(crate) rate: f64,
}

impl BareLoop {
    /// Writes, then prints what it comes to as JSON.
    pub(crate) fn run(&self) -> Result<()> {
        let path = self.folder.join("countersign.db");
        // Makes the tables and is done.
        SqliteStorage::open(SqliteSettings::new(&path))?.close();
        let connection = open(&path)?;
        let cpu_before = figures::cpu_time(std::process::id())?;
        let began = Instant::now();
        let duration = Duration::from_millis(self.milliseconds);
        let mut written = 0;
        while began.elapsed() < duration {
            connection.execute_batch("begin immediate")?;
            write(&connection, written..written + self.batch)?;
            connection.execute_batch("commit")?;
            written += self.batch;
        }
        let elapsed = began.elapsed();
        let cpu = figures::cpu_time(std::process::id())? - cpu_before;
        let wrote = Wrote {
            cpu_us: cpu.as_secs_f64() * 1e6 / written as f64,
            rate: written as f64 / elapsed.as_secs_f64(),
        };
        Ok(serde_json::to_writer(stdout(), &wrote)?)
    }
}

/// As the node's writing connection is set, but that SQLite copies the log into the database by itself.
fn open(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "pragma synchronous = full; pragma wal_autocheckpoint = 4096; pragma temp_store = memory;
         pragma cache_size = -32768;",
    )?;
    Ok(connection)
}

fn write(connection: &Connection, numbers: std::ops::Range<u64>) -> Result<()> {
    let mut session: CachedStatement<'_> = connection.prepare_cached(
        "insert into validation_sessions (
            sid, key, purpose, medium, address_hash, sealed_address, client_secret_hash, token_key_id, nonce, decoy,
            created_at, latest, expires_at, send_attempt, code_generation, misses)
         values (?1, ?2, 'add_threepid', 'email', ?3, ?4, ?5, 'k1', ?6, 0, ?7, 1, ?8, 1, 0, 0)",
    )?;
    let mut message: CachedStatement<'_> = connection.prepare_cached(
        "insert into outbox
            (id, kind, medium, session_number, sid, send_attempt, language, created_at, not_before, tries)
         values (?1, 'validation', 'email', ?2, ?3, 1, 'en', ?4, ?4, 0)",
    )?;
    for number in numbers {
        let mut scattered = Scattered(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let now = 1_795_262_400_000 + i64::try_from(number / 20)?;
        let mut sid: [u8; 22] = scattered.bytes();
        sid[..6].copy_from_slice(&now.to_be_bytes()[2..]);
        session.execute(params![
            sid,
            scattered.bytes::<32>(),
            scattered.bytes::<32>(),
            // Format, key id, nonce, address and tag.
            scattered.bytes::<{ 4 + 24 + 31 + 16 }>(),
            scattered.bytes::<32>(),
            scattered.bytes::<16>(),
            now,
            now + 86_400_000,
        ])?;
        // Ids of messages begin with the time.
        let mut id: [u8; 16] = scattered.bytes();
        id[..6].copy_from_slice(&now.to_be_bytes()[2..]);
        message.execute(params![id, connection.last_insert_rowid(), sid, now])?;
    }
    Ok(())
}

/// Bytes without order (xorshift), as those of hashes and random ids are.
struct Scattered(u64);

impl Scattered {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        }
        bytes
    }
}

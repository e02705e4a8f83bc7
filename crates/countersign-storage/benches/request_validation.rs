//! How fast `request_validation` is, beside a bare loop that writes the same rows with the same durability.
//!
//! Prints one line for each: operations a second, and CPU time an operation. `cargo bench -p countersign-storage`, with
//! `-- CALLERS SECONDS FOLDER` to change 64 callers, 5 seconds each, in the folder for temporary files. With a PostgreSQL
//! database in `COUNTERSIGN_BENCH_POSTGRES`, whose tables it fills, the same on that, by one node and by two; its server's
//! CPU time is not counted.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the developer")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use countersign_core::{
    AddressHash, BudgetKey, BudgetKind, Charge, ClientSecretHash, InUsePolicy, Language, MasterKeyId, Medium,
    MessageId, Random, Rate, Requested, Sealed, SendAttempt, SessionId, SessionKey, SessionPurpose,
    SubjectHash, Timestamp, TokenNonce, ValidationRequest,
};
use countersign_storage::{
    Storage,
    postgres::{PostgresSettings, PostgresStorage},
    sqlite::{SqliteSettings, SqliteStorage},
};
use rusqlite::{Connection, params};

const NOW: i64 = 1_800_000_000_000;

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |index: usize, default| arguments.get(index).map_or(default, |text| text.parse().unwrap());
    let (callers, seconds) = (number(0, 64), number(1, 5));
    let folder = arguments.get(2).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).unwrap();
    let duration = Duration::from_secs(seconds);

    measure("bare loop", || bare_loop(&folder.path().join("bare.db"), callers, duration));
    let loads = [("limits off", 0, None), ("limits on", 3, None), ("repeats", 0, Some(callers))];
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for (name, charges, reused) in loads {
        let path = folder.path().join(format!("{}.db", name.replace(' ', "_")));
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(SqliteSettings::new(path)).unwrap());
        let load = Load { callers, duration, charges, reused, first: 0 };
        measure(&format!("SQLite, {name}"), || runtime.block_on(load.through(&[storage])));
    }
    let Ok(url) = std::env::var("COUNTERSIGN_BENCH_POSTGRES") else { return };
    let mut first = 1 << 40;
    for nodes in [1, 2] {
        let open = async || PostgresStorage::open(PostgresSettings::new(&url)).await.unwrap();
        let storages: Vec<Arc<dyn Storage>> =
            (0..nodes).map(|_| Arc::new(runtime.block_on(open())) as Arc<dyn Storage>).collect();
        for (name, charges, reused) in loads {
            let load = Load { callers, duration, charges, reused, first };
            measure(&format!("PostgreSQL, {nodes} nodes, {name}"), || {
                runtime.block_on(load.through(&storages))
            });
            first += 1 << 32;
        }
    }
}

/// Runs a load that answers how many operations it did, and prints what they cost.
fn measure(name: &str, load: impl FnOnce() -> u64) {
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let operations = load() as f64;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!("{name:36} {:9.0}/s {:7.1} µs CPU each", operations / seconds, cpu / operations * 1e6);
}

/// CPU time of this process. Linux counts it in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

/// The rows of a fresh request, written without a thread, a queue, a decision or a savepoint.
fn bare_loop(path: &Path, batch: u64, duration: Duration) -> u64 {
    // The tables, and nothing else.
    drop(SqliteStorage::open(SqliteSettings::new(path)).unwrap());
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch("pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -32768;")
        .unwrap();
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < duration {
        connection.execute_batch("begin immediate").unwrap();
        for _ in 0..batch {
            insert(&connection, &request(done, 0));
            done += 1;
        }
        connection.execute_batch("commit").unwrap();
    }
    done
}

fn insert(connection: &Connection, request: &ValidationRequest) {
    let mut session = connection
        .prepare_cached(
            "insert into validation_sessions (
                sid, key, purpose, medium, address_hash, sealed_address, client_secret_hash, token_key_id, nonce,
                send_attempt, sealed_next_link, code_generation, code_began_at, misses, requested_by, created_at,
                validated_at, expires_at, ended_at, ended_reason, consumed_at, consumed_by, decoy, latest)
             values (?1, ?2, 'add_threepid', 'email', ?3, ?4, ?5, 'k1', ?6, 1, ?7, 0, null, 0, null, ?8, null, ?8,
                null, null, null, null, 0, 1)",
        )
        .unwrap();
    let session = session.execute(params![
        request.new_sid.as_bytes(),
        request.key.as_bytes(),
        request.address_hash.as_bytes(),
        request.sealed_address.as_bytes(),
        request.client_secret_hash.as_bytes(),
        request.nonce.as_bytes(),
        request.sealed_next_link.as_ref().map(Sealed::as_bytes),
        NOW,
    ]);
    assert_eq!(session, Ok(1));
    let mut message = connection
        .prepare_cached(
            "insert into outbox
                (id, kind, medium, session_number, sid, send_attempt, language, created_at, not_before, tries)
             values (?1, 'validation', 'email', last_insert_rowid(), ?2, 1, 'en', ?3, ?3, 0)",
        )
        .unwrap();
    let message = message.execute(params![request.message_id.as_bytes(), request.new_sid.as_bytes(), NOW]);
    assert_eq!(message, Ok(1));
}

/// What callers do that wait for each answer.
#[derive(Clone, Copy)]
struct Load {
    callers: u64,
    duration: Duration,
    charges: usize,
    /// Of how many requests each is one, again and again.
    reused: Option<u64>,
    /// The number of the first request.
    first: u64,
}

impl Load {
    /// Answers how many operations were done.
    async fn through(self, storages: &[Arc<dyn Storage>]) -> u64 {
        let (began, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let callers = storages.iter().cycle().take(usize::try_from(self.callers).unwrap());
        let tasks: Vec<_> = callers
            .map(|storage| {
                let (storage, next) = (Arc::clone(storage), Arc::clone(&next));
                tokio::spawn(async move {
                    while began.elapsed() < self.duration {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let number = self.first + self.reused.map_or(number, |reused| number % reused);
                        let (request, now) = (request(number, self.charges), Timestamp::from_millis(NOW));
                        let answer = storage.request_validation(request, now).await.unwrap();
                        assert!(matches!(answer, Requested::Sending(_) | Requested::Repeated(_)));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        next.load(Ordering::Relaxed)
    }
}

/// Bytes that look random and are the same for one number.
struct Numbered(AtomicU64);

impl Random for Numbered {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }
}

/// A request of a client and address of its own.
fn request(number: u64, charges: usize) -> ValidationRequest {
    let random: &dyn Random = &Numbered(AtomicU64::new(number.wrapping_mul(1 << 20)));
    let address_hash = AddressHash::from_bytes(random.bytes());
    let network = SubjectHash::from_bytes(random.bytes());
    let rate = Rate::per(1_000_000, Duration::from_secs(3600));
    let charge = |kind, subject| Charge { key: BudgetKey { kind, subject }, rate };
    let all = [
        charge(BudgetKind::MessagesHourly, address_hash.into()),
        charge(BudgetKind::MessagesDaily, address_hash.into()),
        charge(BudgetKind::Requests, network),
    ];
    ValidationRequest {
        key: SessionKey::from_bytes(random.bytes()),
        purpose: SessionPurpose::AddThreepid,
        medium: Medium::Email,
        address_hash,
        sealed_address: Sealed::from_bytes(random.bytes::<70>().to_vec()),
        client_secret_hash: ClientSecretHash::from_bytes(random.bytes()),
        send_attempt: SendAttempt(1),
        sealed_next_link: None,
        new_sid: SessionId::generate(Timestamp::from_millis(NOW), random),
        token_key_id: MasterKeyId::parse("k1").unwrap(),
        nonce: TokenNonce::from_bytes(random.bytes()),
        message_id: MessageId::generate(
            Timestamp::from_millis(NOW + i64::try_from(number % (1 << 32) / 20).unwrap()),
            random,
        ),
        language: Language::default(),
        requested_by: None,
        in_use: InUsePolicy::Tell,
        charges: all[..charges].to_vec(),
        session_lifetime: Duration::from_secs(86_400),
    }
}

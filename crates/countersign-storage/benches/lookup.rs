//! How long a lookup of 10,000 addresses takes on SQLite, beside how many associations there are.
//!
//! Prints one line for each number of associations: milliseconds for a lookup of which one key in a hundred is found, by a
//! filter that has all keys, the least and the middle of the runs, and the middle beside that of the first line. `cargo bench -p countersign-storage --bench
//! lookup`, with `-- RUNS FOLDER` to change 50 runs in the folder for temporary files. With a PostgreSQL database in
//! `COUNTERSIGN_BENCH_POSTGRES`, whose tables it fills, the same on that.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the developer")]

use std::{path::PathBuf, sync::Arc, time::Instant};

use countersign_core::{LookupFilter, LookupKey, LookupPepper, Timestamp};
use countersign_storage::{
    Storage,
    postgres::{PostgresSettings, PostgresStorage},
    sqlite::{SqliteSettings, SqliteStorage},
};
use rusqlite::{Connection, params};
use tokio::runtime::Runtime;

const KEYS: u64 = 10_000;
const ASSOCIATIONS: [u64; 2] = [1_000, 1_000_000];

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runs = arguments.first().map_or(50, |text| text.parse().unwrap());
    let folder = arguments.get(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();

    let mut first = None;
    for associations in ASSOCIATIONS {
        let path = folder.path().join(format!("{associations}.db"));
        let storage = SqliteStorage::open(SqliteSettings::new(&path)).unwrap();
        runtime.block_on(init(&storage));
        fill_sqlite(&Connection::open(&path).unwrap(), associations);
        measure(&format!("SQLite, {associations}"), &runtime, &storage, associations, runs, &mut first);
    }
    let Ok(url) = std::env::var("COUNTERSIGN_BENCH_POSTGRES") else { return };
    let (mut first, mut there) = (None, 0);
    let storage = runtime.block_on(PostgresStorage::open(PostgresSettings::new(&url))).unwrap();
    runtime.block_on(init(&storage));
    for associations in ASSOCIATIONS {
        runtime.block_on(fill_postgres(&url, there, associations));
        there = associations;
        measure(&format!("PostgreSQL, {associations}"), &runtime, &storage, associations, runs, &mut first);
    }
}

fn pepper() -> LookupPepper {
    LookupPepper::parse("bench").unwrap()
}

async fn init(storage: &dyn Storage) {
    let pepper = storage.init_pepper(pepper(), Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(pepper.number, 1, "an empty database is needed");
}

/// Looks up again and again, each time other keys.
fn measure(
    name: &str,
    runtime: &Runtime,
    storage: &dyn Storage,
    associations: u64,
    runs: u64,
    first: &mut Option<f64>,
) {
    let filter = Arc::new(runtime.block_on(make_filter(storage)));
    let mut times: Vec<f64> = (0..runs)
        .map(|run| {
            let hits = KEYS / 100;
            let known = (run * hits..(run + 1) * hits).map(|number| number % associations);
            let unknown = (run * KEYS..(run + 1) * KEYS - hits).map(|number| (1 << 40) + number);
            let keys = known.chain(unknown).map(|number| LookupKey::from_bytes(hash(1, number))).collect();
            let began = Instant::now();
            let found = runtime.block_on(storage.lookup(&pepper(), keys, &filter)).unwrap().unwrap();
            let milliseconds = began.elapsed().as_secs_f64() * 1e3;
            assert_eq!(u64::try_from(found.users.len()), Ok(hits));
            milliseconds
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let middle = times[times.len() / 2];
    let ratio = middle / *first.get_or_insert(middle);
    println!("{name:24} {:8.2} ms at least {middle:8.2} ms in the middle {ratio:6.2} x", times[0]);
}

async fn make_filter(storage: &dyn Storage) -> LookupFilter {
    let source = storage.list_lookup_keys(0, 0).await.unwrap().source;
    let filter = LookupFilter::new(source, 2 * storage.count_lookup_keys().await.unwrap());
    loop {
        let keys = storage.list_lookup_keys(filter.covers(), 10_000).await.unwrap().keys;
        if keys.is_empty() {
            return filter;
        }
        filter.add(&keys);
    }
}

/// 32 bytes that look random and are the same for one number.
fn hash(kind: u64, number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (index, chunk) in (0_u64..).zip(bytes.chunks_mut(8)) {
        let mut z = number.wrapping_mul(8).wrapping_add(index).wrapping_add(kind << 56);
        z = z.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes());
    }
    bytes
}

fn fill_sqlite(connection: &Connection, associations: u64) {
    connection.execute_batch("pragma cache_size = -262144; begin").unwrap();
    for number in 0..associations {
        let address = hash(2, number);
        let mut insert = connection
            .prepare_cached("insert into associations values (?1, 'email', ?2, '@user:example.org', 0)")
            .unwrap();
        insert.execute(params![address, [0_u8; 70]]).unwrap();
        let mut insert = connection
            .prepare_cached("insert into lookup_keys (pepper, lookup_key, address_hash) values (1, ?1, ?2)")
            .unwrap();
        insert.execute(params![hash(1, number), address]).unwrap();
    }
    connection.execute_batch("commit").unwrap();
}

async fn fill_postgres(url: &str, from: u64, until: u64) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let numbers: Vec<u64> = (from..until).collect();
    for part in numbers.chunks(10_000) {
        let addresses: Vec<Vec<u8>> = part.iter().map(|number| hash(2, *number).to_vec()).collect();
        let keys: Vec<Vec<u8>> = part.iter().map(|number| hash(1, *number).to_vec()).collect();
        client
            .execute(
                "insert into associations (address_hash, medium, sealed_address, user_id, bound_at)
                 select address, 'email', decode(repeat('00', 70), 'hex'), '@user:example.org', 0
                 from unnest($1::bytea[]) as n (address)",
                &[&addresses],
            )
            .await
            .unwrap();
        client
            .execute(
                "insert into lookup_keys (pepper, lookup_key, address_hash)
                 select 1, key, address from unnest($1::bytea[], $2::bytea[]) as n (key, address)",
                &[&keys, &addresses],
            )
            .await
            .unwrap();
    }
    drop(client);
    connection.await.unwrap().unwrap();
}

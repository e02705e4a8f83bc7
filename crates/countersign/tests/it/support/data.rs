//! Where a test node keeps its data: a temporary folder with SQLite in it, or, with `COUNTERSIGN_TEST_STORAGE=postgres`, a
//! folder and a PostgreSQL database of its own.

use std::{fs, path::PathBuf};

use countersign::config::{Config, StorageUrl};
use countersign_core::MasterKeys;
use countersign_service::SystemRandom;
use countersign_storage::test_database::TestDatabase;
use rusqlite::types::ValueRef;
use tempfile::TempDir;

/// A node's data. Dropping it deletes it.
pub(super) struct TestData {
    folder: TempDir,
    database: Database,
}

enum Database {
    Sqlite,
    Postgres(TestDatabase),
}

impl TestData {
    /// An empty database of the kind that the tests run on, and a master key.
    pub(super) async fn create() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = MasterKeys::generate(&SystemRandom);
        fs::write(folder.path().join("master.key"), key.as_bytes()).expect("writable");
        let database = match std::env::var("COUNTERSIGN_TEST_STORAGE").as_deref() {
            Ok("postgres") => Database::Postgres(TestDatabase::create().await),
            Ok("sqlite") | Err(_) => Database::Sqlite,
            Ok(other) => panic!("COUNTERSIGN_TEST_STORAGE={other:?}: it is sqlite or postgres"),
        };
        Self { folder, database }
    }

    /// The configuration of `countersign dev` on this data.
    pub(super) fn config(&self, port: u16) -> Config {
        let mut config = Config::dev(self.folder.path(), port);
        match &self.database {
            Database::Sqlite => {}
            Database::Postgres(database) => {
                config.storage.url = StorageUrl::parse(&database.url()).expect("a database");
            }
        }
        config
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(super) fn database_bytes(&self) -> Vec<u8> {
        match &self.database {
            Database::Sqlite => self.files_of_sqlite(),
            Database::Postgres(database) => files_of_postgres(database),
        }
    }

    pub(super) fn look_up(&self, query: &str) -> Vec<String> {
        match &self.database {
            Database::Sqlite => self.look_up_in_sqlite(query).expect("SQL"),
            Database::Postgres(database) => database.run_blocking(query),
        }
    }

    fn look_up_in_sqlite(&self, query: &str) -> rusqlite::Result<Vec<String>> {
        let database = rusqlite::Connection::open(self.folder.path().join("countersign.db"))?;
        let mut statement = database.prepare(query)?;
        let text = |row: &rusqlite::Row<'_>| {
            Ok(match row.get_ref(0)? {
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => panic!("{query}: {other:?}"),
            })
        };
        statement.query_map([], text)?.collect()
    }

    /// The database file and everything beside it: what was deleted may still be there.
    fn files_of_sqlite(&self) -> Vec<u8> {
        let files = fs::read_dir(self.folder.path()).expect("readable").map(|entry| entry.expect("readable"));
        let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with("countersign.db"));
        ours.flat_map(|file| fs::read(file.path()).expect("readable")).collect()
    }
}

/// The files of all tables and indexes, as the server sees them: what was deleted or overwritten is still there, as nothing
/// vacuums the cluster of the tests.
fn files_of_postgres(database: &TestDatabase) -> Vec<u8> {
    database.run_blocking("checkpoint");
    let files = database.run_blocking(
        "select encode(pg_read_binary_file(pg_relation_filepath(oid)), 'hex') from pg_class
         where relkind in ('r', 'i', 't') and relfilenode <> 0 and relnamespace = any(
            array['public', 'pg_toast']::regnamespace[])",
    );
    assert!(!files.is_empty(), "no table was read");
    let byte = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).expect("ASCII");
        u8::from_str_radix(digits, 16).expect("hexadecimal")
    };
    files.iter().flat_map(|file| file.as_bytes().chunks(2).map(byte)).collect()
}

//! A database of its own for each test, in the cluster that the whole run shares.

use std::{path::Path, process::Command};

use tokio_postgres::NoTls;

use crate::postgres::{LeaseClock, PostgresSettings, PostgresStorage};

/// A database that is dropped with this.
pub(super) struct Database {
    cluster: String,
    name: String,
}

impl Database {
    /// Makes an empty one.
    pub(super) async fn create() -> Self {
        let cluster = cluster();
        let mut bytes = [0_u8; 8];
        std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom").unwrap(), &mut bytes).unwrap();
        let name = format!("test_{:016x}", u64::from_be_bytes(bytes));
        run(&cluster, &format!("create database {name}")).await;
        Self { cluster, name }
    }

    pub(super) fn url(&self) -> String {
        self.cluster.replacen("/postgres?", &format!("/{}?", self.name), 1)
    }

    /// What a test opens it with: time is what it says.
    pub(super) fn settings(&self) -> PostgresSettings {
        PostgresSettings { lease_clock: LeaseClock::Given, ..PostgresSettings::new(self.url()) }
    }

    pub(super) async fn open(&self) -> PostgresStorage {
        PostgresStorage::open(self.settings()).await.unwrap()
    }

    /// Runs SQL in it.
    pub(super) async fn run(&self, sql: &str) -> Vec<String> {
        run(&self.url(), sql).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (cluster, drop) = (self.cluster.clone(), format!("drop database {} with (force)", self.name));
        // A runtime of its own: this one may be ending. A database that stays goes with its cluster.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&cluster, &drop));
        });
        let _ = thread.join();
    }
}

/// The cluster that is named, or the throw-away one, started if need be.
fn cluster() -> String {
    if let Ok(url) = std::env::var("COUNTERSIGN_TEST_POSTGRES") {
        assert!(
            url.contains("/postgres?"),
            "COUNTERSIGN_TEST_POSTGRES names a database `postgres`: .../postgres?..."
        );
        return url;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/lib/postgres.sh");
    let output = Command::new(&script).arg("url").output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{} url: {}", script.display(), text(&output.stderr));
    text(&output.stdout)
}

async fn run(url: &str, sql: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    let first_column = |message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    messages.into_iter().filter_map(first_column).collect()
}

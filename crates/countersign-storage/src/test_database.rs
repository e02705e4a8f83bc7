//! A PostgreSQL database for one test, in the throw-away cluster that a whole run shares (`scripts/lib/postgres.sh`). For
//! the tests of other crates as well, by the feature `test-database`; nothing that ships has it.

use std::{fs::File, io::Read, path::Path, process::Command};

use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A database that is dropped with this.
#[derive(Debug)]
pub struct TestDatabase {
    cluster: String,
    name: String,
}

impl TestDatabase {
    /// Makes an empty one.
    ///
    /// # Panics
    /// When there is no PostgreSQL to make it in.
    pub async fn create() -> Self {
        let cluster = cluster();
        let mut bytes = [0_u8; 8];
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("randomness");
        let name = format!("test_{:016x}", u64::from_be_bytes(bytes));
        run(&cluster, &format!("create database {name}")).await;
        Self { cluster, name }
    }

    /// Where it is: `postgres://…`.
    pub fn url(&self) -> String {
        self.cluster.replacen("/postgres?", &format!("/{}?", self.name), 1)
    }

    /// Runs SQL in it, on a connection of its own, and answers the first column.
    ///
    /// # Panics
    /// When PostgreSQL does not like it.
    pub async fn run(&self, sql: &str) -> Vec<String> {
        run(&self.url(), sql).await
    }

    /// The same where nothing may be awaited.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn run_blocking(&self, sql: &str) -> Vec<String> {
        run_blocking(&self.url(), sql).expect("PostgreSQL does as it is told")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Self { cluster, name } = self;
        let drop = format!("drop database {name} with (force)");
        // One that stays goes with its cluster.
        let _ = run_blocking(cluster, &drop);
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
    let output = Command::new(&script).arg("url").output().expect("the script runs");
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{} url: {}", script.display(), text(&output.stderr));
    text(&output.stdout)
}

/// On a thread and a runtime of its own, whatever runtime the caller is in.
fn run_blocking(url: &str, sql: &str) -> std::thread::Result<Vec<String>> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(run(url, sql))
    };
    std::thread::scope(|scope| scope.spawn(run).join())
}

async fn run(url: &str, sql: &str) -> Vec<String> {
    let connected = tokio_postgres::connect(url, NoTls).await;
    let (client, connection) = connected.unwrap_or_else(|error| panic!("{url}: {error:?}"));
    let connection = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    drop(client);
    let _ = connection.await;
    let first_column = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    messages.into_iter().filter_map(first_column).collect()
}

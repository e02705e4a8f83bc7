//! `countersign import synapse`: the addresses of a homeserver's accounts move in.

use countersign_client::{LoginRequest, RegisterRequest, UserIdentifier};
use countersign_storage::test_database::TestDatabase;
use rusqlite::Connection;

use crate::{
    process::{self, Ended, ServeFolder},
    support::PASSWORD,
};

const TABLES: &str = include_str!("../../../countersign-storage/tests/fixtures/synapse.sql");

const SIDECAR: &str = "[sidecar]\nhomeserver_url = \"http://127.0.0.1:9\"\n";

const ROWS: &str = "insert into user_threepids values
    ('@bob:example.org', 'email', 'Shared@example.org', 20, 200),
    ('@alice:example.org', 'email', 'shared@example.org', 10, 100),
    ('@alice:example.org', 'msisdn', '447700900123', 10, 300),
    ('@Old Name:example.org', 'email', 'old@example.org', 10, 50),
    ('@carol:other.example', 'email', 'carol@example.org', 10, 100),
    ('@alice:example.org', 'email', 'no address', 10, 100)";

async fn import(folder: &ServeFolder, from: &str) -> Ended {
    let ended = process::run(folder.path(), &["import", "synapse", from, "--config", "config.toml"]).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    for address in ["shared@", "Shared@", "447700"] {
        assert!(!ended.stdout.contains(address) && !ended.stderr.contains(address), "an address is told");
    }
    ended
}

fn sidecar() -> ServeFolder {
    sidecar_on("sqlite:countersign.db")
}

fn sidecar_on(storage_url: &str) -> ServeFolder {
    let folder = ServeFolder::on(storage_url, SIDECAR);
    folder.write_config(&folder.config().replacen("enabled = true", "enabled = false", 1));
    folder
}

fn sqlite(folder: &ServeFolder) {
    let database = Connection::open(folder.path().join("homeserver.db")).expect("opens");
    database.execute_batch(TABLES).expect("a schema");
    database.execute_batch(ROWS).expect("rows");
}

/// Each account with how many addresses it has, and when they were added.
fn addresses(folder: &ServeFolder) -> Vec<(String, String, i64)> {
    let database = folder.database();
    let select = "select localpart, medium, added_at from account_threepids order by rowid";
    let mut statement = database.prepare(select).expect("tables");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

fn assert_taken(folder: &ServeFolder, ended: &Ended) {
    assert_taken_is_told(ended);
    let expected = [("Old Name", "email", 50), ("alice", "email", 100), ("alice", "msisdn", 300)];
    assert_eq!(addresses(folder), expected.map(|(name, medium, at)| (name.into(), medium.into(), at)));
}

fn assert_taken_is_told(ended: &Ended) {
    for line in [
        "addresses                  3             0           1           2",
        "Merged: 1 addresses have the address of another, written otherwise.",
        "Left: 1 addresses are of users of other homeservers.",
        "Left: 1 addresses have an address that is none, or not in a form that is taken.",
    ] {
        assert!(ended.stdout.lines().any(|said| said == line), "{line:?} is not in\n{}", ended.stdout);
    }
}

#[tokio::test]
async fn sidecar_takes_the_addresses_of_its_homeserver_from_sqlite() {
    let folder = sidecar();
    sqlite(&folder);
    assert_taken(&folder, &import(&folder, "homeserver.db").await);
    let again = import(&folder, "homeserver.db").await;
    let line = "addresses                  0             3           1           2";
    assert!(again.stdout.lines().any(|said| said == line), "{}", again.stdout);
    assert_eq!(addresses(&folder).len(), 3);
}

#[tokio::test]
async fn sidecar_takes_the_addresses_of_its_homeserver_from_postgres() {
    let folder = sidecar();
    let homeserver = TestDatabase::create().await;
    homeserver.run(TABLES).await;
    homeserver.run(ROWS).await;
    assert_taken(&folder, &import(&folder, &homeserver.url()).await);
}

#[tokio::test]
async fn sidecar_on_postgres_takes_the_addresses_of_its_homeserver() {
    let database = TestDatabase::create().await;
    let folder = sidecar_on(&database.url());
    sqlite(&folder);
    let rehearsal = ["import", "synapse", "homeserver.db", "--dry-run", "--config", "config.toml"];
    let rehearsed = process::run(folder.path(), &rehearsal).await;
    assert!(rehearsed.stdout.starts_with("Nothing was written."), "{}", rehearsed.stderr);
    let count = "select count(*) from account_threepids";
    assert_eq!(database.run(count).await, ["0"]);
    assert_taken_is_told(&import(&folder, "homeserver.db").await);
    let select = "select localpart || ' ' || medium || ' ' || added_at from account_threepids
        order by localpart collate \"C\", medium";
    let taken = ["Old Name email 50", "alice email 100", "alice msisdn 300"];
    assert_eq!(database.run(select).await, taken);
    let again = import(&folder, "homeserver.db").await;
    let line = "addresses                  0             3           1           2";
    assert!(again.stdout.lines().any(|said| said == line), "{}", again.stdout);
    assert_eq!(database.run(select).await, taken);
}

#[tokio::test]
async fn another_url_is_refused_and_its_password_is_not_told() {
    let folder = sidecar();
    let synapse = "the database is the path of a SQLite file, or postgres://user@host/database";
    let sydent = "the database is the path of a SQLite file";
    for (program, url, expected) in [
        ("synapse", "postgresql+psycopg2://u:PASSWORD@host/db", synapse),
        ("synapse", "mysql://u:PASSWORD@host/db", synapse),
        ("synapse", "POSTGRES://u:PASSWORD@host/db", synapse),
        ("sydent", "postgres://u:PASSWORD@host/db", sydent),
    ] {
        let ended = process::run(folder.path(), &["import", program, url, "--config", "config.toml"]).await;
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{url}");
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        assert!(!ended.stderr.contains("PASSWORD"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn node_takes_the_addresses_of_accounts_that_it_has() {
    let folder = ServeFolder::new("");
    let node = folder.serve().await;
    node.client.register_with_dummy(&RegisterRequest::new("alice", PASSWORD)).await.expect("registered");
    sqlite(&folder);
    let ended = import(&folder, "homeserver.db").await;
    let line = "Left: 1 addresses are of an account that is not here.";
    assert!(ended.stdout.lines().any(|said| said == line), "{}", ended.stdout);
    // The node that runs beside sees them at once.
    let login = LoginRequest::password(UserIdentifier::user("alice"), PASSWORD);
    let access_token = node.client.login(&login).await.expect("logged in").access_token;
    let listed = node.client.with_access_token(access_token).get_account_3pids().await.expect("listed");
    let listed: Vec<_> = listed.threepids.into_iter().map(|threepid| threepid.address).collect();
    assert_eq!(listed, ["shared@example.org", "447700900123"]);
}

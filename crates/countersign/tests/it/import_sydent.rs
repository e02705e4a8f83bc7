//! `countersign import sydent`: an identity server's people move in, and go on as if nothing had happened.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use countersign_client::identity::{EmailAddress, IdentityClient, Msisdn, ThirdPartyIdentifier};
use countersign_storage::test_database::TestDatabase;
use rusqlite::Connection;

use crate::process::{self, Ended, Process, ServeFolder, countersign, until};

pub(crate) const TABLES: &str = include_str!("../../../countersign-storage/tests/fixtures/sydent.sql");

/// How long an import of many rows may take in a build that is not optimized.
const LONG: Duration = Duration::from_secs(240);

const IDENTITY: &str = r#"
[identity]
enabled = true
[identity.terms.privacy_policy]
version = "1.0"
links.en = { name = "Privacy policy", url = "https://example.org/privacy_policy-1.0-en.html" }
"#;

const IMPORT: [&str; 5] = ["import", "sydent", "sydent.db", "--config", "config.toml"];

/// A Sydent's database beside a configuration.
fn sydent(folder: &ServeFolder, rows: &str) -> Connection {
    let database = Connection::open(folder.path().join("sydent.db")).expect("opens");
    database.execute_batch(TABLES).expect("a schema");
    database.execute_batch(rows).expect("rows");
    database
}

async fn import(folder: &ServeFolder, more: &[&str]) -> Ended {
    let ended = process::run(folder.path(), &[&IMPORT[..], more].concat()).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    ended
}

/// What the identity service publishes, in one order.
fn associations(folder: &ServeFolder) -> Vec<String> {
    let database = folder.database();
    let select = "select hex(address_hash) || user_id || bound_at || hex(lookup_key)
        from associations join lookup_keys using (address_hash) order by address_hash, lookup_key";
    let mut statement = database.prepare(select).expect("tables");
    statement.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("text")).collect()
}

#[track_caller]
fn assert_lines(ended: &Ended, lines: &[&str]) {
    for line in lines {
        assert!(ended.stdout.lines().any(|said| said == *line), "{line:?} is not in\n{}", ended.stdout);
    }
    for address in ["example.org", "4477"] {
        assert!(!ended.stdout.contains(address) && !ended.stderr.contains(address), "an address is told");
    }
}

const ROWS: &str = "
    insert into local_threepid_associations (medium, address, mxid, ts, notBefore, notAfter) values
        ('email', 'alice@example.org', '@alice:a.example', 1000, 0, 9999999999999),
        ('email', 'bob@example.org', '@bob:b.example', 1000, 0, 9999999999999),
        ('email', 'Bob@Example.org', '@robert:b.example', 3000, 0, 9999999999999),
        ('email', 'BOB@example.org', '@bobby:b.example', 2000, 0, 9999999999999),
        ('msisdn', '447700900123', '@carol:c.example:8448', 1000, 0, 9999999999999),
        ('email', 'gone@example.org', null, 1000, null, null),
        ('email', 'old@example.org', '@old:a.example', 1000, 0, 2000),
        ('email', 'nobody', '@nobody:a.example', 1000, 0, 9999999999999),
        ('email', 'odd@example.org', 'odd', 1000, 0, 9999999999999),
        ('fax', '123', '@fax:a.example', 1000, 0, 9999999999999);
    insert into global_threepid_associations
        (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc) values
        ('email', 'alice@example.org', '@alice:a.example', 1000, 0, 9999999999999, 'id.example.org', 1, '{}'),
        ('email', 'other@example.org', '@other:a.example', 1000, 0, 9999999999999, 'vector.im', 1, '{}');
    insert into invite_tokens (medium, address, room_id, sender, token, received_ts, sent_ts) values
        ('email', 'Invited@example.org', '!room:a.example', '@alice:a.example', 'waits', 1700000000, null),
        ('email', 'alice@example.org', '!room:a.example', '@bob:b.example', 'sent', 1700000000, 1700000001),
        ('msisdn', '447700900123', '!room:a.example', '@bob:b.example', 'phone', 1700000000, null);
    insert into ephemeral_public_keys (public_key, persistence_ts) values ('ZXBoZW1lcmFsIGtleQ', 1700000000);
    insert into hashing_metadata values (1, 'matrixrocks');
    insert into accounts values ('@alice:a.example', 1700000000000, null);
    insert into tokens values ('syd_alice', '@alice:a.example'), ('syd_bob', '@bob:b.example');
    insert into accepted_terms_urls values
        ('@alice:a.example', 'https://example.org/privacy_policy-1.0-en.html'),
        ('@alice:a.example', 'https://example.org/older.html');
    insert into threepid_validation_sessions (medium, address, clientSecret, mtime) values
        ('email', 'new@example.org', 'secret', 1);";

#[tokio::test]
async fn people_move_in_and_are_found_as_before() {
    let folder = ServeFolder::new(IDENTITY);
    assert_people_move_in(&folder, async || associations(&folder)).await;
}

#[tokio::test]
async fn people_move_into_postgres_and_are_found_as_before() {
    let database = TestDatabase::create().await;
    let folder = ServeFolder::on(&database.url(), IDENTITY);
    let select = "select encode(address_hash, 'hex') || user_id || bound_at || encode(lookup_key, 'hex')
        from associations join lookup_keys using (address_hash) order by address_hash, lookup_key";
    assert_people_move_in(&folder, async || database.run(select).await).await;
}

/// Imports twice, the second time for nothing. `associations` is what is published so far.
async fn assert_people_move_in(folder: &ServeFolder, associations: impl AsyncFn() -> Vec<String>) {
    sydent(folder, ROWS);
    let seed = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0";
    fs::write(
        folder.path().join("sydent.conf"),
        format!("[crypto]\ned25519.signingkey = ed25519 0 {seed}\n"),
    )
    .expect("writable");
    let with_key = ["--sydent-config", "sydent.conf"];

    let rehearsed = import(folder, &["--dry-run"]).await;
    assert!(rehearsed.stdout.starts_with("Nothing was written."), "{}", rehearsed.stdout);
    assert!(associations().await.is_empty());

    let ended = import(folder, &with_key).await;
    assert_lines(
        &ended,
        &[
            "                       taken  here already      merged        left",
            "associations               3             0           2           6",
            "invitations                2             0           0           1",
            "ephemeral keys             1             0           0           0",
            "access tokens              2             0           0           0",
            "accepted terms             1             0           0           1",
            "sessions                   0             0           0           1",
            "Merged: 2 associations have the address of another, written otherwise.",
            "Left: 1 associations were unbound.",
            "Left: 1 associations have expired.",
            "Left: 1 associations have no good user id.",
            "Left: 1 associations have an address that is none, or not in a form that is taken.",
            "Left: 1 associations are of a medium that is not taken.",
            "Left: 1 associations came from other identity servers, and can be taken back only there.",
            "Left: 1 invitations are of a medium that is not taken.",
            "Left: 1 accepted terms are of documents that identity.terms does not name.",
            "Pepper: taken over; what clients hashed with it finds people.",
            "Signing key: ed25519:0 is the one that this server signs with; restart the nodes that run.",
        ],
    );
    let once = associations().await;
    let again = import(folder, &with_key).await;
    assert_lines(
        &again,
        &[
            "associations               0             2           2           7",
            "Left: 1 associations have an address that is another user's here.",
            "invitations                0             2           0           1",
            "access tokens              0             2           0           0",
            "Pepper: the same already.",
        ],
    );
    assert_eq!(associations().await, once);
    assert!(!again.stderr.contains('\u{1b}'), "a line that changes is for terminals");

    assert_found(folder).await;
}

/// Clients hold what the Sydent gave them: tokens, a pepper, a key.
async fn assert_found(folder: &ServeFolder) {
    let node = folder.serve().await;
    let client = IdentityClient::builder(&node.url).build().expect("a client");
    let alice = client.with_access_token("syd_alice");
    assert_eq!(alice.get_hash_details().await.expect("answered").lookup_pepper, "matrixrocks");
    let email = |address| ThirdPartyIdentifier::from(EmailAddress::parse(address).expect("an address"));
    let phone = ThirdPartyIdentifier::from(Msisdn::from_canonical("447700900123").expect("a number"));
    let asked = [email("alice@example.org"), email("bob@example.org"), phone, email("old@example.org")];
    let found = alice.lookup_addresses(&asked).await.expect("answered");
    let users: Vec<_> = asked.iter().map(|address| found.get(address).map(String::as_str)).collect();
    let expected = [Some("@alice:a.example"), Some("@robert:b.example"), Some("@carol:c.example:8448"), None];
    assert_eq!(users, expected);
    let error = client.with_access_token("syd_bob").get_hash_details().await.expect_err("no terms accepted");
    assert_eq!(error.errcode().map(ToString::to_string).as_deref(), Some("M_TERMS_NOT_SIGNED"));

    let key = client.get_pubkey("ed25519:0").await.expect("answered").public_key;
    assert!(client.is_pubkey_valid(&key).await.expect("answered").valid);
    assert!(client.is_ephemeral_pubkey_valid("ZXBoZW1lcmFsIGtleQ").await.expect("answered").valid);
    assert!(!client.is_ephemeral_pubkey_valid("b3RoZXI").await.expect("answered").valid);
}

#[tokio::test]
async fn associations_that_are_here_keep_their_pepper_and_their_later_users() {
    let folder = ServeFolder::new(IDENTITY);
    let row = |name: &str, ts: u32| {
        format!(
            "insert into local_threepid_associations (medium, address, mxid, ts, notBefore, notAfter)
             values ('email', 'a@example.org', '@{name}:a.example', {ts}, 0, 9999999999999);"
        )
    };
    let database = sydent(&folder, &row("alice", 5000));
    import(&folder, &[]).await;
    let pepper = "insert into hashing_metadata values (1, 'matrixrocks');
        delete from local_threepid_associations;";
    database.execute_batch(&format!("{pepper}{}", row("bob", 4000))).expect("rows");
    let ended = import(&folder, &[]).await;
    assert_lines(
        &ended,
        &[
            "Left: 1 associations have an address that is another user's here.",
            "Pepper: left, for associations are found by ours already; clients learn it at their next lookup.",
            "Signing key: none was given; --sydent-config or --signing-key brings it over.",
        ],
    );
    assert!(associations(&folder)[0].contains("@alice:a.example"));
    database.execute_batch("update local_threepid_associations set ts = 6000").expect("a row");
    import(&folder, &[]).await;
    assert!(associations(&folder)[0].contains("@bob:a.example"));
}

#[tokio::test]
async fn a_hundred_thousand_rows_twice_come_to_the_same_as_once_though_killed_between() {
    let folder = ServeFolder::new(IDENTITY);
    // One in a thousand is there a second time, written otherwise, bound later and by someone else.
    sydent(
        &folder,
        "insert into hashing_metadata values (1, 'matrixrocks');
         insert into local_threepid_associations (medium, address, mxid, ts, notBefore, notAfter)
         with recursive n (n) as (select 0 union all select n + 1 from n where n < 99999)
         select 'email', case when n % 1000 = 999 then 'User' || (n - 1) else 'user' || n end || '@example.org',
            '@user' || n || ':a.example', n, 0, 9999999999999 from n",
    );
    let mut process = Process::start(countersign(folder.path(), &IMPORT));
    let database = folder.path().join("countersign.db");
    let count = || {
        let database = Connection::open(&database)?;
        database.query_row("select count(*) from associations", [], |row| row.get::<_, u32>(0))
    };
    until("rows come", async || count().is_ok_and(|count| count != 0)).await;
    process.kill();
    let came = count().expect("readable");
    let rows = (1..200).map(|batches| batches * 500).find(|rows| rows - rows / 1000 == came);
    let rows = rows.unwrap_or_else(|| panic!("a batch comes as a whole, and not all came: {came}"));

    let run = async || Process::start(countersign(folder.path(), &IMPORT)).ended_within(LONG).await;
    let ended = run().await;
    // Of those that were merged before, the first is another user's now.
    let (there, left) = (came - rows / 1000, rows / 1000);
    let line = format!("associations{:>16}{there:>14}{:>12}{left:>12}", 99_900 - came, 100);
    assert_lines(&ended, &[&line]);
    assert!(
        ended.stderr.contains("taking over associations: 100000 of 100000 rows, 100 %"),
        "{}",
        ended.stderr
    );
    let once = associations(&folder);
    assert_eq!(once.len(), 99_900);
    assert!(once.iter().any(|row| row.contains("@user999:a.example")), "the later one has it");
    assert!(!once.iter().any(|row| row.contains("@user998:a.example")));
    let ended = run().await;
    assert!(ended.stdout.contains("associations               0"), "{}", ended.stdout);
    assert!(associations(&folder) == once, "the same came to something else");
}

#[tokio::test]
async fn what_is_no_sydent_is_refused_and_changes_nothing() {
    let folder = ServeFolder::new("");
    let refused = async |arguments: &[&str], words: &str| {
        let ended =
            process::run(folder.path(), &[&["import"], arguments, &["-c", "config.toml"]].concat()).await;
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{words:?} is not in\n{}", ended.stderr);
        assert!(!folder.path().join("countersign.db").exists());
    };
    refused(&["sydent", "none.db"], "there is no database at none.db").await;
    Connection::open(folder.path().join("empty.db")).unwrap().execute_batch("create table t (a)").unwrap();
    refused(&["sydent", "empty.db"], "has no table local_threepid_associations: it is not one of Sydent")
        .await;
    refused(&["synapse", "empty.db"], "has no table user_threepids: it is not one of Synapse").await;
    sydent(&folder, "");
    fs::write(folder.path().join("key"), "ed25519 0 secretsecret").unwrap();
    refused(&["sydent", "sydent.db", "--signing-key", "key"], "key: ").await;
    refused(&["sydent", "sydent.db", "--sydent-config", "key"], "there is no ed25519.signingkey").await;
    fs::write(folder.path().join("key"), "ed25519 0 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0").unwrap();
    fs::set_permissions(folder.path().join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    folder.write_config(&folder.config().replacen("[keys]", "[keys]\nsigning_key_file = \"key\"", 1));
    refused(&["sydent", "sydent.db", "--signing-key", "key"], "keys.signing_key_file names the key").await;
}

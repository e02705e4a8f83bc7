//! `countersign export`: everything is written out, but for secrets.

use std::{fs, os::unix::fs::PermissionsExt as _};

use countersign_client::RegisterRequest;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    import_sydent,
    process::{self, ServeFolder},
    support::PASSWORD,
};

const ROWS: &str = "
    insert into local_threepid_associations (medium, address, mxid, ts, notBefore, notAfter) values
        ('email', 'Alice@example.org', '@alice:a.example', 1000, 0, 9999999999999);
    insert into invite_tokens (medium, address, room_id, sender, token, received_ts, sent_ts) values
        ('email', 'invited@example.org', '!room:a.example', '@alice:a.example', 'waits', 1700000000, null);
    insert into hashing_metadata values (1, 'matrixrocks');
    insert into tokens values ('syd_alice', '@alice:a.example');
    create table user_threepids (user_id, medium, address, validated_at, added_at);
    insert into user_threepids values ('@alice:example.org', 'msisdn', '447700900123', 10, 300);";

const SEED: &str = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0";

async fn run(folder: &ServeFolder, arguments: &[&str]) -> process::Ended {
    process::run(folder.path(), &[arguments, &["--config", "config.toml"]].concat()).await
}

async fn filled() -> ServeFolder {
    let folder = ServeFolder::new("");
    let node = folder.serve().await;
    node.client.register_with_dummy(&RegisterRequest::new("alice", PASSWORD)).await.expect("registered");
    let database = Connection::open(folder.path().join("other.db")).expect("opens");
    database.execute_batch(import_sydent::TABLES).expect("a schema");
    database.execute_batch(ROWS).expect("rows");
    fs::write(folder.path().join("key"), format!("ed25519 0 {SEED}\n")).expect("writable");
    for arguments in
        [&["import", "sydent", "other.db", "--signing-key", "key"][..], &["import", "synapse", "other.db"]]
    {
        let ended = run(&folder, arguments).await;
        assert!(ended.status.success(), "{}", ended.stderr);
    }
    folder
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The only line of a type, without those of its fields that hold the time of the test.
fn of_type(lines: &[Value], name: &str) -> Value {
    let mut found: Vec<_> = lines.iter().filter(|line| line["type"] == name).cloned().collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    let mut line = found.remove(0);
    let object = line.as_object_mut().expect("an object");
    object.retain(|key, value| {
        !(key.ends_with("_at") && value.as_i64().is_some_and(|at| 1_700_000_000_000 < at))
    });
    line
}

#[tokio::test]
async fn everything_is_written_out_in_clear_but_no_secret() {
    let folder = filled().await;
    let ended = run(&folder, &["export"]).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stderr.contains("holds the addresses of all users in clear"), "{}", ended.stderr);
    let lines = lines(&ended.stdout);
    assert!(ended.stderr.contains(&format!("Wrote {} lines.", lines.len())), "{}", ended.stderr);
    assert_eq!(lines[0]["type"], "export");
    assert_eq!((&lines[0]["format"], &lines[0]["server_name"]), (&json!(1), &json!("example.org")));
    for expected in [
        json!({ "type": "account", "user_id": "@alice:example.org", "deactivated_at": null }),
        json!({
            "type": "threepid", "user_id": "@alice:example.org", "medium": "msisdn", "address": "447700900123",
            "validated_at": 10, "added_at": 300,
        }),
        json!({
            "type": "association", "medium": "email", "address": "alice@example.org",
            "user_id": "@alice:a.example", "bound_at": 1000,
        }),
        json!({
            "type": "invitation", "medium": "email", "sender": "@alice:a.example", "handed_over_at": null,
            "created_at": 1_700_000_000_000_i64,
            "details": { "token": "waits", "address": "invited@example.org", "room_id": "!room:a.example" },
        }),
        json!({ "type": "identity_account", "user_id": "@alice:a.example" }),
        json!({ "type": "pepper", "pepper": "matrixrocks", "state": "current" }),
    ] {
        assert_eq!(of_type(&lines, expected["type"].as_str().expect("text")), expected);
    }
    assert!(lines.iter().any(|line| line["type"] == "device" && line["user_id"] == "@alice:example.org"));
    assert!(lines.iter().any(|line| line["key_id"] == "ed25519:0" && line["retired_at"].is_null()));
    for secret in [SEED, "syd_alice", "argon2", "private_key"] {
        assert!(!ended.stdout.contains(secret), "{secret} is written out");
    }
}

#[tokio::test]
async fn file_is_for_its_owner_and_never_written_over() {
    let folder = ServeFolder::new("");
    let export = ["export", "--output", "out.jsonl"];
    let ended = run(&folder, &export).await;
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    let path = folder.path().join("out.jsonl");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let written = fs::read_to_string(&path).expect("readable");
    assert_eq!(lines(&written)[0]["type"], "export");
    let ended = run(&folder, &export).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("can't make out.jsonl"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&path).expect("readable"), written);
}

#[tokio::test]
async fn file_is_gone_when_the_export_fails() {
    let folder = ServeFolder::new("");
    let export = ["export", "--output", "out.jsonl"];
    assert!(run(&folder, &export).await.status.success());
    let path = folder.path().join("out.jsonl");
    fs::remove_file(&path).expect("it is there");
    // The database is another key's.
    folder.write_master_key();
    let ended = run(&folder, &export).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("does not fit the database"), "{}", ended.stderr);
    assert!(!path.exists(), "an empty file is left");
}

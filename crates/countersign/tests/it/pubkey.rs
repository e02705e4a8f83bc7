//! The keys that the identity service and the node sign with, as others ask for them.

use std::time::Duration;

use axum::http::Method;
use countersign_api::{
    federation::keys::SERVER_KEYS,
    identity::pubkey::{EPHEMERAL_IS_VALID, IS_VALID},
};
use countersign_core::{PublicKey, ServerKeys, ServerName, decode_base64};
use serde_json::{Value, json};

use crate::support::TestNode;

async fn server_keys(node: &TestNode) -> Value {
    node.call(Method::GET, &format!("/_matrix{SERVER_KEYS}")).send().await.ok()
}

/// The id and the public half of the key that the node signs with.
async fn current_key(node: &TestNode) -> (String, String) {
    let keys = server_keys(node).await;
    let (id, key) = keys["verify_keys"].as_object().expect("keys").iter().next().expect("one key");
    (id.clone(), key["key"].as_str().expect("a key").to_owned())
}

async fn is_valid(node: &TestNode, path: &str, key: &str) -> Value {
    node.identity_get(&format!("{path}?public_key={key}")).send().await.ok()
}

#[tokio::test]
async fn the_node_publishes_its_keys_signed() {
    let node = TestNode::start().await;
    let keys = server_keys(&node).await;
    let name = ServerName::parse("localhost").expect("a name");
    let read = ServerKeys::parse(keys.as_object().expect("an object"), &name).expect("signed keys");
    let (id, key) = current_key(&node).await;
    assert!(id.len() == 14 && id.starts_with("ed25519:"), "{id}");
    let found = read.keys.iter().next().expect("one key");
    assert_eq!((found.0.as_str(), *found.1), (id.as_str(), PublicKey::parse(&key).expect("a key")));
    assert_eq!(keys["old_verify_keys"], json!({}));
    let now = node.clock_millis();
    assert!((now..now + 7 * 24 * 3_600_000).contains(&keys["valid_until_ts"].as_i64().expect("a time")));
}

#[tokio::test]
async fn a_key_is_found_by_its_id_with_the_algorithm() {
    let node = TestNode::start().await;
    let (id, key) = current_key(&node).await;
    for path in [id.clone(), id.replace(':', "%3A")] {
        let found = node.identity_get(&format!("/identity/v2/pubkey/{path}")).send().await;
        assert_eq!(found.ok(), json!({ "public_key": key }), "{path}");
    }
    for path in ["ed25519:0", &id[8..], "curve25519:a", "%00", "%ff"] {
        let missing = node.identity_get(&format!("/identity/v2/pubkey/{path}")).send().await;
        missing.expect_error(404, "M_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_long_term_key_is_valid_in_either_alphabet_and_unescaped() {
    let node = TestNode::start().await;
    let (_, key) = current_key(&node).await;
    let url_safe = key.replace('+', "-").replace('/', "_");
    for text in [&key, &url_safe, &key.replace('+', "%2B"), &format!("{key}="), &key.replace('+', "%20")] {
        assert_eq!(is_valid(&node, IS_VALID, text).await, json!({"valid": true}), "{text}");
    }
    for text in ["", "x", &key[1..], "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(is_valid(&node, IS_VALID, text).await, json!({"valid": false}), "{text}");
    }
    for path in [IS_VALID, EPHEMERAL_IS_VALID] {
        node.identity_get(path).send().await.expect_error(400, "M_MISSING_PARAMS");
        assert_eq!(is_valid(&node, path, "unknown").await, json!({"valid": false}));
    }
    assert_eq!(is_valid(&node, EPHEMERAL_IS_VALID, &key).await, json!({"valid": false}));
}

#[tokio::test]
async fn the_key_stays_when_the_node_restarts_and_gives_way_to_the_operators() {
    let node = TestNode::start().await;
    let (id, key) = current_key(&node).await;
    let node = node.restart(|_| {}).await;
    assert_eq!(current_key(&node).await, (id.clone(), key.clone()));
    let file = node.folder().join("signing.key");
    std::fs::write(&file, "ed25519 auto YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1\n").expect("writable");
    let node = node.restart(|config| config.keys.signing_key_file = Some(file)).await;
    let (own_id, own_key) = current_key(&node).await;
    assert_eq!((own_id.as_str(), own_key.len()), ("ed25519:auto", 43));
    // What the old key signed still holds.
    let keys = server_keys(&node).await;
    assert_eq!(keys["old_verify_keys"][&id]["key"], key.as_str());
    for known in [&key, &own_key] {
        let escaped = known.replace('+', "%2B");
        assert_eq!(is_valid(&node, IS_VALID, &escaped).await, json!({"valid": true}));
    }
}

#[tokio::test]
async fn a_key_that_another_node_brought_is_known_without_a_restart() {
    let node = TestNode::start().await;
    let (id, key) = current_key(&node).await;
    // As of another node: the public half of the specification's test key, which this node does not sign with.
    let other = "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI";
    let hex: String =
        decode_base64(other).expect("base64").iter().map(|byte| format!("{byte:02x}")).collect();
    let bytes = match std::env::var("COUNTERSIGN_TEST_STORAGE").as_deref() {
        Ok("postgres") => format!("decode('{hex}', 'hex')"),
        _ => format!("x'{hex}'"),
    };
    node.look_up(&format!(
        "insert into signing_keys (key_id, sealed_seed, public_key, created_at)
         select 'ed25519:other', sealed_seed, {bytes}, created_at from signing_keys returning key_id"
    ));
    let found = |path: String| node.identity_get(&path).send();
    node.let_pass(Duration::from_secs(11)).await;
    assert_eq!(
        found("/identity/v2/pubkey/ed25519:other".to_owned()).await.ok(),
        json!({ "public_key": other })
    );
    assert_eq!(is_valid(&node, IS_VALID, other).await, json!({"valid": true}));
    let keys = server_keys(&node).await;
    assert_eq!(keys["verify_keys"], json!({ &id: { "key": key }, "ed25519:other": { "key": other } }));
    // Whoever asks for what there is not does not have the database asked each time.
    node.look_up(
        "update signing_keys set key_id = 'ed25519:later' where key_id = 'ed25519:other' returning key_id",
    );
    found("/identity/v2/pubkey/ed25519:later".to_owned()).await.expect_error(404, "M_NOT_FOUND");
    node.let_pass(Duration::from_secs(11)).await;
    assert_eq!(
        found("/identity/v2/pubkey/ed25519:later".to_owned()).await.ok(),
        json!({ "public_key": other })
    );
}

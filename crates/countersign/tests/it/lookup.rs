//! Finding users by the hashes of their addresses.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use countersign::config::LookupAlgorithm;
use countersign_api::identity::lookup::{HASH_DETAILS, LOOKUP};
use countersign_core::{LookupDigest, Medium};
use serde_json::{Value, json};

use crate::{steps::hashed, support::TestNode, wire::Call};

const EMAIL: &str = "alice@example.org";

fn look_up(node: &TestNode, token: &str, body: &Value) -> Call {
    node.identity_post(LOOKUP, body).token(token)
}

#[tokio::test]
async fn users_are_found_by_the_hashes_of_their_addresses_under_what_was_sent() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    node.bind_email(&token, EMAIL, "@alice:localhost").await;
    let pepper = node.pepper(&token).await;
    let hash = hashed(Medium::Email, EMAIL, &pepper);
    let others = [
        hashed(Medium::Email, "bob@example.org", &pepper),
        hashed(Medium::Email, EMAIL, &format!("{pepper}x")),
        format!("{hash}="),
        hash.replace(['-', '_'], "+"),
        "\u{1f642}".to_owned(),
        EMAIL.to_owned(),
        format!("{EMAIL} email"),
        String::new(),
    ];
    let others = others.into_iter().filter(|other| *other != hash);
    let sent: Vec<String> = [hash.clone(), hash.clone()].into_iter().chain(others).collect();
    let found = node.look_up_hashes(&token, &pepper, &sent).send().await.ok();
    assert_eq!(found, json!({"mappings": {hash: "@alice:localhost"}}));
    let nobody = node.look_up_hashes(&token, &pepper, &[]).send().await.ok();
    assert_eq!(nobody, json!({"mappings": {}}));
}

#[tokio::test]
async fn the_service_says_how_to_hash() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let details = node.identity_get(HASH_DETAILS).token(&token).send().await.ok();
    assert_eq!(details["algorithms"], json!(["sha256"]));
    let pepper = details["lookup_pepper"].as_str().expect("a string");
    assert!(20 < pepper.len() && pepper.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{pepper}");
    let node = node.restart(|_| {}).await;
    assert_eq!(node.pepper(&token).await, pepper);
}

#[tokio::test]
async fn an_old_pepper_is_answered_with_the_new_one_and_an_unknown_algorithm_comes_first() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let pepper = node.pepper(&token).await;
    for wrong in ["matrixrocks", "", "not a pepper", &pepper[1..]] {
        let body = json!({"algorithm": "sha256", "pepper": wrong, "addresses": []});
        let answer = look_up(&node, &token, &body).send().await;
        answer.expect_error(400, "M_INVALID_PEPPER");
        let told = answer.json();
        assert_eq!((&told["algorithm"], &told["lookup_pepper"]), (&json!("sha256"), &json!(pepper)));
    }
    for algorithm in ["none", "SHA256", "sha512", ""] {
        let body = json!({"algorithm": algorithm, "pepper": "wrong", "addresses": []});
        look_up(&node, &token, &body).send().await.expect_error(400, "M_INVALID_PARAM");
    }
}

#[tokio::test]
async fn addresses_in_clear_are_looked_up_where_the_operator_allows_that() {
    let node = TestNode::start_with(|config| {
        config.identity.lookup_algorithms = vec![LookupAlgorithm::Sha256, LookupAlgorithm::None];
    })
    .await;
    let token = node.identity_user("alice").await;
    node.bind_email(&token, EMAIL, "@alice:localhost").await;
    let pepper = node.pepper(&token).await;
    let sent = ["Alice@Example.org email", "alice@example.org msisdn", "bob@example.org email", ""];
    let body = json!({"algorithm": "none", "pepper": pepper, "addresses": sent});
    let found = look_up(&node, &token, &body).send().await.ok();
    assert_eq!(found, json!({"mappings": {sent[0]: "@alice:localhost"}}));
    let body = json!({"algorithm": "none", "pepper": "wrong", "addresses": sent});
    look_up(&node, &token, &body).send().await.expect_error(400, "M_INVALID_PEPPER");
}

#[tokio::test]
async fn one_lookup_names_so_many_addresses_and_a_user_so_many_in_an_hour() {
    let node = TestNode::start_with(|config| {
        config.identity.lookup_limit = NonZeroUsize::new(300).expect("not 0");
        config.limits.lookups_per_user_per_hour = NonZeroU32::new(4).expect("not 0");
    })
    .await;
    let (alice, bob) = (node.identity_user("alice").await, node.identity_user("bob").await);
    let pepper = node.pepper(&alice).await;
    let addresses = |count| vec![String::new(); count];
    let too_many = node.look_up_hashes(&alice, &pepper, &addresses(301)).send().await;
    too_many.expect_error(400, "M_TOO_LARGE");
    node.look_up_hashes(&alice, &pepper, &addresses(201)).send().await.ok();
    node.look_up_hashes(&alice, &pepper, &addresses(1)).send().await.ok();
    let limited = node.look_up_hashes(&alice, &pepper, &addresses(1)).send().await;
    limited.expect_error(429, "M_LIMIT_EXCEEDED");
    assert!(limited.header("retry-after").is_some());
    node.look_up_hashes(&bob, &pepper, &addresses(1)).send().await.ok();
    node.let_pass(Duration::from_secs(3600)).await;
    node.look_up_hashes(&alice, &pepper, &addresses(300)).send().await.ok();
}

#[tokio::test]
async fn a_lookup_may_be_larger_than_other_bodies() {
    let node = TestNode::start_with(|config| config.server.max_body_bytes = 1024).await;
    let token = node.identity_user("alice").await;
    let pepper = node.pepper(&token).await;
    let addresses = vec!["x".repeat(43); 1000];
    node.look_up_hashes(&token, &pepper, &addresses).send().await.ok();
}

#[tokio::test]
async fn nothing_that_clients_hash_is_in_the_database() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    node.bind_email(&token, EMAIL, "@alice:localhost").await;
    let hash = hashed(Medium::Email, EMAIL, &node.pepper(&token).await);
    let digest = LookupDigest::parse(&hash).expect("a digest");
    let bytes = node.database_bytes();
    for secret in [&digest.as_bytes()[..], EMAIL.as_bytes(), hash.as_bytes()] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
async fn whoever_is_bound_is_found_by_the_next_lookup_and_whoever_is_not_by_none() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    assert_eq!(node.look_up_email(&token, EMAIL).await, None);
    let emails: Vec<_> = (0..8).map(|number| format!("user{number}@example.org")).collect();
    for (count, email) in emails.iter().enumerate() {
        node.bind_email(&token, email, "@alice:localhost").await;
        for (number, email) in emails.iter().enumerate() {
            let found = node.look_up_email(&token, email).await;
            assert_eq!(found.as_deref(), (number <= count).then_some("@alice:localhost"), "{email}");
        }
    }
}

//! Finding people by their addresses.

use std::error::Error as _;

use countersign_client::{
    ErrorCode,
    identity::{EmailAddress, Msisdn, ThirdPartyIdentifier},
};
use serde_json::json;

use super::client_of;
use crate::scripted_node::{ScriptedNode, answer};

const ALICE: &str = "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc";
const BOB: &str = "LJwSazmv46n0hlMlsb_iYxI0_HXEqy_yj6Jm636cdT8";
const PHONE: &str = "nlo35_T5fzSGZzJApqu8lgIudJvmOQtDaHtr-I4rU7I";

fn email(address: &str) -> ThirdPartyIdentifier {
    EmailAddress::parse(address).unwrap().into()
}

fn phone(number: &str) -> ThirdPartyIdentifier {
    Msisdn::from_canonical(number).unwrap().into()
}

fn hash_details(pepper: &str) -> String {
    let body = json!({"lookup_pepper": pepper, "algorithms": ["none", "sha256"]});
    answer(200, "", &body.to_string())
}

#[tokio::test]
async fn people_are_found_by_their_addresses() {
    let mappings = json!({"mappings": {ALICE: "@alice:x", PHONE: "@phone:x", "foreign": "@foreign:x"}});
    let node =
        ScriptedNode::start(vec![hash_details("matrixrocks"), answer(200, "", &mappings.to_string())]).await;
    let addresses = [email("Alice@Example.com"), email("bob@example.com"), phone("18005552067")];
    let found = client_of(&node).lookup_addresses(&addresses).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[&email("alice@example.com")], "@alice:x");
    assert_eq!(found[&phone("18005552067")], "@phone:x");
    let received = node.received().await;
    assert_eq!(received[0].line, "GET /_matrix/identity/v2/hash_details");
    assert_eq!(received[1].line, "POST /_matrix/identity/v2/lookup");
    for request in &received {
        assert_eq!(request.header("authorization"), Some("Bearer tok"));
    }
    let expected = json!({"algorithm": "sha256", "pepper": "matrixrocks", "addresses": [ALICE, BOB, PHONE]});
    assert_eq!(received[1].json(), expected);
}

#[tokio::test]
async fn a_pepper_that_has_changed_is_asked_for_again() {
    let changed = answer(400, "", r#"{"errcode":"M_INVALID_PEPPER","error":"Changed"}"#);
    let mappings = json!({"mappings": {ALICE: "@alice:x"}}).to_string();
    let answers = vec![hash_details("old"), changed, hash_details("matrixrocks"), answer(200, "", &mappings)];
    let node = ScriptedNode::start(answers).await;
    let found = client_of(&node).lookup_addresses(&[email("alice@example.com")]).await.unwrap();
    assert_eq!(found.len(), 1);
    let received = node.received().await;
    assert_eq!(received[1].json()["pepper"], "old");
    assert_eq!(received[3].json()["pepper"], "matrixrocks");
}

#[tokio::test]
async fn a_pepper_that_never_fits_is_an_error() {
    let changed = || answer(400, "", r#"{"errcode":"M_INVALID_PEPPER","error":"Changed"}"#);
    let node = ScriptedNode::start(vec![hash_details("a"), changed(), hash_details("b"), changed()]).await;
    let error = client_of(&node).lookup_addresses(&[email("alice@example.com")]).await.unwrap_err();
    // A third try would meet nobody.
    assert_eq!(error.errcode(), Some(&ErrorCode::InvalidPepper));
}

#[tokio::test]
async fn a_pepper_by_which_one_digest_could_be_two_addresses_is_refused() {
    let node = ScriptedNode::start(vec![hash_details("a b")]).await;
    let error = client_of(&node).lookup_addresses(&[email("alice@example.com")]).await.unwrap_err();
    assert_eq!((error.status(), error.errcode()), (None, None));
    assert_eq!(error.to_string(), "the identity service hashes addresses in a way of its own");
    assert!(error.source().is_some());
    node.received_one().await;
}

#[tokio::test]
async fn many_addresses_are_looked_up_in_parts() {
    let mappings = r#"{"mappings":{}}"#;
    let answers = vec![hash_details("p"), answer(200, "", mappings), answer(200, "", mappings)];
    let node = ScriptedNode::start(answers).await;
    let addresses: Vec<_> = (0..1001).map(|index| email(&format!("user{index}@example.com"))).collect();
    assert!(client_of(&node).lookup_addresses(&addresses).await.unwrap().is_empty());
    let received = node.received().await;
    let asked = |index: usize| received[index].json()["addresses"].as_array().unwrap().len();
    assert_eq!((asked(1), asked(2)), (1000, 1));
}

#[tokio::test]
async fn nothing_is_asked_about_no_address() {
    let node = ScriptedNode::start(Vec::new()).await;
    assert!(client_of(&node).lookup_addresses(&[]).await.unwrap().is_empty());
}

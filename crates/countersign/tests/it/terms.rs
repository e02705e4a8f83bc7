//! `m.login.terms`: policies that people accept when they register.

use countersign::config::{Config, PolicyConfig, PolicyLinkConfig, Stage};
use countersign_api::client::register::REGISTER;
use serde_json::{Value, json};

use crate::{
    support::{PASSWORD, START, TestNode},
    wire::Answer,
};

const TERMS: &str = "m.login.terms";

fn policy(version: &str, languages: &[&str]) -> PolicyConfig {
    let link = |language: &&str| {
        let link = PolicyLinkConfig {
            name: format!("Policy ({language})"),
            url: format!("https://example.org/{language}/policy"),
        };
        ((*language).to_owned(), link)
    };
    PolicyConfig { version: version.to_owned(), links: languages.iter().map(link).collect() }
}

fn with_terms(config: &mut Config) {
    config.registration.flows = vec![vec![Stage::Terms, Stage::Dummy]];
    config.terms.0.insert("privacy_policy".to_owned(), policy("1.0", &["en", "de"]));
    config.terms.0.insert("rules".to_owned(), policy("2026-11", &["en"]));
}

async fn round(node: &TestNode, stage: &str, session: &Value) -> Answer {
    let body = json!({"username": "alice", "password": PASSWORD});
    node.register_round(body, json!({"type": stage, "session": session})).send().await
}

fn accepted(node: &TestNode) -> Vec<(String, String, String, i64)> {
    let database = node.database();
    let query = "select localpart, policy, version, accepted_at from terms_acceptances order by policy";
    let mut statement = database.prepare(query).expect("the table is there");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    rows.expect("it runs").map(|row| row.expect("a row")).collect()
}

#[tokio::test]
async fn what_is_accepted_is_shown_before_and_kept_after() {
    let node = TestNode::start_with(with_terms).await;
    let asked = node.post(REGISTER, &json!({})).send().await.json();
    let link = |language: &str| {
        let url = format!("https://example.org/{language}/policy");
        json!({"name": format!("Policy ({language})"), "url": url})
    };
    let expected = json!({TERMS: {"policies": {
        "privacy_policy": {"version": "1.0", "en": link("en"), "de": link("de")},
        "rules": {"version": "2026-11", "en": link("en")},
    }}});
    assert_eq!(asked["params"], expected);
    let session = &asked["session"];
    let next = round(&node, TERMS, session).await;
    assert_eq!((next.stage_errcode(), next.completed()), (None, vec![TERMS.to_owned()]));
    assert_eq!(next.json()["params"], expected);
    assert!(accepted(&node).is_empty());
    round(&node, "m.login.dummy", session).await.ok();
    let row = |policy: &str, version: &str| {
        ("alice".to_owned(), policy.to_owned(), version.to_owned(), START.as_millis())
    };
    assert_eq!(accepted(&node), [row("privacy_policy", "1.0"), row("rules", "2026-11")]);
}

#[tokio::test]
async fn nobody_accepts_what_was_not_shown() {
    let node = TestNode::start_with(with_terms).await;
    let at_once = round(&node, TERMS, &Value::Null).await;
    assert_eq!((at_once.stage_errcode().as_deref(), at_once.completed().len()), (Some("M_FORBIDDEN"), 0));
    let asked = at_once.json();
    assert!(asked["params"][TERMS]["policies"].is_object(), "{asked}");
    // Now it was.
    assert_eq!(round(&node, TERMS, &asked["session"]).await.completed(), [TERMS]);
    round(&node, "m.login.dummy", &asked["session"]).await.ok();
}

#[tokio::test]
async fn the_versions_that_were_shown_are_those_that_are_kept() {
    let node = TestNode::start_with(with_terms).await;
    let session = node.begin_registration(json!({})).await;
    let node = node
        .restart(|config| {
            with_terms(config);
            config.terms.0.insert("rules".to_owned(), policy("2027-01", &["en"]));
        })
        .await;
    round(&node, TERMS, &session).await.completed();
    round(&node, "m.login.dummy", &session).await.ok();
    let versions: Vec<_> = accepted(&node).into_iter().map(|(_, _, version, _)| version).collect();
    assert_eq!(versions, ["1.0", "2026-11"]);
}

#[tokio::test]
async fn flows_without_terms_show_none() {
    let node = TestNode::start_with(|config| {
        with_terms(config);
        config.registration.flows = vec![vec![Stage::Dummy]];
    })
    .await;
    let asked = node.post(REGISTER, &json!({})).send().await.json();
    assert_eq!(asked["params"], json!({}));
    node.register("alice").await;
    assert!(accepted(&node).is_empty());
}

//! The terms of the identity service: shown to anyone, accepted by their URLs, and asked for before anything else works.

use axum::http::Method;
use countersign::config::{Config, PolicyConfig, PolicyLinkConfig};
use countersign::http::{Access, identity_routes};
use countersign_api::identity::{
    account::{ACCOUNT, LOGOUT},
    terms::TERMS,
    versions::STATUS,
};
use serde_json::{Value, json};

use crate::{
    steps::identity,
    support::TestNode,
    wire::{Answer, Call},
};

fn url(policy: &str, version: &str, language: &str) -> String {
    format!("https://example.org/{policy}-{version}-{language}.html")
}

fn with_policy(config: &mut Config, policy: &str, version: &str, languages: &[&str]) {
    let link = |language: &&str| {
        let link =
            PolicyLinkConfig { name: format!("{policy} ({language})"), url: url(policy, version, language) };
        ((*language).to_owned(), link)
    };
    let links = languages.iter().map(link).collect();
    let section = PolicyConfig { version: version.to_owned(), links };
    config.identity.terms.0.insert(policy.to_owned(), section);
}

fn two_policies(config: &mut Config) {
    with_policy(config, "privacy", "1.2", &["en", "de"]);
    with_policy(config, "terms", "2", &["en"]);
}

fn accept(node: &TestNode, token: &str, urls: &[String]) -> Call {
    node.identity_post(TERMS, &json!({ "user_accepts": urls })).token(token)
}

async fn account(node: &TestNode, token: &str) -> Answer {
    node.identity_get(ACCOUNT).token(token).send().await
}

#[tokio::test]
async fn policies_are_shown_to_anyone_with_their_languages_beside_the_version() {
    let node = TestNode::start_with(two_policies).await;
    let expected = json!({"policies": {
        "privacy": {
            "version": "1.2",
            "en": {"name": "privacy (en)", "url": url("privacy", "1.2", "en")},
            "de": {"name": "privacy (de)", "url": url("privacy", "1.2", "de")},
        },
        "terms": {"version": "2", "en": {"name": "terms (en)", "url": url("terms", "2", "en")}},
    }});
    assert_eq!(node.identity_get(TERMS).send().await.ok(), expected);
}

#[tokio::test]
async fn without_policies_there_is_nothing_to_accept() {
    let node = TestNode::start().await;
    assert_eq!(node.identity_get(TERMS).send().await.ok(), json!({"policies": {}}));
    let token = node.identity_user("alice").await;
    account(&node, &token).await.ok();
    assert_eq!(accept(&node, &token, &[url("terms", "2", "en")]).send().await.ok(), json!({}));
}

#[tokio::test]
async fn only_who_accepted_every_policy_gets_in() {
    let node = TestNode::start_with(two_policies).await;
    let token = node.identity_user("alice").await;
    account(&node, &token).await.expect_error(403, "M_TERMS_NOT_SIGNED");
    // Some at a time, each in one language, which stands for all.
    assert_eq!(accept(&node, &token, &[url("privacy", "1.2", "de")]).send().await.ok(), json!({}));
    account(&node, &token).await.expect_error(403, "M_TERMS_NOT_SIGNED");
    accept(&node, &token, &[url("terms", "2", "en")]).send().await.ok();
    account(&node, &token).await.ok();
    // What was accepted before stays accepted, whatever comes later.
    accept(&node, &token, &[]).send().await.ok();
    accept(&node, &token, &[url("terms", "2", "en"), url("terms", "2", "en")]).send().await.ok();
    account(&node, &token).await.ok();
    assert_eq!(node.count("identity_terms_acceptances"), 2);
}

#[tokio::test]
async fn acceptance_is_the_users_and_not_the_tokens() {
    let node = TestNode::start_with(two_policies).await;
    let alice = node.register("alice").await;
    let (first, second) = (node.identity_token(&alice).await, node.identity_token(&alice).await);
    let bob = node.identity_user("bob").await;
    accept(&node, &first, &[url("privacy", "1.2", "en"), url("terms", "2", "en")]).send().await.ok();
    account(&node, &second).await.ok();
    account(&node, &bob).await.expect_error(403, "M_TERMS_NOT_SIGNED");
}

#[tokio::test]
async fn unknown_urls_are_accepted_and_mean_nothing() {
    let node = TestNode::start_with(two_policies).await;
    let token = node.identity_user("alice").await;
    let urls =
        [url("privacy", "1.1", "en"), "nonsense".to_owned(), String::new(), url("privacy", "1.2", "fr")];
    assert_eq!(accept(&node, &token, &urls).send().await.ok(), json!({}));
    account(&node, &token).await.expect_error(403, "M_TERMS_NOT_SIGNED");
    assert_eq!(node.count("identity_terms_acceptances"), 0);
}

#[tokio::test]
async fn a_new_version_is_asked_for_anew() {
    let node = TestNode::start_with(two_policies).await;
    let token = node.identity_user("alice").await;
    accept(&node, &token, &[url("privacy", "1.2", "en"), url("terms", "2", "en")]).send().await.ok();
    let node = node
        .restart(|config| {
            with_policy(config, "privacy", "1.2", &["en"]);
            with_policy(config, "terms", "3", &["en"]);
        })
        .await;
    account(&node, &token).await.expect_error(403, "M_TERMS_NOT_SIGNED");
    accept(&node, &token, &[url("terms", "3", "en")]).send().await.ok();
    account(&node, &token).await.ok();
    let node = node.restart(two_policies).await;
    account(&node, &token).await.ok();
}

#[tokio::test]
async fn the_terms_stand_before_every_route_with_a_token_but_logging_out_and_accepting_them() {
    let node = TestNode::start_with(|config| {
        config.limits.enabled = false;
        two_policies(config);
    })
    .await;
    let alice = node.register("alice").await;
    for route in identity_routes() {
        // One of these routes ends it.
        let token = node.identity_token(&alice).await;
        let call = node.call(route.method.clone(), &identity(route.path)).token(&token);
        let answer = call.send().await;
        let refused = answer.status == 403 && answer.error().1 == "M_TERMS_NOT_SIGNED";
        assert_eq!(refused, route.access == Access::Token, "{} {}: {answer:?}", route.method, route.path);
    }
}

#[tokio::test]
async fn logging_out_needs_no_acceptance() {
    let node = TestNode::start_with(two_policies).await;
    let token = node.identity_user("alice").await;
    node.call(Method::POST, &identity(LOGOUT)).token(&token).send().await.ok();
    account(&node, &token).await.expect_error(401, "M_UNAUTHORIZED");
}

#[tokio::test]
async fn an_unknown_token_is_unauthorized_rather_than_without_terms() {
    let node = TestNode::start_with(two_policies).await;
    account(&node, "wrong").await.expect_error(401, "M_UNAUTHORIZED");
    accept(&node, "wrong", &[]).send().await.expect_error(401, "M_UNAUTHORIZED");
    node.identity_get(STATUS).token("wrong").send().await.ok();
}

#[tokio::test]
async fn accepting_with_a_bad_body() {
    let node = TestNode::start_with(two_policies).await;
    let token = node.identity_user("alice").await;
    for (body, errcode) in [
        (json!({}), "M_MISSING_PARAMS"),
        (json!({"user_accepts": "https://example.org/"}), "M_INVALID_PARAM"),
        (json!({"user_accepts": [1]}), "M_INVALID_PARAM"),
        (Value::Array(Vec::new()), "M_BAD_JSON"),
    ] {
        let answer = node.identity_post(TERMS, &body).token(&token).send().await;
        assert_eq!(answer.error(), (400, errcode.to_owned()), "{body}");
    }
}

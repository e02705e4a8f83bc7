//! What the server says about itself: versions, ways to log in.

use axum::http::Method;
use countersign_api::client::{login::LOGIN, versions::VERSIONS};
use serde_json::json;

use crate::support::TestNode;

#[tokio::test]
async fn versions_are_those_of_the_specification_and_may_be_cached() {
    let node = TestNode::start().await;
    for prefix in ["/_api", "/_matrix"] {
        let answer = node.call(Method::GET, &format!("{prefix}{VERSIONS}")).send().await;
        let body = answer.ok();
        let versions: Vec<_> =
            body["versions"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        for expected in ["r0.6.1", "v1.1", "v1.2", "v1.11", "v1.19"] {
            assert!(versions.contains(&expected), "{expected}");
        }
        for version in versions {
            let (letter, numbers) = version.split_at(1);
            let is_number = |text: &str| text.parse::<u32>().is_ok();
            assert!(["v", "r"].contains(&letter) && numbers.split('.').all(is_number), "{version}");
        }
        let features = json!({
            "m.separate_add_and_bind": true,
            "m.require_identity_server": false,
            "m.id_access_token": true,
        });
        assert_eq!(body["unstable_features"], features);
        assert_eq!(answer.header("vary"), Some("Authorization"));
    }
}

#[tokio::test]
async fn versions_need_no_token_and_mind_no_bad_one() {
    let node = TestNode::start().await;
    node.call(Method::GET, &format!("/_api{VERSIONS}")).token("wrong").send().await.ok();
}

#[tokio::test]
async fn an_operator_says_which_versions_to_claim() {
    let node = TestNode::start_with(|config| config.server.spec_versions = vec!["v1.2".to_owned()]).await;
    let body = node.call(Method::GET, &format!("/_api{VERSIONS}")).send().await.ok();
    assert_eq!(body["versions"], json!(["v1.2"]));
}

#[tokio::test]
async fn the_way_to_log_in_is_by_password() {
    let node = TestNode::start().await;
    assert_eq!(node.get(LOGIN).send().await.ok(), json!({"flows": [{"type": "m.login.password"}]}));
}

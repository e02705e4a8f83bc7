//! `/.well-known/{matrix,sdn}/client`: how clients find the node from its name.

use axum::http::Method;
use countersign::config::PublicUrl;
use countersign_api::well_known::{MATRIX_CLIENT, SDN_CLIENT};
use serde_json::json;

use crate::support::TestNode;

#[tokio::test]
async fn both_documents_name_the_public_url() {
    let node = TestNode::start_with(|config| {
        config.server.public_url = PublicUrl::parse("https://example.org/countersign/").unwrap();
    })
    .await;
    let base = json!({"base_url": "https://example.org/countersign"});
    let matrix = node.call(Method::GET, MATRIX_CLIENT).send().await;
    assert_eq!(matrix.ok(), json!({"m.homeserver": base, "m.identity_server": base}));
    assert_eq!(matrix.header("access-control-allow-origin"), Some("*"));
    assert_eq!(matrix.header("content-type"), Some("application/json"));
    let sdn = node.call(Method::GET, SDN_CLIENT).header("host", "evil.example").send().await;
    assert_eq!(sdn.ok(), json!({"m.node": base, "m.identity_server": base}));
}

#[tokio::test]
async fn no_identity_server_is_named_where_there_is_none() {
    let node = TestNode::start_with(|config| config.identity.enabled = false).await;
    for (path, key) in [(MATRIX_CLIENT, "m.homeserver"), (SDN_CLIENT, "m.node")] {
        assert_eq!(node.call(Method::GET, path).send().await.ok_keys(), [key]);
    }
}

#[tokio::test]
async fn an_identity_server_is_named_where_there_is_one() {
    let node = TestNode::start_with(|config| {
        let url = PublicUrl::parse("https://identity.example.org").unwrap();
        config.well_known.identity_server_url = Some(url);
    })
    .await;
    for path in [MATRIX_CLIENT, SDN_CLIENT] {
        let document = node.call(Method::GET, path).send().await.ok();
        assert_eq!(document["m.identity_server"], json!({"base_url": "https://identity.example.org"}));
    }
}

#[tokio::test]
async fn an_operator_who_serves_them_elsewhere_can_switch_them_off() {
    let node = TestNode::start_with(|config| config.well_known.enabled = false).await;
    for path in [MATRIX_CLIENT, SDN_CLIENT] {
        node.call(Method::GET, path).send().await.expect_error(404, "M_UNRECOGNIZED");
    }
}

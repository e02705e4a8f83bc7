//! The operator's listener: health, and nothing else.

use std::time::Duration;

use axum::http::Method;
use countersign_delivery::SendError;
use serde_json::json;

use crate::support::{START, TestNode};

#[tokio::test]
async fn a_node_that_runs_is_live_and_ready() {
    let node = TestNode::start().await;
    assert_eq!(node.call_operator(Method::GET, "/health/live").send().await.ok(), json!({"status": "live"}));
    let ready = node.call_operator(Method::GET, "/health/ready").send().await.ok();
    assert_eq!(ready, json!({"status": "ready", "outbox": {"waiting": 0, "oldest_created_at": null}}));
}

#[tokio::test]
async fn readiness_tells_how_much_waits_and_since_when() {
    let node = TestNode::start().await;
    node.mailer.fail_next([SendError::Transient { reason: "451 later".to_owned(), retry_after: None }]);
    node.ask_email("monkeys", "alice@example.org", 1).send().await.ok();
    node.until_tried(1).await;
    let ready = node.call_operator(Method::GET, "/health/ready").send().await.ok();
    assert_eq!(ready["outbox"], json!({"waiting": 1, "oldest_created_at": START.as_millis()}));
    node.let_pass(Duration::from_secs(3600)).await;
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn each_listener_has_its_own_paths() {
    let node = TestNode::start().await;
    for path in ["/health/live", "/health/ready", "/metrics"] {
        node.call(Method::GET, path).send().await.expect_error(404, "M_UNRECOGNIZED");
    }
    for path in ["/", "/_api/client/versions", "/_countersign/v1/submit_token", "/inbox"] {
        node.call_operator(Method::GET, path).send().await.expect_error(404, "M_UNRECOGNIZED");
    }
    node.call_operator(Method::POST, "/health/live").send().await.expect_error(405, "M_UNRECOGNIZED");
}

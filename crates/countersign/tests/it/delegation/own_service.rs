//! Addresses proven by the identity service of another node of our own kind.

use serde_json::{Value, json};

use super::{EMAIL, add, delegating_to};
use crate::support::TestNode;

/// A node that has its addresses proven by another, and that one.
async fn start() -> (TestNode, TestNode) {
    let service = TestNode::start().await;
    let token = service.identity_user("worker").await;
    let node = TestNode::start_with(|config| delegating_to(&service.url, &token, config)).await;
    (node, service)
}

#[tokio::test]
async fn a_number_is_proven_by_the_code_of_the_other_nodes_sms() {
    let (node, service) = start().await;
    let alice = node.register("alice").await;
    let sid = node.ask_msisdn("secret", "GB", "07700900123", 1).send().await.ok_string("sid");
    let code = service.sms.wait_for(1).await.remove(0).code.expect("a code");
    node.until_outbox_is_empty().await;
    assert_eq!(add(&node, &alice, &sid).await, (400, json!("M_THREEPID_AUTH_FAILED")));
    assert_eq!(node.submit(&sid, "secret", &code).send().await.ok(), json!({"success": true}));
    assert_eq!(add(&node, &alice, &sid).await, (200, Value::Null));
    assert_eq!(node.addresses_of(&alice).await, ["msisdn 447700900123"]);
    // The same request again sends nothing, neither here nor there.
    let again = node.ask_msisdn("other", "GB", "07700900124", 1);
    let sid = again.send().await.ok_string("sid");
    service.sms.wait_for(2).await;
    node.until_outbox_is_empty().await;
    let repeated = node.ask_msisdn("other", "GB", "07700900124", 1).send().await;
    assert_eq!(repeated.ok_string("sid"), sid);
    service.until_outbox_is_empty().await;
    assert_eq!(service.sms.messages().len(), 2);
}

#[tokio::test]
async fn an_address_is_proven_by_the_button_behind_the_other_nodes_link() {
    let (node, service) = start().await;
    let alice = node.register("alice").await;
    let sid = node.ask_email("secret", EMAIL, 1).send().await.ok_string("sid");
    service.mailer.wait_for(1).await;
    node.until_outbox_is_empty().await;
    assert_eq!(add(&node, &alice, &sid).await, (400, json!("M_THREEPID_AUTH_FAILED")));
    service.press_newest_link().await;
    assert_eq!(add(&node, &alice, &sid).await, (200, Value::Null));
    assert_eq!(node.addresses_of(&alice).await, [format!("email {EMAIL}")]);
}

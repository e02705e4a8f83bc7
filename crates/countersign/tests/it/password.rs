//! `/account/password`: changed by who knows the old one, reset by who proves an address.

mod changes;
mod resets;

use countersign_api::client::{account::WHOAMI, login::LOGIN, password::PASSWORD as CHANGE_PASSWORD};
use serde_json::{Value, json};

use crate::{
    support::{TestNode, TestUser},
    wire::Call,
};

/// The password that tests set.
const NEW: &str = "another good password";

fn change(node: &TestNode, body: &Value) -> Call {
    node.post(CHANGE_PASSWORD, body)
}

fn log_in(node: &TestNode, password: &str) -> Call {
    node.post(LOGIN, &json!({"type": "m.login.password", "user": "alice", "password": password}))
}

async fn works(node: &TestNode, access_token: &str) -> bool {
    node.get(WHOAMI).token(access_token).send().await.status == 200
}

/// A node with Alice, her mail address and her phone number.
async fn start() -> (TestNode, TestUser) {
    let node = TestNode::start_without_limits().await;
    let alice = give_alice_addresses(&node).await;
    (node, alice)
}

async fn give_alice_addresses(node: &TestNode) -> TestUser {
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.validate_msisdn("given", "GB", "07700900001").await;
    node.add(&alice, &sid, "given").send().await.ok();
    node.until_outbox_is_empty().await;
    alice
}

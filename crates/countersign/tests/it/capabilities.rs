//! `/capabilities`: what the operator has left on.

use countersign_api::client::capabilities::CAPABILITIES;
use serde_json::{Value, json};

use crate::support::TestNode;

async fn capabilities(node: &TestNode) -> Value {
    let user = node.register("alice").await;
    node.get(CAPABILITIES).token(&user.access_token).send().await.ok()
}

#[tokio::test]
async fn what_works_is_enabled_and_what_is_not_here_is_named() {
    let (on, off) = (json!({"enabled": true}), json!({"enabled": false}));
    let expected = json!({"capabilities": {
        "m.change_password": on,
        "m.3pid_changes": on,
        "m.get_login_token": off,
        "m.set_displayname": off,
        "m.set_avatar_url": off,
        "m.profile_fields": off,
    }});
    assert_eq!(capabilities(&TestNode::start().await).await, expected);
}

#[tokio::test]
async fn what_is_switched_off_is_disabled() {
    let off = json!({"enabled": false});
    let node = TestNode::start_with(|config| config.passwords.change = false).await;
    assert_eq!(capabilities(&node).await["capabilities"]["m.change_password"], off);
    let node = TestNode::start_with(|config| config.threepids.changes = false).await;
    assert_eq!(capabilities(&node).await["capabilities"]["m.3pid_changes"], off);
}

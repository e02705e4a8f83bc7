//! Inviting an address whose owner wants no messages.

use serde_json::json;

use super::{EMAIL, invite};
use crate::support::TestNode;

#[tokio::test]
async fn an_address_that_wants_no_messages_gets_no_mail_of_an_invitation_that_waits_all_the_same() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    node.ask_identity_email(&token, "monkeys", EMAIL, 1).send().await.ok();
    node.want_no_more_messages().await;
    assert_eq!(node.count("suppressions"), 1);
    // Whoever invites is told nothing of it.
    let stored = invite(&node, &token, json!({})).send().await;
    assert_eq!(stored.ok_keys(), ["display_name", "public_key", "public_keys", "token"]);
    assert_eq!(node.count("invitations"), 1);
    invite(&node, &token, json!({"address": "carol@example.org"})).send().await.ok();
    node.until_outbox_is_empty().await;
    let told: Vec<_> = node.mailer.messages().into_iter().map(|mail| mail.to).collect();
    assert_eq!(told, [EMAIL, "carol@example.org"], "the first was sent before");
}

//! Inviting the owner of an address that is bound to nobody yet.

mod suppressed;

use std::num::NonZeroU32;

use countersign_api::identity::{
    pubkey::{EPHEMERAL_IS_VALID, IS_VALID},
    store_invite::STORE_INVITE,
};
use serde_json::{Value, json};

use crate::{support::TestNode, wire::Call};

const EMAIL: &str = "bob@example.org";

fn wish() -> Value {
    json!({"medium": "email", "address": EMAIL, "room_id": "!room:localhost", "sender": "@alice:localhost"})
}

fn invite(node: &TestNode, token: &str, changes: Value) -> Call {
    let mut body = wish();
    for (key, value) in changes.as_object().expect("an object") {
        body[key] = value.clone();
    }
    node.identity_post(STORE_INVITE, &body).token(token)
}

#[tokio::test]
async fn an_invitation_has_two_keys_and_hides_the_address() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let stored = invite(&node, &token, json!({"org.example.more": [1.5]})).send().await;
    assert_eq!(stored.ok_keys(), ["display_name", "public_key", "public_keys", "token"]);
    let stored = stored.ok();
    assert_eq!(stored["display_name"], "b...@e...");
    assert_eq!(stored["public_key"], stored["public_keys"][0]["public_key"]);
    for (index, path) in [IS_VALID, EPHEMERAL_IS_VALID].into_iter().enumerate() {
        let key = &stored["public_keys"][index];
        let url = key["key_validity_url"].as_str().expect("a string");
        assert_eq!(url, format!("{}/_matrix{path}", node.url));
        let public_key = key["public_key"].as_str().expect("a string").replace('+', "%2B");
        let valid = node.identity_get(&format!("{path}?public_key={public_key}")).send().await.ok();
        assert_eq!(valid, json!({"valid": true}), "{path}");
    }
    let invitation = stored["token"].as_str().expect("a string");
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".=_-".contains(&byte);
    assert!(40 < invitation.len() && invitation.bytes().all(fits), "{invitation}");
    let mail = node.mailer.wait_for(1).await.swap_remove(0);
    assert_eq!((mail.to.as_str(), mail.link), (EMAIL, None));
    assert!(mail.text.contains("@alice:localhost invites you to a room."), "{}", mail.text);
    let bytes = node.database_bytes();
    for secret in [EMAIL, invitation] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
async fn the_mail_leads_into_the_operators_app_with_all_that_it_needs() {
    let link =
        "https://app.example.org/#/room/{room_id}?email={email}&signurl={signurl}&room_name={room_name}";
    let node = TestNode::start_with(|config| config.identity.invite_link = Some(link.to_owned())).await;
    let token = node.identity_user("alice").await;
    let names = json!({"room_name": "Tea & Cake", "sender_display_name": "Alice"});
    let stored = invite(&node, &token, names).send().await.ok();
    let mail = node.mailer.wait_for(1).await.swap_remove(0);
    let link = mail.link.expect("a link");
    assert!(mail.text.contains(&link) && mail.html.contains("Tea &amp; Cake"), "{}", mail.html);
    assert!(mail.text.contains("Alice (@alice:localhost) invites you to the room \"Tea & Cake\""));
    let start = "https://app.example.org/#/room/%21room%3Alocalhost?email=bob%40example.org&signurl=";
    assert!(link.starts_with(start) && link.ends_with("&room_name=Tea%20%26%20Cake"), "{link}");
    let invitation = stored["token"].as_str().expect("a string");
    assert!(link.contains(&format!("sign-ed25519%3Ftoken%3D{invitation}%26private_key%3D")), "{link}");
}

#[tokio::test]
async fn strangers_words_become_no_links_and_no_lines_in_a_mail() {
    let node = TestNode::start_with(|config| {
        config.limits.enabled = false;
        config.identity.invite_blocked_words = vec!["Casino".to_owned()];
    })
    .await;
    let token = node.identity_user("alice").await;
    for (index, name) in ["win at evil.example", "https://evil", "My CASINO"].into_iter().enumerate() {
        let names = json!({"room_name": name, "sender_display_name": name});
        invite(&node, &token, names).send().await.ok();
        let mail = node.mailer.wait_for(index + 1).await.swap_remove(index);
        for part in [&mail.subject, &mail.text, &mail.html] {
            assert!(!part.to_lowercase().contains("evil") && !part.contains("CASINO"), "{part}");
        }
    }
    let long = format!("a\r\nBcc: x{}", "y".repeat(100));
    invite(&node, &token, json!({"room_name": long})).send().await.ok();
    let mail = node.mailer.wait_for(4).await.swap_remove(3);
    assert!(mail.text.contains("\"a Bcc: xyyyyyyyyyyyyyyyyyyyyy…\""), "{}", mail.text);
}

#[tokio::test]
async fn who_is_bound_is_named_and_not_invited() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.identity_user("alice").await, node.identity_user("bob").await);
    node.bind_email(&bob, EMAIL, "@bob:localhost").await;
    let answer = invite(&node, &alice, json!({"address": "BOB@example.org"})).send().await;
    answer.expect_error(400, "M_THREEPID_IN_USE");
    assert_eq!(answer.json()["mxid"], "@bob:localhost");
    // The medium is judged first.
    let phone = invite(&node, &alice, json!({"medium": "msisdn"})).send().await;
    phone.expect_error(400, "M_UNRECOGNIZED");
    assert_eq!(node.count("invitations"), 0);
}

#[tokio::test]
async fn what_is_no_invitation_is_refused() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    for (changes, status, errcode) in [
        (json!({"address": "bob"}), 400, "M_INVALID_EMAIL"),
        (json!({"sender": "@bob:localhost"}), 403, "M_FORBIDDEN"),
        (json!({"sender": "alice"}), 400, "M_INVALID_PARAM"),
        (json!({"room_id": "room"}), 400, "M_INVALID_PARAM"),
        (json!({"room_alias": "room"}), 400, "M_INVALID_PARAM"),
        (json!({"room_id": null}), 400, "M_INVALID_PARAM"),
        (json!({"room_name": 1}), 400, "M_INVALID_PARAM"),
    ] {
        invite(&node, &token, changes.clone()).send().await.expect_error(status, errcode);
    }
    assert_eq!((node.count("invitations"), node.messages_queued()), (0, 0));
}

#[tokio::test]
async fn an_address_gets_so_many_mails_and_a_user_invites_so_many() {
    let node = TestNode::start_with(|config| {
        config.limits.invitations_per_user_per_day = NonZeroU32::new(3).expect("not 0");
        config.limits.messages_per_address_per_hour = NonZeroU32::new(2).expect("not 0");
    })
    .await;
    let token = node.identity_user("alice").await;
    for _ in 0..2 {
        invite(&node, &token, json!({})).send().await.ok();
    }
    let again = invite(&node, &token, json!({})).send().await;
    again.expect_error(429, "M_LIMIT_EXCEEDED");
    invite(&node, &token, json!({"address": "carol@example.org"})).send().await.ok();
    let more = invite(&node, &token, json!({"address": "dave@example.org"})).send().await;
    more.expect_error(429, "M_LIMIT_EXCEEDED");
    node.mailer.wait_for(3).await;
}

#[tokio::test]
async fn a_homeserver_invites_for_all_its_users() {
    let node = TestNode::start_with(|config| {
        config.limits.requests_per_network_per_hour = NonZeroU32::MIN;
        config.limits.requests_per_network_burst = NonZeroU32::MIN;
    })
    .await;
    for name in ["alice", "carol", "dave"] {
        let token = node.identity_user(name).await;
        let wish = json!({"sender": format!("@{name}:localhost"), "address": format!("{name}@example.org")});
        invite(&node, &token, wish).send().await.ok();
    }
    node.mailer.wait_for(3).await;
}

//! Signing for who has an invitation, with the key that came with it.

use countersign_api::identity::{sign_ed25519::SIGN_ED25519, store_invite::STORE_INVITE};
use countersign_core::{PublicKey, PublicKeys, ServerName, SigningKeyId, verify_json};
use serde_json::{Value, json};

use crate::support::TestNode;

/// The invitation's token, its public key, and the private key that came by mail.
async fn invitation(node: &TestNode, token: &str) -> (String, String, String) {
    let wish = json!({
        "medium": "email", "address": "bob@example.org", "room_id": "!r:localhost", "sender": "@alice:localhost",
    });
    let stored = node.identity_post(STORE_INVITE, &wish).token(token).send().await.ok();
    let link = node.mailer.wait_for(1).await.swap_remove(0).link.expect("a link");
    let key = link.rsplit('/').next().expect("the last part").to_owned();
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    (text(&stored["token"]), text(&stored["public_keys"][1]["public_key"]), key)
}

#[tokio::test]
async fn the_key_from_the_mail_signs_for_whoever_accepts() {
    let node = TestNode::start_with(|config| {
        config.identity.invite_link = Some("https://app.example.org/{token}/{private_key}".to_owned());
    })
    .await;
    let (alice, bob) = (node.identity_user("alice").await, node.identity_user("bob").await);
    let (token, public_key, private_key) = invitation(&node, &alice).await;
    let standard = private_key.replace('-', "+").replace('_', "/");
    for key in [private_key.clone(), format!("{private_key}="), standard] {
        let body = json!({"mxid": "@bob:localhost", "token": token, "private_key": key});
        let signed = node.identity_post(SIGN_ED25519, &body).token(&bob).send().await;
        assert_eq!(signed.ok_keys(), ["mxid", "sender", "signatures", "token"]);
        let signed = signed.ok();
        assert_eq!((&signed["sender"], &signed["token"]), (&json!("@alice:localhost"), &json!(token)));
        let id = SigningKeyId::parse("ed25519:0").expect("an id");
        let keys = PublicKeys::from([(id, PublicKey::parse(&public_key).expect("a key"))]);
        let name = ServerName::parse("localhost").expect("a name");
        verify_json(signed.as_object().expect("an object"), &name, &keys).expect("a good signature");
    }
    for (field, value, status, errcode) in [
        ("token", "unknown", 404, "M_UNRECOGNIZED"),
        ("private_key", "short", 400, "M_INVALID_PARAM"),
        ("private_key", "?", 400, "M_INVALID_PARAM"),
        ("mxid", "bob", 400, "M_INVALID_PARAM"),
    ] {
        let mut body = json!({"mxid": "@bob:localhost", "token": token, "private_key": private_key});
        body[field] = value.into();
        let answer = node.identity_post(SIGN_ED25519, &body).token(&bob).send().await;
        answer.expect_error(status, errcode);
    }
}

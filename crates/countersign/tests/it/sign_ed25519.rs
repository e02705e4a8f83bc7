//! Signing for who has an invitation, with the key that came with it.

use std::num::NonZeroU32;

use countersign_api::identity::{sign_ed25519::SIGN_ED25519, store_invite::STORE_INVITE, v1};
use countersign_core::{PublicKey, PublicKeys, ServerName, SigningKeyId, verify_json};
use serde_json::{Value, json};

use url::Url;

use crate::{steps::identity, support::TestNode, wire::Call};

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

/// Invites Bob and returns the `signurl` that an app finds in the mail's link, and the public key of the invitation.
async fn sign_url(node: &TestNode) -> (Url, String) {
    let token = node.identity_user("alice").await;
    let wish = json!({
        "medium": "email", "address": "bob@example.org", "room_id": "!r:localhost", "sender": "@alice:localhost",
    });
    let stored = node.identity_post(STORE_INVITE, &wish).token(&token).send().await.ok();
    let link = node.mailer.wait_for(1).await.swap_remove(0).link.expect("a link");
    let link = Url::parse(&link).expect("a URL");
    let (_, url) = link.query_pairs().find(|(name, _)| name == "signurl").expect("a signurl");
    let public_key = stored["public_keys"][1]["public_key"].as_str().expect("a string").to_owned();
    (Url::parse(&url).expect("a URL"), public_key)
}

async fn start_with_app_link() -> TestNode {
    TestNode::start_with(|config| {
        config.identity.invite_link = Some("https://app.example.org/?signurl={signurl}".to_owned());
        config.limits.requests_per_network_per_hour = NonZeroU32::new(6).expect("not 0");
        config.limits.requests_per_network_burst = NonZeroU32::new(6).expect("not 0");
    })
    .await
}

#[tokio::test]
async fn the_link_of_an_invitations_mail_signs_without_an_access_token() {
    let node = start_with_app_link().await;
    let (mut url, public_key) = sign_url(&node).await;
    // As matrix-js-sdk does.
    url.query_pairs_mut().append_pair("mxid", "@bob:localhost");
    let answer = Call::post_to(url.as_str()).send().await;
    assert_eq!(answer.ok_keys(), ["mxid", "sender", "signatures", "token"]);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let signed = answer.ok();
    assert_eq!((&signed["mxid"], &signed["sender"]), (&json!("@bob:localhost"), &json!("@alice:localhost")));
    let id = SigningKeyId::parse("ed25519:0").expect("an id");
    let keys = PublicKeys::from([(id, PublicKey::parse(&public_key).expect("a key"))]);
    let name = ServerName::parse("localhost").expect("a name");
    verify_json(signed.as_object().expect("an object"), &name, &keys).expect("a good signature");
    assert!(url.as_str().contains("/_matrix/"), "{url}");
    let other = url.as_str().replace("/_matrix/", "/_api/");
    Call::post_to(&other).send().await.ok();
}

#[tokio::test]
async fn the_link_takes_its_fields_from_a_body_too() {
    let node = start_with_app_link().await;
    let (url, _) = sign_url(&node).await;
    Call::post_json(url.as_str(), &json!({"mxid": "@bob:localhost"})).send().await.ok();
    let path = format!("{}{}", node.url, identity(v1::SIGN_ED25519));
    let form = |body: String| {
        let call = Call::post_to(&path).header("content-type", "application/x-www-form-urlencoded");
        call.body(body)
    };
    let fields = url.query().expect("a query");
    form(format!("{fields}&mxid=%40bob%3Alocalhost")).send().await.ok();
    for (query, body, status, errcode) in [
        ("", "", 400, "M_MISSING_PARAMS"),
        ("?mxid=@b:localhost&token=x&private_key=x", "", 404, "M_UNRECOGNIZED"),
        ("?mxid=bob&token=x&private_key=x", "", 400, "M_INVALID_PARAM"),
        ("?mxid=@b:localhost", "{", 400, "M_NOT_JSON"),
        ("?mxid=@b:localhost", r#"{"token": 1}"#, 400, "M_INVALID_PARAM"),
    ] {
        let answer = Call::post_to(&format!("{path}{query}")).body(body).send().await;
        assert_eq!(answer.error(), (status, errcode.to_owned()), "{query} {body}");
    }
}

#[tokio::test]
async fn a_network_has_a_limit_of_signatures_by_link() {
    let node = start_with_app_link().await;
    let url = format!("{}{}?mxid=@b:localhost&token=x&private_key=x", node.url, identity(v1::SIGN_ED25519));
    let call = |from: &str| Call::post_to(&url).from(from).send();
    for _ in 0..6 {
        call("192.0.2.1").await.expect_error(404, "M_UNRECOGNIZED");
    }
    call("192.0.2.1").await.expect_error(429, "M_LIMIT_EXCEEDED");
    call("192.0.2.2").await.expect_error(404, "M_UNRECOGNIZED");
}

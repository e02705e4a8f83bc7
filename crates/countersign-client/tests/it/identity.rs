//! The client of an identity service: what each method sends, and what it makes of a good answer.

mod lookup;

use countersign_client::{
    Error, ErrorCode, IdentityClient, OpenIdTokenResponse, SubmitTokenRequest,
    identity::{
        AcceptTermsRequest, BindRequest, RequestEmailValidation, RequestMsisdnValidation, SignRequest,
        StoreInviteRequest, UnbindRequest,
    },
};
use serde_json::{Value, json};

use crate::scripted_node::{ScriptedNode, answer};

fn client_of(node: &ScriptedNode) -> IdentityClient {
    IdentityClient::builder(&node.url).access_token("tok").build().unwrap()
}

/// Calls a service that gives this answer, and checks the request's line, body and access token.
async fn called<T>(
    answer: Value,
    call: impl AsyncFnOnce(IdentityClient) -> Result<T, Error>,
    line: &str,
    body: Value,
) -> T {
    let (answer, authorization) = called_somehow(answer, call, line, body).await;
    assert_eq!(authorization.as_deref(), Some("Bearer tok"), "{line}");
    answer
}

/// The same for what needs no access token, which then is not sent.
async fn called_openly<T>(
    answer: Value,
    call: impl AsyncFnOnce(IdentityClient) -> Result<T, Error>,
    line: &str,
    body: Value,
) -> T {
    let (answer, authorization) = called_somehow(answer, call, line, body).await;
    assert_eq!(authorization, None, "{line}");
    answer
}

async fn called_somehow<T>(
    answer: Value,
    call: impl AsyncFnOnce(IdentityClient) -> Result<T, Error>,
    line: &str,
    body: Value,
) -> (T, Option<String>) {
    let node = ScriptedNode::answering(200, &answer.to_string()).await;
    let answer = call(client_of(&node)).await.unwrap();
    let received = node.received_one().await;
    assert_eq!(received.line, line);
    match body {
        Value::Null => assert!(received.body.is_empty(), "{line}"),
        _ => assert_eq!(received.json(), body, "{line}"),
    }
    (answer, received.header("authorization").map(str::to_owned))
}

#[tokio::test]
async fn a_service_tells_that_it_is_there_and_what_it_speaks() {
    let call = async |client: IdentityClient| client.get_status().await;
    called_openly(json!({}), call, "GET /_matrix/identity/v2", Value::Null).await;
    let call = async |client: IdentityClient| client.get_versions().await;
    let answer = json!({"versions": ["v1.19"]});
    let versions = called_openly(answer, call, "GET /_matrix/identity/versions", Value::Null).await;
    assert_eq!(versions.versions, ["v1.19"]);
}

#[tokio::test]
async fn an_openid_token_becomes_an_access_token() {
    let openid = OpenIdTokenResponse {
        access_token: "openid".to_owned(),
        token_type: "Bearer".to_owned(),
        matrix_server_name: "example.com".to_owned(),
        expires_in: 3600,
    };
    let call = async |client: IdentityClient| client.register(&openid.into()).await;
    let body = json!({
        "access_token": "openid", "token_type": "Bearer", "matrix_server_name": "example.com", "expires_in": 3600,
    });
    let line = "POST /_matrix/identity/v2/account/register";
    let registered = called_openly(json!({"token": "new"}), call, line, body).await;
    assert_eq!(registered.token, "new");

    let node = ScriptedNode::answering(200, r#"{"user_id":"@a:x"}"#).await;
    let client = client_of(&node).with_access_token(registered.token);
    assert_eq!(client.get_account().await.unwrap().user_id, "@a:x");
    let received = node.received_one().await;
    assert_eq!(received.line, "GET /_matrix/identity/v2/account");
    assert_eq!(received.header("authorization"), Some("Bearer new"));

    let call = async |client: IdentityClient| client.logout().await;
    called(json!({}), call, "POST /_matrix/identity/v2/account/logout", json!({})).await;
}

#[tokio::test]
async fn policies_are_read_and_accepted() {
    let call = async |client: IdentityClient| client.get_terms().await;
    let answer = json!({
        "policies": {"terms": {"version": "1", "en": {"name": "Terms", "url": "https://x/1/en"}, "odd": 7}},
    });
    let terms = called_openly(answer, call, "GET /_matrix/identity/v2/terms", Value::Null).await;
    assert_eq!(terms.policies["terms"].links["en"].url, "https://x/1/en");
    assert_eq!(terms.policies["terms"].links.len(), 1);

    let accepts = AcceptTermsRequest { user_accepts: vec!["https://x/1/en".to_owned()] };
    let call = async |client: IdentityClient| client.accept_terms(&accepts).await;
    let body = json!({"user_accepts": ["https://x/1/en"]});
    called(json!({}), call, "POST /_matrix/identity/v2/terms", body).await;
}

#[tokio::test]
async fn keys_are_escaped() {
    let call = async |client: IdentityClient| client.get_pubkey("ed25519:0/a").await;
    let line = "GET /_matrix/identity/v2/pubkey/ed25519%3A0%2Fa";
    let key = called_openly(json!({"public_key": "a2V5"}), call, line, Value::Null).await;
    assert_eq!(key.public_key, "a2V5");
    let call = async |client: IdentityClient| client.is_pubkey_valid("a+b/c=").await;
    let line = "GET /_matrix/identity/v2/pubkey/isvalid?public_key=a%2Bb%2Fc%3D";
    assert!(called_openly(json!({"valid": true}), call, line, Value::Null).await.valid);
    let call = async |client: IdentityClient| client.is_ephemeral_pubkey_valid("a-b_c").await;
    let line = "GET /_matrix/identity/v2/pubkey/ephemeral/isvalid?public_key=a-b_c";
    assert!(!called_openly(json!({"valid": false}), call, line, Value::Null).await.valid);
}

#[tokio::test]
async fn an_address_is_proven() {
    let email = RequestEmailValidation {
        next_link: Some("https://app".to_owned()),
        ..RequestEmailValidation::new("secret", "alice@example.com", 1)
    };
    let call = async |client: IdentityClient| client.request_email_token(&email).await;
    let line = "POST /_matrix/identity/v2/validate/email/requestToken";
    let body = json!({
        "client_secret": "secret", "email": "alice@example.com", "send_attempt": 1, "next_link": "https://app",
    });
    assert_eq!(called(json!({"sid": "1"}), call, line, body).await.sid, "1");

    let msisdn = RequestMsisdnValidation::new("secret", "GB", "07700900001", 2);
    let call = async |client: IdentityClient| client.request_msisdn_token(&msisdn).await;
    let line = "POST /_matrix/identity/v2/validate/msisdn/requestToken";
    let body = json!({
        "client_secret": "secret", "country": "GB", "phone_number": "07700900001", "send_attempt": 2,
    });
    // Sydent says more.
    let sydent =
        json!({"sid": "1", "success": true, "msisdn": "447700900001", "intl_fmt": "+44 7700 900001"});
    assert_eq!(called(sydent, call, line, body).await.sid, "1");

    let submission = SubmitTokenRequest::new("1", "secret", "012345");
    let body = json!({"sid": "1", "client_secret": "secret", "token": "012345"});
    let call = async |client: IdentityClient| client.submit_email_token(&submission).await;
    let line = "POST /_matrix/identity/v2/validate/email/submitToken";
    assert!(called(json!({"success": true}), call, line, body.clone()).await.success);
    let call = async |client: IdentityClient| client.submit_msisdn_token(&submission).await;
    let line = "POST /_matrix/identity/v2/validate/msisdn/submitToken";
    assert!(!called(json!({"success": false}), call, line, body).await.success);

    let call = async |client: IdentityClient| client.get_validated_3pid("1", "a=b").await;
    let line = "GET /_matrix/identity/v2/3pid/getValidated3pid?sid=1&client_secret=a%3Db";
    let answer = json!({"medium": "email", "address": "alice@example.com", "validated_at": 7});
    let validated = called(answer, call, line, Value::Null).await;
    assert_eq!((validated.address.as_str(), validated.validated_at), ("alice@example.com", 7));
}

#[tokio::test]
async fn a_link_is_opened_as_a_browser_does_it() {
    let submission = SubmitTokenRequest::new("1", "a=b", "012345");
    let query = "?sid=1&client_secret=a%3Db&token=012345";
    let page = answer(200, "content-type: text/html\r\n", "<p>Done</p>");
    let node = ScriptedNode::start(vec![page]).await;
    assert_eq!(client_of(&node).open_email_link(&submission).await.unwrap(), None);
    let received = node.received_one().await;
    assert_eq!(received.line, format!("GET /_matrix/identity/v2/validate/email/submitToken{query}"));
    assert_eq!(received.header("authorization"), None);

    for status in [302, 303] {
        let node = ScriptedNode::start(vec![answer(status, "location: https://app/?a=b\r\n", "")]).await;
        let target = client_of(&node).open_msisdn_link(&submission).await.unwrap();
        assert_eq!(target.as_deref(), Some("https://app/?a=b"));
        let received = node.received_one().await;
        assert_eq!(received.line, format!("GET /_matrix/identity/v2/validate/msisdn/submitToken{query}"));
    }

    for (status, location) in [(400, ""), (303, ""), (201, ""), (307, "location: https://app\r\n")] {
        let node = ScriptedNode::start(vec![answer(status, location, "<p>No</p>")]).await;
        let error = client_of(&node).open_email_link(&submission).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
    }
}

#[tokio::test]
async fn an_address_is_bound_and_unbound() {
    let request = BindRequest::new("1", "secret", "@a:x");
    let call = async |client: IdentityClient| client.bind_3pid(&request).await;
    let answer = json!({
        "address": "a@b.c", "medium": "email", "mxid": "@a:x", "not_before": 1, "not_after": 2, "ts": 3,
        "signatures": {"is": {"ed25519:0": "sig"}}, "invites": [],
    });
    let body = json!({"sid": "1", "client_secret": "secret", "mxid": "@a:x"});
    let bound = called(answer, call, "POST /_matrix/identity/v2/3pid/bind", body).await;
    assert_eq!((bound.not_before, bound.not_after, bound.ts), (1, 2, 3));
    assert_eq!(bound.signatures["is"]["ed25519:0"], "sig");

    let request = UnbindRequest::new("@a:x", "email", "a@b.c").with_session("1", "secret");
    let call = async |client: IdentityClient| client.unbind_3pid(&request).await;
    let body = json!({
        "mxid": "@a:x", "threepid": {"medium": "email", "address": "a@b.c"}, "sid": "1", "client_secret": "secret",
    });
    called(json!({}), call, "POST /_matrix/identity/v2/3pid/unbind", body).await;
}

#[tokio::test]
async fn an_invitation_is_stored_and_signed() {
    let request = StoreInviteRequest {
        room_name: Some("Room".to_owned()),
        ..StoreInviteRequest::email("a@b.c", "!r:x", "@a:x")
    };
    let call = async |client: IdentityClient| client.store_invite(&request).await;
    let key = json!({"public_key": "k", "key_validity_url": "https://is/isvalid"});
    let answer = json!({"token": "t", "public_keys": [key, key], "display_name": "a...@b..."});
    let body = json!({
        "medium": "email", "address": "a@b.c", "room_id": "!r:x", "sender": "@a:x", "room_name": "Room",
    });
    let stored = called(answer, call, "POST /_matrix/identity/v2/store-invite", body).await;
    assert_eq!((stored.token.as_str(), stored.public_keys.len(), stored.public_key), ("t", 2, None));

    let request =
        SignRequest { mxid: "@b:x".to_owned(), token: "t".to_owned(), private_key: "seed".to_owned() };
    let call = async |client: IdentityClient| client.sign_ed25519(&request).await;
    let answer = json!({"mxid": "@b:x", "sender": "@a:x", "token": "t", "signatures": {}});
    let body = json!({"mxid": "@b:x", "token": "t", "private_key": "seed"});
    let signed = called(answer, call, "POST /_matrix/identity/v2/sign-ed25519", body).await;
    assert_eq!(signed.sender, "@a:x");
}

#[tokio::test]
async fn errors_are_told_like_those_of_a_node() {
    let body = r#"{"errcode":"M_THREEPID_IN_USE","error":"Bound","mxid":"@b:x"}"#;
    let node = ScriptedNode::answering(400, body).await;
    let request = StoreInviteRequest::email("a@b.c", "!r:x", "@a:x");
    let error = client_of(&node).store_invite(&request).await.unwrap_err();
    assert_eq!((error.status(), error.errcode()), (Some(400), Some(&ErrorCode::ThreepidInUse)));
    assert_eq!(error.body().unwrap().extra["mxid"], "@b:x");

    let terms = r#"{"errcode":"M_TERMS_NOT_SIGNED","error":"Accept first"}"#;
    let node = ScriptedNode::answering(403, terms).await;
    let error = client_of(&node).get_hash_details().await.unwrap_err();
    assert_eq!(error.errcode(), Some(&ErrorCode::TermsNotSigned));
}

#[tokio::test]
async fn the_prefix_may_be_another() {
    let node = ScriptedNode::answering(200, "{}").await;
    IdentityClient::builder(&node.url).prefix("/_api").build().unwrap().get_status().await.unwrap();
    assert_eq!(node.received_one().await.line, "GET /_api/identity/v2");
}

#[test]
fn debug_of_a_client_shows_no_token() {
    let builder = IdentityClient::builder("https://is.example.com").access_token("hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let client = builder.build().unwrap();
    assert_eq!(format!("{client:?}"), r#"IdentityClient { root: "https://is.example.com/_matrix", .. }"#);
    assert!(IdentityClient::builder("ftp://is").build().is_err());
}

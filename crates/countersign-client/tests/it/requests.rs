//! What each method sends, and what it makes of a good answer.

use countersign_client::{
    BindThreepidRequest, DeleteThreepidRequest, LoginRequest, RegisterRequest, RequestEmailToken,
    RequestMsisdnToken, SubmitTokenRequest, UnbindResult, UnbindThreepidRequest, UserIdentifier,
};
use serde_json::json;

use crate::scripted_node::ScriptedNode;

#[tokio::test]
async fn an_email_token_is_asked_for_as_the_protocol_says() {
    let node = ScriptedNode::answering(200, r#"{"sid":"123abc","submit_url":"https://n/submit"}"#).await;
    let request = RequestEmailToken::new("secret", "alice@example.com", 1);
    let answer = node.client().request_token_to_3pid_email(&request).await.unwrap();
    assert_eq!((answer.sid.as_str(), answer.submit_url.as_deref()), ("123abc", Some("https://n/submit")));
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/account/3pid/email/requestToken");
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("authorization"), None);
    assert_eq!(
        received.json(),
        json!({"client_secret": "secret", "email": "alice@example.com", "send_attempt": 1})
    );
}

#[tokio::test]
async fn optional_parameters_are_sent_when_given() {
    let node = ScriptedNode::answering(200, r#"{"sid":"1"}"#).await;
    let request = RequestEmailToken {
        next_link: Some("https://app.example.com/?a=b".to_owned()),
        id_access_token: Some("token".to_owned()),
        id_server: Some("is.example.com:8090".to_owned()),
        ..RequestEmailToken::new("secret", "alice@example.com", -3)
    };
    let answer = node.client().request_token_to_3pid_email(&request).await.unwrap();
    assert_eq!(answer.submit_url, None);
    let expected = json!({
        "client_secret": "secret", "email": "alice@example.com", "send_attempt": -3,
        "next_link": "https://app.example.com/?a=b", "id_access_token": "token",
        "id_server": "is.example.com:8090",
    });
    assert_eq!(node.received_one().await.json(), expected);
}

#[tokio::test]
async fn an_msisdn_token_is_asked_for_as_the_protocol_says() {
    let node = ScriptedNode::answering(200, r#"{"sid":"1","submit_url":"https://n/submit"}"#).await;
    let request = RequestMsisdnToken::new("secret", "GB", "07700900001", 2);
    node.client().request_token_to_3pid_msisdn(&request).await.unwrap();
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/account/3pid/msisdn/requestToken");
    let expected = json!({
        "client_secret": "secret", "country": "GB", "phone_number": "07700900001", "send_attempt": 2,
    });
    assert_eq!(received.json(), expected);
}

#[tokio::test]
async fn the_prefix_and_a_path_of_the_base_url_are_kept() {
    for (path, prefix, expected) in [
        ("", "/_matrix", "GET /_matrix/client/versions"),
        ("/", "_matrix/", "GET /_matrix/client/versions"),
        ("/node/", "/_api", "GET /node/_api/client/versions"),
        ("/node", "", "GET /node/client/versions"),
    ] {
        let node = ScriptedNode::answering(200, r#"{"versions":["v1.19"]}"#).await;
        let url = format!("{}{path}", node.url);
        let client = countersign_client::Client::builder(url).prefix(prefix).build().unwrap();
        assert_eq!(client.get_versions().await.unwrap().versions, ["v1.19"]);
        assert_eq!(node.received_one().await.line, expected);
    }
}

#[tokio::test]
async fn a_login_gives_a_token_that_later_calls_send() {
    let node = ScriptedNode::answering(
        200,
        r#"{"user_id":"@a:x","access_token":"tok","device_id":"D","well_known":{"m.node":{"base_url":"u"}}}"#,
    )
    .await;
    let request = LoginRequest::password(UserIdentifier::user("a"), "hunter2");
    let answer = node.client().login(&request).await.unwrap();
    assert_eq!(answer.access_token, "tok");
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/login");
    assert_eq!(received.header("authorization"), None);
    let expected = json!({
        "type": "m.login.password", "password": "hunter2",
        "identifier": {"type": "m.id.user", "user": "a"},
    });
    assert_eq!(received.json(), expected);

    let node = ScriptedNode::answering(200, r#"{"user_id":"@a:x","device_id":"D"}"#).await;
    let owner = node.client().with_access_token("tok").get_token_owner().await.unwrap();
    assert_eq!((owner.user_id.as_str(), owner.device_id.as_deref()), ("@a:x", Some("D")));
    let received = node.received_one().await;
    assert_eq!(received.line, "GET /_api/client/v3/account/whoami");
    assert_eq!(received.header("authorization"), Some("Bearer tok"));
    assert!(received.body.is_empty());
}

#[tokio::test]
async fn logging_out_sends_the_token() {
    let node = ScriptedNode::answering(200, "{}").await;
    node.builder().access_token("tok").build().unwrap().logout().await.unwrap();
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/logout");
    assert_eq!(received.header("authorization"), Some("Bearer tok"));

    let node = ScriptedNode::answering(200, "{}").await;
    node.builder().access_token("tok").build().unwrap().logout_all().await.unwrap();
    assert_eq!(node.received_one().await.line, "POST /_api/client/v3/logout/all");
}

#[tokio::test]
async fn flows_and_capabilities_are_read() {
    let node = ScriptedNode::answering(200, r#"{"flows":[{"type":"m.login.password"}]}"#).await;
    let flows = node.client().get_login_flows().await.unwrap().flows;
    assert_eq!(flows[0].login_type, "m.login.password");
    assert_eq!(node.received_one().await.line, "GET /_api/client/v3/login");

    let body = r#"{"capabilities":{"m.3pid_changes":{"enabled":false},"x":{"y":1}}}"#;
    let node = ScriptedNode::answering(200, body).await;
    let capabilities = node.client().get_capabilities().await.unwrap().capabilities;
    assert!(!capabilities.threepid_changes.unwrap().enabled);
    assert_eq!(capabilities.change_password, None);
    assert_eq!(node.received_one().await.line, "GET /_api/client/v3/capabilities");
}

#[tokio::test]
async fn a_username_is_escaped_in_the_query() {
    let node = ScriptedNode::answering(200, r#"{"available":true}"#).await;
    assert!(node.client().check_username_availability("a&b=ü").await.unwrap().available);
    let line = node.received_one().await.line;
    assert_eq!(line, "GET /_api/client/v3/register/available?username=a%26b%3D%C3%BC");
}

#[tokio::test]
async fn a_registration_sends_only_what_is_given() {
    let node = ScriptedNode::answering(200, r#"{"user_id":"@a:x"}"#).await;
    let request = RegisterRequest { inhibit_login: Some(true), ..RegisterRequest::new("a", "hunter2") };
    let answer = node.client().register(&request).await.unwrap();
    assert_eq!((answer.user_id.as_str(), answer.access_token), ("@a:x", None));
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/register");
    assert_eq!(received.json(), json!({"username": "a", "password": "hunter2", "inhibit_login": true}));
}

#[tokio::test]
async fn a_code_goes_to_the_submit_url_without_the_access_token() {
    let node = ScriptedNode::answering(200, r#"{"success":true}"#).await;
    let client = node.client().with_access_token("tok");
    let url = format!("{}/_countersign/v1/submit_token?x=1", node.url);
    let answer = client.submit_token(&url, &SubmitTokenRequest::new("1", "secret", "012345")).await.unwrap();
    assert!(answer.success);
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_countersign/v1/submit_token?x=1");
    assert_eq!(received.header("authorization"), None);
    assert_eq!(received.json(), json!({"sid": "1", "client_secret": "secret", "token": "012345"}));
}

#[tokio::test]
async fn threepids_are_listed_and_deleted() {
    let body = r#"{"threepids":[{"medium":"email","address":"a@b.c","validated_at":1,"added_at":2}]}"#;
    let node = ScriptedNode::answering(200, body).await;
    let threepids = node.client().get_account_3pids().await.unwrap().threepids;
    assert_eq!((threepids[0].medium.as_str(), threepids[0].address.as_str()), ("email", "a@b.c"));
    assert_eq!((threepids[0].validated_at, threepids[0].added_at), (1, 2));
    assert_eq!(node.received_one().await.line, "GET /_api/client/v3/account/3pid");

    let node = ScriptedNode::answering(200, r#"{"id_server_unbind_result":"no-support"}"#).await;
    let request = DeleteThreepidRequest::new("email", "a@b.c");
    let answer = node.client().delete_3pid_from_account(&request).await.unwrap();
    assert_eq!(answer.id_server_unbind_result, UnbindResult::NoSupport);
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/account/3pid/delete");
    assert_eq!(received.json(), json!({"medium": "email", "address": "a@b.c"}));
}

#[tokio::test]
async fn threepids_are_bound_and_unbound_at_an_identity_server() {
    let node = ScriptedNode::answering(200, "{}").await;
    let request = BindThreepidRequest {
        client_secret: "secret".to_owned(),
        sid: "1".to_owned(),
        id_server: "is.example.com:8090".to_owned(),
        id_access_token: "is-tok".to_owned(),
    };
    node.client().with_access_token("tok").bind_3pid(&request).await.unwrap();
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/account/3pid/bind");
    assert_eq!(received.header("authorization"), Some("Bearer tok"));
    let expected = json!({
        "client_secret": "secret", "sid": "1", "id_server": "is.example.com:8090", "id_access_token": "is-tok",
    });
    assert_eq!(received.json(), expected);

    let node = ScriptedNode::answering(200, r#"{"id_server_unbind_result":"success"}"#).await;
    let request = UnbindThreepidRequest {
        id_server: Some("is.example.com".to_owned()),
        ..UnbindThreepidRequest::new("email", "a@b.c")
    };
    let client = node.client().with_access_token("tok");
    let answer = client.unbind_3pid_from_account(&request).await.unwrap();
    assert_eq!(answer.id_server_unbind_result, UnbindResult::Success);
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/account/3pid/unbind");
    assert_eq!(received.header("authorization"), Some("Bearer tok"));
    let expected = json!({"medium": "email", "address": "a@b.c", "id_server": "is.example.com"});
    assert_eq!(received.json(), expected);
}

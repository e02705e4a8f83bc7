//! What the methods about whole accounts send, and what they make of a good answer.

use countersign_client::{
    AddThreepidDirectlyRequest, ChangePasswordRequest, DeactivateRequest, RefreshRequest, RequestEmailToken,
    RequestMsisdnToken, UnbindResult,
};
use serde_json::json;

use crate::scripted_node::ScriptedNode;

const SID: &str = r#"{"sid":"1","submit_url":"https://n/submit"}"#;

#[tokio::test]
async fn tokens_to_register_and_reset_are_asked_for_without_the_access_token() {
    let email = RequestEmailToken::new("secret", "alice@example.com", 1);
    let msisdn = RequestMsisdnToken::new("secret", "GB", "07700900001", 1);
    let paths = ["register/email", "register/msisdn", "account/password/email", "account/password/msisdn"];
    for path in paths {
        let node = ScriptedNode::answering(200, SID).await;
        let client = node.client().with_access_token("tok");
        let answer = match path {
            "register/email" => client.request_token_to_register_email(&email).await,
            "register/msisdn" => client.request_token_to_register_msisdn(&msisdn).await,
            "account/password/email" => client.request_token_to_reset_password_email(&email).await,
            _ => client.request_token_to_reset_password_msisdn(&msisdn).await,
        };
        assert_eq!(answer.unwrap().sid, "1");
        let received = node.received_one().await;
        assert_eq!(received.line, format!("POST /_api/client/v3/{path}/requestToken"));
        assert_eq!(received.header("authorization"), None);
        assert_eq!(received.json()["client_secret"], "secret");
    }
}

#[tokio::test]
async fn a_refresh_sends_the_refresh_token_alone() {
    let body = r#"{"access_token":"new","refresh_token":"next","expires_in_ms":60000}"#;
    let node = ScriptedNode::answering(200, body).await;
    let client = node.client().with_access_token("old");
    let answer = client.refresh(&RefreshRequest::new("refresh")).await.unwrap();
    assert_eq!((answer.access_token.as_str(), answer.refresh_token.as_deref()), ("new", Some("next")));
    assert_eq!(answer.expires_in_ms, Some(60_000));
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/refresh");
    assert_eq!(received.header("authorization"), None);
    assert_eq!(received.json(), json!({"refresh_token": "refresh"}));
}

#[tokio::test]
async fn a_soft_logout_is_told_from_a_hard_one() {
    for (body, expected) in [
        (r#"{"errcode":"M_UNKNOWN_TOKEN","error":"x","soft_logout":true}"#, true),
        (r#"{"errcode":"M_UNKNOWN_TOKEN","error":"x","soft_logout":false}"#, false),
        (r#"{"errcode":"M_UNKNOWN_TOKEN","error":"x"}"#, false),
    ] {
        let node = ScriptedNode::answering(401, body).await;
        let error = node.client().get_token_owner().await.unwrap_err();
        assert_eq!(error.is_soft_logout(), expected, "{body}");
    }
}

#[tokio::test]
async fn a_registration_token_is_escaped_in_the_query_of_version_1() {
    let node = ScriptedNode::answering(200, r#"{"valid":false}"#).await;
    assert!(!node.client().registration_token_validity("a&b~").await.unwrap().valid);
    let expected = "GET /_api/client/v1/register/m.login.registration_token/validity?token=a%26b%7E";
    assert_eq!(node.received_one().await.line, expected);
}

#[tokio::test]
async fn a_new_password_is_sent_as_it_is() {
    let node = ScriptedNode::answering(200, "{}").await;
    let request =
        ChangePasswordRequest { logout_devices: Some(false), ..ChangePasswordRequest::new(" spaces stay ") };
    node.client().with_access_token("tok").change_password(&request).await.unwrap();
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/account/password");
    assert_eq!(received.header("authorization"), Some("Bearer tok"));
    assert_eq!(received.json(), json!({"new_password": " spaces stay ", "logout_devices": false}));
}

#[tokio::test]
async fn a_deactivation_tells_what_became_of_the_bindings() {
    let node = ScriptedNode::answering(200, r#"{"id_server_unbind_result":"success"}"#).await;
    let request = DeactivateRequest { erase: Some(true), ..DeactivateRequest::default() };
    let answer = node.client().deactivate_account(&request).await.unwrap();
    assert_eq!(answer.id_server_unbind_result, UnbindResult::Success);
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/account/deactivate");
    assert_eq!(received.json(), json!({"erase": true}));
}

#[tokio::test]
async fn an_openid_token_is_asked_for_with_the_user_in_the_path() {
    let body = r#"{"access_token":"o","token_type":"Bearer","matrix_server_name":"x","expires_in":3600}"#;
    let node = ScriptedNode::answering(200, body).await;
    let client = node.client().with_access_token("tok");
    let answer = client.request_openid_token("@al/ic+e:x").await.unwrap();
    assert_eq!((answer.matrix_server_name.as_str(), answer.expires_in), ("x", 3600));
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/user/%40al%2Fic%2Be%3Ax/openid/request_token");
    assert_eq!(received.header("authorization"), Some("Bearer tok"));
    assert_eq!(received.json(), json!({}));
}

#[tokio::test]
async fn a_threepid_is_added_directly_by_its_session() {
    let node = ScriptedNode::answering(200, "{}").await;
    let request = AddThreepidDirectlyRequest::new("sid1", "secret");
    node.client().with_access_token("tok").post_3pids(&request).await.unwrap();
    let received = node.received_one().await;
    assert_eq!(received.line, "POST /_api/client/v3/account/3pid");
    assert_eq!(received.json(), json!({"three_pid_creds": {"sid": "sid1", "client_secret": "secret"}}));
}

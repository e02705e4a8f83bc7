//! The methods that walk through user-interactive authentication.

use countersign_client::{AddThreepidRequest, ErrorCode, RegisterRequest, UserIdentifier};
use serde_json::json;

use crate::scripted_node::{ScriptedNode, answer};

const ASKS_FOR_DUMMY: &str =
    r#"{"flows":[{"stages":["m.login.terms"]},{"stages":["m.login.dummy"]}],"params":{},"session":"uia"}"#;
const ASKS_FOR_PASSWORD: &str = r#"{"flows":[{"stages":["m.login.password"]}],"params":{},"session":"uia"}"#;

#[tokio::test]
async fn a_registration_answers_the_dummy_stage() {
    let done = r#"{"user_id":"@a:x","access_token":"tok","device_id":"D"}"#;
    let node = ScriptedNode::start(vec![answer(401, "", ASKS_FOR_DUMMY), answer(200, "", done)]).await;
    let request = RegisterRequest::new("a", "hunter2");
    let answer = node.client().register_with_dummy(&request).await.unwrap();
    assert_eq!(answer.access_token.as_deref(), Some("tok"));
    let received = node.received().await;
    assert_eq!(received[0].json(), json!({"username": "a", "password": "hunter2"}));
    let auth = json!({"type": "m.login.dummy", "session": "uia"});
    assert_eq!(received[1].json(), json!({"username": "a", "password": "hunter2", "auth": auth}));
}

#[tokio::test]
async fn a_registration_that_needs_more_than_dummy_is_an_error() {
    let asks_for_more =
        r#"{"flows":[{"stages":["m.login.email.identity","m.login.dummy"]}],"session":"uia"}"#;
    let node = ScriptedNode::answering(401, asks_for_more).await;
    let error = node.client().register_with_dummy(&RegisterRequest::new("a", "p")).await.unwrap_err();
    assert_eq!(error.uia().unwrap().flows[0].stages[0], "m.login.email.identity");
    node.received_one().await;
}

#[tokio::test]
async fn a_taken_name_ends_the_registration_at_once() {
    let node = ScriptedNode::answering(400, r#"{"errcode":"M_USER_IN_USE","error":"Taken"}"#).await;
    let error = node.client().register_with_dummy(&RegisterRequest::new("a", "p")).await.unwrap_err();
    assert_eq!(error.errcode(), Some(&ErrorCode::UserInUse));
    node.received_one().await;
}

#[tokio::test]
async fn adding_answers_the_password_stage() {
    let node = ScriptedNode::start(vec![answer(401, "", ASKS_FOR_PASSWORD), answer(200, "", "{}")]).await;
    let client = node.client().with_access_token("tok");
    let request = AddThreepidRequest::new("sid1", "secret");
    client.add_3pid_with_password(&request, UserIdentifier::user("alice"), "hunter2").await.unwrap();
    let received = node.received().await;
    for request in &received {
        assert_eq!(request.line, "POST /_api/client/v3/account/3pid/add");
        assert_eq!(request.header("authorization"), Some("Bearer tok"));
    }
    assert_eq!(received[0].json(), json!({"sid": "sid1", "client_secret": "secret"}));
    let auth = json!({
        "type": "m.login.password", "session": "uia", "password": "hunter2",
        "identifier": {"type": "m.id.user", "user": "alice"},
    });
    assert_eq!(received[1].json(), json!({"sid": "sid1", "client_secret": "secret", "auth": auth}));
}

#[tokio::test]
async fn a_wrong_password_is_told_with_its_code() {
    let wrong = r#"{"flows":[{"stages":["m.login.password"]}],"params":{},"session":"uia",
        "errcode":"M_FORBIDDEN","error":"Wrong password"}"#;
    let node = ScriptedNode::start(vec![answer(401, "", ASKS_FOR_PASSWORD), answer(401, "", wrong)]).await;
    let request = AddThreepidRequest::new("sid1", "secret");
    let client = node.client();
    let error =
        client.add_3pid_with_password(&request, UserIdentifier::user("alice"), "hunter2").await.unwrap_err();
    assert_eq!(error.errcode(), Some(&ErrorCode::Forbidden));
    assert_eq!(error.message(), Some("Wrong password"));
    assert_eq!(error.uia().unwrap().session.as_deref(), Some("uia"));
}

//! Walks through flows of several stages.

use countersign_client::{
    AuthData, ChangePasswordRequest, Client, Credentials, DeactivateRequest, ErrorCode, RegisterRequest,
    ThreepidCreds, UserIdentifier,
};
use serde_json::{Value, json};

use crate::scripted_node::{ScriptedNode, answer};

const DONE: &str = r#"{"user_id":"@a:x"}"#;

/// A 401 with these flows and what is completed of them.
fn asks(flows: &[&[&str]], completed: &[&str]) -> String {
    let flows: Vec<_> = flows.iter().map(|stages| json!({"stages": stages})).collect();
    answer(401, "", &json!({"flows": flows, "completed": completed, "session": "uia"}).to_string())
}

fn everything() -> Credentials {
    Credentials {
        password: Some((UserIdentifier::user("alice"), "hunter2".to_owned())),
        email: Some(ThreepidCreds::new("mail", "s")),
        msisdn: Some(ThreepidCreds::new("sms", "s")),
        registration_token: Some("token".to_owned()),
        accept_terms: true,
        session: None,
    }
}

/// The `auth` of each request.
async fn auths(node: ScriptedNode) -> Vec<Value> {
    node.received().await.iter().map(|received| received.json()["auth"].clone()).collect()
}

#[tokio::test]
async fn each_stage_of_a_flow_is_answered_in_its_order() {
    let stages = [
        "m.login.registration_token",
        "m.login.terms",
        "m.login.email.identity",
        "m.login.msisdn",
        "m.login.password",
        "m.login.dummy",
    ];
    let mut answers: Vec<_> = (0..stages.len()).map(|done| asks(&[&stages], &stages[..done])).collect();
    answers.push(answer(200, "", DONE));
    let node = ScriptedNode::start(answers).await;
    let request = RegisterRequest::new("alice", "p");
    node.client().register_with(&request, &everything()).await.unwrap();
    let auths = auths(node).await;
    assert_eq!(auths[0], Value::Null);
    let sent: Vec<_> = auths[1..].iter().map(|auth| auth["type"].as_str().unwrap()).collect();
    assert_eq!(sent, stages);
    assert!(auths[1..].iter().all(|auth| auth["session"] == "uia"), "{auths:?}");
    assert_eq!(auths[1]["token"], "token");
    assert_eq!(auths[3]["threepid_creds"], json!({"sid": "mail", "client_secret": "s"}));
    assert_eq!(auths[4]["threepid_creds"], json!({"sid": "sms", "client_secret": "s"}));
}

#[tokio::test]
async fn the_first_flow_that_can_be_finished_is_taken() {
    let flows: [&[&str]; 4] = [
        &["m.login.recaptcha"],
        &["m.login.terms", "m.login.msisdn"],
        &["m.login.terms", "m.login.email.identity"],
        &["m.login.dummy"],
    ];
    let answers = vec![asks(&flows, &[]), asks(&flows, &["m.login.terms"]), answer(200, "", DONE)];
    let node = ScriptedNode::start(answers).await;
    let credentials = Credentials { accept_terms: true, ..Credentials::email("mail", "s") };
    node.client().register_with(&RegisterRequest::new("a", "p"), &credentials).await.unwrap();
    let auths = auths(node).await;
    assert_eq!(
        (&auths[1]["type"], &auths[2]["type"]),
        (&json!("m.login.terms"), &json!("m.login.email.identity"))
    );
}

#[tokio::test]
async fn what_the_credentials_are_not_enough_for_is_not_begun() {
    let flow: &[&str] = &["m.login.dummy", "m.login.terms"];
    for credentials in [Credentials::default(), Credentials { accept_terms: false, ..everything() }] {
        let node = ScriptedNode::start(vec![asks(&[flow, &[]], &[])]).await;
        let request = RegisterRequest::new("a", "p");
        let error = node.client().register_with(&request, &credentials).await.unwrap_err();
        assert_eq!(error.uia().unwrap().flows.len(), 2);
        node.received_one().await;
    }
}

#[tokio::test]
async fn a_stage_that_fails_ends_the_walk_and_its_session_goes_on_later() {
    let flow: &[&str] = &["m.login.email.identity"];
    let failed = json!({
        "flows": [{"stages": flow}], "session": "uia", "errcode": "M_UNAUTHORIZED", "error": "Not yet",
    });
    let node = ScriptedNode::start(vec![asks(&[flow], &[]), answer(401, "", &failed.to_string())]).await;
    let request = ChangePasswordRequest::new("new");
    let credentials = Credentials::email("mail", "s");
    let error = node.client().change_password_with(&request, &credentials).await.unwrap_err();
    assert_eq!(error.errcode(), Some(&ErrorCode::Unauthorized));
    let session = error.uia().and_then(|info| info.session.clone());
    assert_eq!(session.as_deref(), Some("uia"));

    let node = ScriptedNode::start(vec![asks(&[flow], &[]), answer(200, "", "{}")]).await;
    let credentials = Credentials { session, ..credentials };
    node.client().change_password_with(&request, &credentials).await.unwrap();
    let auths = auths(node).await;
    assert_eq!(auths[0], json!({"session": "uia"}), "no new session is begun");
    assert_eq!(auths[1]["type"], "m.login.email.identity");
}

#[tokio::test]
async fn a_node_that_counts_no_stage_is_not_asked_for_ever() {
    let flow: &[&str] = &["m.login.dummy"];
    let node = ScriptedNode::start(vec![asks(&[flow], &[]), asks(&[flow], &[])]).await;
    let request = RegisterRequest::new("a", "p");
    let error = node.client().register_with_dummy(&request).await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert_eq!(node.received().await.len(), 2);
}

#[tokio::test]
async fn a_deactivation_keeps_its_parameters_in_every_round() {
    let flow: &[&str] = &["m.login.password"];
    let done = answer(200, "", r#"{"id_server_unbind_result":"success"}"#);
    let node = ScriptedNode::start(vec![asks(&[flow], &[]), done]).await;
    let request = DeactivateRequest { erase: Some(true), ..DeactivateRequest::default() };
    node.client().deactivate_account_with(&request, &everything()).await.unwrap();
    assert!(node.received().await.iter().all(|received| received.json()["erase"] == true));
}

#[test]
fn a_walk_can_go_to_another_thread() {
    fn assert_send(_: impl Send) {}
    let client = Client::builder("http://127.0.0.1:1").build().unwrap();
    let (request, credentials) = (RegisterRequest::new("a", "p"), everything());
    assert_send(client.register_with(&request, &credentials));
    assert_send(countersign_client::walk(&credentials, |_: Option<AuthData>| async { Ok(()) }));
}

#[test]
fn debug_shows_no_credentials() {
    let shown = format!("{:?}", everything());
    assert!(!shown.contains("hunter2") && !shown.contains("token"), "{shown}");
}

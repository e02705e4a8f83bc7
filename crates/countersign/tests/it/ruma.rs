//! Answers of a running node, read by ruma: the types that Rust clients have.

use axum::http::{Method, Response};
use ruma_client_api::{
    account::{
        ThirdPartyIdRemovalStatus, add_3pid, change_password, deactivate, delete_3pid, get_3pids,
        get_username_availability, register, request_3pid_management_token_via_email,
        request_3pid_management_token_via_msisdn, request_openid_token, whoami,
    },
    discovery::{discover_homeserver, get_capabilities, get_supported_versions},
    session::{get_login_types, login, logout, refresh_token},
    uiaa::{AuthType, UiaaResponse},
};
use ruma_common::{
    api::{
        IncomingResponse, IncomingResponseExt,
        error::{Error, ErrorKind, FromHttpResponseError},
    },
    thirdparty::Medium,
};
use serde_json::json;

use crate::{
    steps::password_auth,
    support::{PASSWORD, TestNode},
    wire::Answer,
};

fn read<R: IncomingResponse>(answer: &Answer) -> Result<R, FromHttpResponseError<R::EndpointError>> {
    let mut response = Response::builder().status(answer.status);
    *response.headers_mut().expect("a response") = answer.headers.clone();
    R::try_from_http_response(response.body(answer.text.as_bytes()).expect("a response"))
}

/// A success.
#[track_caller]
fn success<R: IncomingResponse>(answer: &Answer) -> R {
    read(answer).unwrap_or_else(|_| panic!("ruma does not read it: {answer:?}"))
}

/// An error of the protocol.
#[track_caller]
fn error<R: IncomingResponse<EndpointError = Error>>(answer: &Answer) -> ErrorKind {
    match read::<R>(answer) {
        Err(FromHttpResponseError::Server(error)) => {
            error.error_kind().unwrap_or_else(|| panic!("ruma finds no errcode: {answer:?}")).clone()
        }
        Ok(_) | Err(_) => panic!("ruma does not read it as an error: {answer:?}"),
    }
}

#[tokio::test]
async fn what_the_server_says_about_itself() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let answer = node.call(Method::GET, "/_matrix/client/versions").send().await;
    let versions = success::<get_supported_versions::Response>(&answer);
    assert!(!versions.as_supported_versions().versions.is_empty());
    assert_eq!(versions.unstable_features.get("m.separate_add_and_bind"), Some(&true));
    let flows = success::<get_login_types::v3::Response>(&node.get("/login").send().await).flows;
    assert!(matches!(flows[..], [get_login_types::v3::LoginType::Password(_)]));
    let answer = node.get("/capabilities").token(&alice.access_token).send().await;
    let capabilities = success::<get_capabilities::v3::Response>(&answer).capabilities;
    assert!(capabilities.thirdparty_id_changes.enabled && capabilities.change_password.enabled);
}

#[tokio::test]
async fn registering_and_logging_in_and_out() {
    let node = TestNode::start().await;
    let mut body = json!({"username": "alice", "password": PASSWORD});
    let Err(FromHttpResponseError::Server(UiaaResponse::AuthResponse(info))) =
        read::<register::v3::Response>(&node.post("/register", &body).send().await)
    else {
        panic!("no flows")
    };
    assert_eq!(info.flows[0].stages, [AuthType::Dummy]);
    body["auth"] = json!({"type": "m.login.dummy", "session": info.session.unwrap()});
    let registered = success::<register::v3::Response>(&node.post("/register", &body).send().await);
    assert_eq!(registered.user_id, "@alice:localhost");
    assert!(registered.access_token.is_some() && registered.device_id.is_some());

    let body = json!({"type": "m.login.password", "user": "alice", "password": PASSWORD});
    let logged_in = success::<login::v3::Response>(&node.post("/login", &body).send().await);
    let answer = node.get("/account/whoami").token(&logged_in.access_token).send().await;
    let who = success::<whoami::v3::Response>(&answer);
    assert_eq!((who.user_id, who.device_id), (logged_in.user_id, Some(logged_in.device_id)));
    let answer = node.post("/logout", &json!({})).token(&logged_in.access_token).send().await;
    success::<logout::v3::Response>(&answer);
    let answer = node.get("/account/whoami").token(&logged_in.access_token).send().await;
    assert!(matches!(error::<whoami::v3::Response>(&answer), ErrorKind::UnknownToken(_)));
    let answer = node.get("/register/available?username=bob").send().await;
    assert!(success::<get_username_availability::v3::Response>(&answer).available);
}

#[tokio::test]
async fn asking_for_tokens_and_what_they_prove() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let answer = node.ask_email("monkeys", "alice@example.org", 1).send().await;
    let by_mail = success::<request_3pid_management_token_via_email::v3::Response>(&answer);
    assert!(by_mail.submit_url.is_some());
    let answer = node.ask_msisdn("monkeys", "GB", "07700900001", 1).send().await;
    let by_sms = success::<request_3pid_management_token_via_msisdn::v3::Response>(&answer);
    let code = node.sms.wait_for(1).await.swap_remove(0).code.unwrap();
    node.submit(by_sms.sid.as_str(), "monkeys", &code).send().await.ok();

    let mut body = json!({"sid": by_sms.sid, "client_secret": "monkeys"});
    let add = |body: &serde_json::Value| node.post("/account/3pid/add", body).token(&alice.access_token);
    let Err(FromHttpResponseError::Server(UiaaResponse::AuthResponse(info))) =
        read::<add_3pid::v3::Response>(&add(&body).send().await)
    else {
        panic!("no flows")
    };
    assert_eq!(info.flows[0].stages, [AuthType::Password]);
    body["auth"] = password_auth(&alice, "wrong");
    let Err(FromHttpResponseError::Server(UiaaResponse::AuthResponse(info))) =
        read::<add_3pid::v3::Response>(&add(&body).send().await)
    else {
        panic!("no flows")
    };
    assert!(matches!(info.auth_error.unwrap().kind, ErrorKind::Forbidden));
    body["auth"] = password_auth(&alice, PASSWORD);
    success::<add_3pid::v3::Response>(&add(&body).send().await);

    let answer = node.get("/account/3pid").token(&alice.access_token).send().await;
    let listed = success::<get_3pids::v3::Response>(&answer).threepids;
    assert_eq!(
        (listed.len(), &listed[0].medium, listed[0].address.as_str()),
        (1, &Medium::Msisdn, "447700900001")
    );
    let answer = node.ask_msisdn("other", "GB", "07700900001", 1).send().await;
    let kind = error::<request_3pid_management_token_via_msisdn::v3::Response>(&answer);
    assert!(matches!(kind, ErrorKind::ThreepidInUse));
    let body = json!({"medium": "msisdn", "address": "447700900001"});
    let answer = node.post("/account/3pid/delete", &body).token(&alice.access_token).send().await;
    success::<delete_3pid::v3::Response>(&answer);
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn a_limit_says_how_long_to_wait() {
    let node = TestNode::start_with(|config| {
        config.limits.requests_per_network_burst = std::num::NonZeroU32::MIN;
    })
    .await;
    node.ask_email("monkeys", "alice@example.org", 1).send().await.ok();
    let answer = node.ask_email("monkeys", "bob@example.org", 1).send().await;
    let kind = error::<request_3pid_management_token_via_email::v3::Response>(&answer);
    let ErrorKind::LimitExceeded(limited) = kind else { panic!("{kind:?}") };
    assert!(limited.retry_after.is_some());
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn refreshing_and_proving_oneself_to_a_service() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let body =
        json!({"type": "m.login.password", "user": "alice", "password": PASSWORD, "refresh_token": true});
    let logged_in = success::<login::v3::Response>(&node.post("/login", &body).send().await);
    let refresh_token = logged_in.refresh_token.expect("a refresh token");
    assert_eq!(logged_in.expires_in, Some(std::time::Duration::from_secs(3600)));
    let body = json!({ "refresh_token": refresh_token });
    let refreshed = success::<refresh_token::v3::Response>(&node.post("/refresh", &body).send().await);
    assert!(refreshed.refresh_token.is_some_and(|next| next != refresh_token));
    node.let_pass(std::time::Duration::from_secs(3601)).await;
    let answer = node.get("/account/whoami").token(&refreshed.access_token).send().await;
    let ErrorKind::UnknownToken(unknown) = error::<whoami::v3::Response>(&answer) else {
        panic!("{answer:?}")
    };
    assert!(unknown.soft_logout);
    let answer = node
        .post("/user/@alice:localhost/openid/request_token", &json!({}))
        .token(&alice.access_token)
        .send()
        .await;
    let token = success::<request_openid_token::v3::Response>(&answer);
    assert_eq!(token.matrix_server_name, "localhost");
}

#[tokio::test]
async fn a_new_password_and_the_end() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let mut body = json!({"new_password": "another good password"});
    let call = |path: &str, body: &serde_json::Value| node.post(path, body).token(&alice.access_token);
    let Err(FromHttpResponseError::Server(UiaaResponse::AuthResponse(info))) =
        read::<change_password::v3::Response>(&call("/account/password", &body).send().await)
    else {
        panic!("no flows")
    };
    let stages: Vec<_> = info.flows.iter().map(|flow| flow.stages[0].clone()).collect();
    assert_eq!(stages, [AuthType::Password, AuthType::EmailIdentity, AuthType::Msisdn]);
    body["auth"] = password_auth(&alice, PASSWORD);
    success::<change_password::v3::Response>(&call("/account/password", &body).send().await);
    let body = json!({"auth": password_auth(&alice, "another good password")});
    let ended = success::<deactivate::v3::Response>(&call("/account/deactivate", &body).send().await);
    assert_eq!(ended.id_server_unbind_result, ThirdPartyIdRemovalStatus::Success);
}

#[tokio::test]
async fn discovery() {
    let node = TestNode::start().await;
    let answer = node.call(Method::GET, "/.well-known/matrix/client").send().await;
    assert_eq!(success::<discover_homeserver::Response>(&answer).homeserver.base_url, node.url);
}

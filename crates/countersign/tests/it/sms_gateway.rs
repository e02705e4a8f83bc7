//! Real HTTP between the real program and a gateway that answers as it is told.

mod gateway;

use std::time::Duration;

use countersign_client::{RequestMsisdnToken, RequestTokenResponse, SubmitTokenRequest};
use serde_json::Value;

pub(crate) use self::gateway::{Answer, Gateway};
use crate::process::{ServeFolder, ServedNode};

/// A gateway as its provider documents it: JSON, a key in two headers, and failed messages that are tried again soon.
fn folder(gateway: &Gateway, gateway_settings: &str) -> ServeFolder {
    ServeFolder::new(&format!(
        r#"
[sms]
countries = ["GB"]
autofill_domain = "app.example.org"
[sms.http]
url = "{}/send"
authorization = "Bearer s3cret"
{gateway_settings}
[outbox]
retry_delay_min = "100ms"
poll_interval = "100ms"
"#,
        gateway.url
    ))
}

/// A body with all that a message has.
const BODY: &str =
    r#"body = '{"to": "+{{ msisdn }}", "text": "{{ text }}", "id": "{{ id }}", "cc": "{{ country }}"}'"#;

async fn ask(node: &ServedNode, send_attempt: i64) -> RequestTokenResponse {
    let request = RequestMsisdnToken::new("monkeys_are_GREAT", "GB", "07700 900001", send_attempt);
    node.client.request_token_to_3pid_msisdn(&request).await.expect("accepted")
}

#[tokio::test]
async fn the_gateway_gets_the_request_that_its_provider_documents() {
    let gateway = Gateway::start([]).await;
    let settings = format!("{BODY}\nheaders = {{ X-Account = \"acme\" }}");
    let folder = folder(&gateway, &settings);
    let node = folder.serve().await;
    let sid = ask(&node, 1).await.sid;
    let request = gateway.wait_for(1).await.remove(0);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/send"));
    assert_eq!(request.header("authorization"), "Bearer s3cret");
    assert_eq!(request.header("x-account"), "acme");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("user-agent"), "countersign");

    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!((&body["to"], &body["cc"]), (&"+447700900001".into(), &"GB".into()));
    let text = body["text"].as_str().unwrap();
    let last_line = text.lines().last().unwrap();
    let code = last_line.strip_prefix("@app.example.org #").unwrap();
    assert!(code.len() == 6 && text.matches(code).count() == 2, "{text}");
    let submit_url = format!("{}/_countersign/v1/submit_token", node.url);
    let submission = SubmitTokenRequest::new(&sid, "monkeys_are_GREAT", code);
    assert!(node.client.submit_token(&submit_url, &submission).await.unwrap().success);

    node.drained().await;
    let log = node.process.stderr.text();
    for secret in ["s3cret", code, "7700900001", "monkeys"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn method_form_and_sender_are_as_configured() {
    let gateway = Gateway::start([]).await;
    let settings = r#"method = "PUT"
from = "Exämple & Co"
headers = { Content-Type = "application/x-www-form-urlencoded" }
body = "To={{ msisdn }}&From={{ from }}&Body={{ text }}""#;
    let folder = folder(&gateway, settings);
    let node = folder.serve().await;
    ask(&node, 1).await;
    let request = gateway.wait_for(1).await.remove(0);
    assert_eq!(request.method, "PUT");
    let fields: Vec<(String, String)> =
        url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["To", "From", "Body"]);
    assert_eq!(fields[0].1, "447700900001");
    assert_eq!(fields[1].1, "Exämple & Co");
    assert!(fields[2].1.contains("\n@app.example.org #"), "{:?}", fields[2].1);
    node.drained().await;
}

#[tokio::test]
async fn a_gateway_that_fails_is_asked_again_with_the_same_id() {
    let gateway = Gateway::start([Answer::status(500), Answer::status(503), Answer::status(200)]).await;
    let folder = folder(&gateway, BODY);
    let node = folder.serve().await;
    ask(&node, 1).await;
    let bodies: Vec<Value> = gateway
        .wait_for(3)
        .await
        .iter()
        .map(|request| serde_json::from_str(&request.body).unwrap())
        .collect();
    assert!(bodies.iter().all(|body| body == &bodies[0]), "the same id, and the same code: {bodies:?}");
    node.drained().await;
    assert_eq!(gateway.requests().len(), 3);
}

#[tokio::test]
async fn after_a_refusal_for_good_the_same_attempt_sends_again() {
    let gateway = Gateway::start([Answer::status(400)]).await;
    let folder = folder(&gateway, BODY);
    let node = folder.serve().await;
    let first = ask(&node, 1).await;
    node.process.said("is given up").await;
    node.drained().await;
    assert_eq!(gateway.requests().len(), 1);

    let again = ask(&node, 1).await;
    assert_eq!(again.sid, first.sid);
    gateway.wait_for(2).await;
    node.drained().await;
    ask(&node, 1).await;
    node.drained().await;
    assert_eq!(gateway.requests().len(), 2, "a repeat after the delivery sends nothing");
}

#[tokio::test]
async fn a_gateway_is_left_alone_for_as_long_as_it_asks() {
    let gateway = Gateway::start([Answer::status(429).retry_after(2)]).await;
    let folder = folder(&gateway, BODY);
    let node = folder.serve().await;
    ask(&node, 1).await;
    let requests = gateway.wait_for(2).await;
    let waited = requests[1].at - requests[0].at;
    assert!(Duration::from_secs(2) <= waited, "it waited for {waited:?}");
    node.drained().await;
}

#[tokio::test]
async fn a_status_of_200_is_no_success_without_the_text_that_means_one() {
    let gateway = Gateway::start([
        Answer::status(200).body("{\"queued\":0}"),
        Answer::status(200).body("{\"queued\":1}"),
    ])
    .await;
    let folder = folder(&gateway, &format!("{BODY}\nsuccess_contains = '\"queued\":1'"));
    let node = folder.serve().await;
    ask(&node, 1).await;
    gateway.wait_for(2).await;
    node.drained().await;
    assert_eq!(gateway.requests().len(), 2);
}

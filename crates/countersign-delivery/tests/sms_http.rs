//! The HTTP gateway against a real server: what is asked, and what each answer means.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/http.rs"]
mod http;
#[path = "support/request.rs"]
mod request;

use std::time::Duration;

use countersign_delivery::{
    Accepted, Secret, SendError, SmsGateway, SmsMessage,
    sms::http::{HttpGateway, HttpGatewaySettings},
};

use self::http::HttpServer;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

fn message() -> SmsMessage {
    SmsMessage {
        id: "0193-def".to_owned(),
        to: "447700900123".to_owned(),
        text: "\"123456\" is your code & more\n@example.org #123456".to_owned(),
        country: Some("GB".to_owned()),
        template: "validate_msisdn",
        date_ms: 0,
        code: None,
    }
}

fn settings(server: &HttpServer) -> HttpGatewaySettings {
    HttpGatewaySettings::new(format!("http://{}/send", server.address))
}

async fn send(settings: HttpGatewaySettings) -> Result<Accepted, SendError> {
    HttpGateway::new(settings).unwrap().send(&message()).await
}

#[tokio::test]
async fn a_json_request_carries_the_message() {
    let server = HttpServer::answering(OK).await;
    let settings = HttpGatewaySettings {
        headers: vec![
            ("Authorization".to_owned(), Secret::new("Bearer s3cret")),
            ("Idempotency-Key".to_owned(), Secret::new("{{ id }}")),
        ],
        body: Some(r#"{"to": "+{{ msisdn }}", "text": "{{ text }}", "from": "{{ from }}"}"#.to_owned()),
        from: Some("Example".to_owned()),
        ..settings(&server)
    };
    assert!(!format!("{settings:?}").contains("s3cret"));
    assert_eq!(send(settings).await, Ok(Accepted { reply: "200".to_owned() }));

    let requests = server.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /send HTTP/1.1\r\n"));
    let head = head.to_ascii_lowercase();
    for line in
        ["authorization: bearer s3cret", "idempotency-key: 0193-def", "content-type: application/json"]
    {
        assert!(head.contains(line), "{line} is missing in {head}");
    }
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["to"], "+447700900123");
    assert_eq!(body["text"], message().text);
    assert_eq!(body["from"], "Example");
}

#[tokio::test]
async fn a_get_request_carries_the_message_in_its_url() {
    let server = HttpServer::answering(OK).await;
    let settings = HttpGatewaySettings {
        method: "GET".to_owned(),
        ..HttpGatewaySettings::new(format!(
            "http://{}/?to={{{{ msisdn }}}}&text={{{{ text }}}}",
            server.address
        ))
    };
    send(settings).await.unwrap();
    let requests = server.requests();
    let expected = "GET /?to=447700900123&text=%22123456%22%20is%20your%20code%20%26%20more%0A%40example.org%20%23123456 HTTP/1.1\r\n";
    assert!(requests[0].starts_with(expected), "{}", requests[0]);
    assert!(!requests[0].to_ascii_lowercase().contains("content-type"));
}

#[tokio::test]
async fn a_form_request_carries_the_message() {
    let server = HttpServer::answering(OK).await;
    let settings = HttpGatewaySettings {
        headers: vec![("content-type".to_owned(), Secret::new("application/x-www-form-urlencoded"))],
        body: Some("To={{ msisdn }}&Body={{ text }}".to_owned()),
        ..settings(&server)
    };
    send(settings).await.unwrap();
    let requests = server.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(head.to_ascii_lowercase().matches("content-type").count(), 1);
    let expected = [("To".to_owned(), message().to), ("Body".to_owned(), message().text)];
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn answers_are_sorted_and_retry_after_is_honored() {
    for (head, outcome) in [
        ("429 Slow Down\r\nretry-after: 17", ("SMS gateway: status 429", Some(17))),
        ("503 Busy\r\nretry-after: 99999999999", ("SMS gateway: status 503", Some(86_400))),
        ("503 Busy\r\nretry-after: Wed, 21 Oct 2026 07:28:00 GMT", ("SMS gateway: status 503", None)),
        ("401 No", ("SMS gateway: status 401", None)),
        ("302 Elsewhere\r\nlocation: /elsewhere", ("SMS gateway: status 302", None)),
    ] {
        let server = HttpServer::answering(format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n")).await;
        let expected = SendError::Transient {
            reason: outcome.0.to_owned(),
            retry_after: outcome.1.map(Duration::from_secs),
        };
        assert_eq!(send(settings(&server)).await, Err(expected));
        assert_eq!(server.requests().len(), 1, "no redirect is followed");
    }
    let server = HttpServer::answering("HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(
        send(settings(&server)).await,
        Err(SendError::Permanent { reason: "SMS gateway: status 400".to_owned() })
    );
}

#[tokio::test]
async fn success_is_what_the_settings_say() {
    let server = HttpServer::answering(OK).await;
    let only_202 = HttpGatewaySettings { success_statuses: vec![202..=202], ..settings(&server) };
    assert!(matches!(send(only_202).await, Err(SendError::Transient { .. })));
    let with_text =
        |text: &str| HttpGatewaySettings { success_contains: Some(text.to_owned()), ..settings(&server) };
    assert!(send(with_text("ok")).await.is_ok());
    assert!(matches!(send(with_text("accepted")).await, Err(SendError::Transient { .. })));
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let body = "x".repeat(1_000_000);
    let server =
        HttpServer::answering(format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{body}")).await;
    let settings = HttpGatewaySettings { success_contains: Some("ok".to_owned()), ..settings(&server) };
    assert!(matches!(send(settings).await, Err(SendError::Transient { .. })));
}

#[tokio::test]
async fn a_broken_server_is_transient_and_its_reason_holds_no_number() {
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute_url = format!("http://{}/?to={{{{ msisdn }}}}", mute.local_addr().unwrap());
    let closing = HttpServer::answering("").await;
    let garbled = HttpServer::answering("250 hello\r\n\r\n").await;
    let cut = HttpServer::answering("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort").await;
    let url = |server: &HttpServer| format!("http://{}/?to={{{{ msisdn }}}}", server.address);
    for url in
        [mute_url, url(&closing), url(&garbled), url(&cut), "http://127.0.0.1:1/{{ msisdn }}".to_owned()]
    {
        let settings = HttpGatewaySettings {
            timeout: Duration::from_millis(300),
            success_contains: Some("ok".to_owned()),
            ..HttpGatewaySettings::new(url.clone())
        };
        match send(settings).await {
            Err(SendError::Transient { reason, .. }) => assert!(!reason.contains("7700900123"), "{reason}"),
            other => panic!("{url}: {other:?}"),
        }
    }
}

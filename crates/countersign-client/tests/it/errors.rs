//! Everything that isn't a good answer with status 200.

use std::{error::Error as _, time::Duration};

use countersign_client::{
    Client, Error, ErrorCode, LoginRequest, RequestEmailToken, SubmitTokenRequest, UserIdentifier,
};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::scripted_node::{ScriptedNode, answer, receive};

async fn error_of(answers: Vec<String>) -> Error {
    let node = ScriptedNode::start(answers).await;
    let request = RequestEmailToken::new("secret", "alice@example.com", 1);
    let error = node.client().request_token_to_3pid_email(&request).await.unwrap_err();
    assert!(!shown(&error).contains("secret"), "{error}");
    assert!(!shown(&error).contains("alice"), "{error}");
    error
}

/// All that the error says, its sources too.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause}"));
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn only_200_is_success() {
    for status in [201, 202, 203, 204, 206, 301, 302, 303, 304, 307, 308, 400, 404, 500, 503] {
        let location = "location: http://127.0.0.1:1/elsewhere\r\n";
        let body = if status == 204 || status == 304 { "" } else { r#"{"sid":"1"}"# };
        let error = error_of(vec![answer(status, location, body)]).await;
        assert_eq!(error.status(), Some(status));
        assert_eq!(error.errcode(), None);
        assert!(!error.is_timeout() && !error.is_connect() && !error.is_rate_limited());
    }
}

#[tokio::test]
async fn code_and_message_of_the_node_are_kept() {
    let body = r#"{"errcode":"M_THREEPID_IN_USE","error":"Taken\u001b[1m","mxid":"@a:x"}"#;
    let error = error_of(vec![answer(400, "", body)]).await;
    assert_eq!(error.status(), Some(400));
    assert_eq!(error.errcode(), Some(&ErrorCode::ThreepidInUse));
    assert_eq!(error.message(), Some("Taken\u{1b}[1m"));
    assert_eq!(error.body().unwrap().extra["mxid"], "@a:x");
    assert_eq!(error.to_string(), "the node answered 400 M_THREEPID_IN_USE: Taken[1m");
    assert!(error.uia().is_none());
}

#[tokio::test]
async fn an_unknown_code_is_kept_as_it_is() {
    let error = error_of(vec![answer(418, "", r#"{"errcode":"ORG.EXAMPLE.TEAPOT"}"#)]).await;
    assert_eq!(error.errcode().unwrap().as_str(), "ORG.EXAMPLE.TEAPOT");
    assert_eq!(error.message(), None);
}

#[tokio::test]
async fn the_header_says_how_long_to_wait_before_the_body_does() {
    let limited = |field: &str| format!(r#"{{"errcode":"M_LIMIT_EXCEEDED","error":"Slow down"{field}}}"#);
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let cases = [
        ("retry-after: 7\r\n", r#","retry_after_ms":1500"#, seconds(7)),
        ("", r#","retry_after_ms":1500"#, Some(Duration::from_millis(1500))),
        ("retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n", r#","retry_after_ms":2000"#, seconds(2)),
        ("retry-after: -1\r\n", r#","retry_after_ms":-1"#, None),
        ("retry-after: 99999999999999999999999\r\n", r#","retry_after_ms":"1""#, None),
        ("", "", None),
    ];
    for (header, field, expected) in cases {
        let error = error_of(vec![answer(429, header, &limited(field))]).await;
        assert!(error.is_rate_limited());
        assert_eq!(error.retry_after(), expected, "{header}{field}");
    }
    let unavailable = error_of(vec![answer(503, "retry-after: 3\r\n", "busy")]).await;
    assert!(!unavailable.is_rate_limited());
    assert_eq!(unavailable.retry_after(), seconds(3));
}

#[tokio::test]
async fn an_error_without_json_is_told_by_its_status() {
    for body in ["", "<html>Bad Gateway</html>", "[]", "null", r#"{"error":"x"}"#, r#"{"errcode":7}"#] {
        let error = error_of(vec![answer(502, "", body)]).await;
        assert_eq!((error.status(), error.errcode(), error.message()), (Some(502), None, None), "{body}");
        assert_eq!(error.to_string(), "the node answered 502");
    }
}

#[tokio::test]
async fn a_good_status_with_a_bad_body_is_an_error() {
    for body in ["", "<html>", "[1]", r#"{"sid":7}"#, r#"{"submit_url":"x"}"#, r#"{"sid":"1"}x"#] {
        let error = error_of(vec![answer(200, "", body)]).await;
        assert_eq!(error.status(), Some(200), "{body}");
        assert_eq!(error.errcode(), None);
    }
}

#[tokio::test]
async fn a_token_in_a_bad_body_is_not_shown() {
    let body = r#"{"user_id":"@a:x","device_id":"D","access_token":"tok","expires_in_ms":"hunter2"}"#;
    let node = ScriptedNode::answering(200, body).await;
    let request = LoginRequest::password(UserIdentifier::user("a"), "hunter2");
    let error = node.client().login(&request).await.unwrap_err();
    assert_eq!(error.status(), Some(200));
    assert!(!shown(&error).contains("hunter2") && !shown(&error).contains("tok\""), "{error:?}");
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"sid\":\"1\"}".to_owned();
    let error = error_of(vec![cut]).await;
    assert_eq!(error.status(), None);
    assert!(!error.is_connect());

    let cut_error = "HTTP/1.1 403 X\r\ncontent-length: 100\r\n\r\n{\"errcode\":".to_owned();
    let error = error_of(vec![cut_error]).await;
    assert_eq!((error.status(), error.errcode()), (Some(403), None));
}

#[tokio::test]
async fn no_answer_at_all_is_an_error() {
    let error = error_of(vec![String::new()]).await;
    assert_eq!(error.status(), None);
    assert_eq!(error.to_string(), "the node did not answer");
    let error = error_of(vec!["SSH-2.0-OpenSSH\r\n".to_owned()]).await;
    assert_eq!(error.status(), None);
}

#[tokio::test]
async fn a_huge_answer_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        receive(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.unwrap();
        while stream.write_all(&[b' '; 65536]).await.is_ok() {}
    });
    let error = Client::builder(url).build().unwrap().get_versions().await.unwrap_err();
    assert_eq!(error.to_string(), "the node's answer is too large");
}

#[tokio::test]
async fn a_slow_node_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::builder(url).timeout(Duration::from_millis(20)).build().unwrap();
    let error = client.get_versions().await.unwrap_err();
    assert!(error.is_timeout());
    assert!(!error.is_connect());
}

#[tokio::test]
async fn an_absent_node_is_a_connection_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::builder(format!("http://{address}")).build().unwrap();
    let error = client.get_versions().await.unwrap_err();
    assert!(error.is_connect());
    assert!(!error.is_timeout());
    let said = shown(&error);
    assert!(!said.contains("/_api"), "{said}");
}

#[tokio::test]
async fn bad_urls_and_tokens_are_errors() {
    let bad = [
        "",
        "node",
        "//node",
        "node:8008",
        "ftp://node",
        "file:///etc/passwd",
        "http://",
        "https://u:hunter2@node",
        "http://u@node",
        "http://node?x",
        "http://node#x",
        "http://[::1",
        "javascript:alert(1)",
        "http://a b",
    ];
    for url in bad {
        let error = Client::builder(url).build().unwrap_err();
        assert_eq!(error.status(), None, "{url}");
        assert!(!shown(&error).contains("hunter2"));
    }
    let client = Client::builder("http://127.0.0.1:1").access_token("tok\r\nx: y").build().unwrap();
    let error = client.get_token_owner().await.unwrap_err();
    assert!(!shown(&error).contains("tok"), "{error:?}");
    let typed = SubmitTokenRequest::new("1", "secret", "123456");
    for url in ["", "/submit", "ftp://node/submit", "https://u:p@node/submit"] {
        assert!(client.submit_token(url, &typed).await.is_err(), "{url}");
    }
}

#[test]
fn debug_of_a_client_shows_no_token() {
    let builder = Client::builder("https://node.example.com").access_token("hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let client = builder.build().unwrap();
    assert_eq!(format!("{client:?}"), r#"Client { root: "https://node.example.com/_api", .. }"#);
}

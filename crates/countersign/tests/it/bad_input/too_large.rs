//! Bodies over the limit, with a length that says so or without one.

use axum::http::Method;
use countersign_api::client::{
    logout::{LOGOUT, LOGOUT_ALL},
    request_token::THREEPID_EMAIL,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{email_body, paths_with_a_body, with};
use crate::{support::TestNode, wire::api};

#[tokio::test]
async fn a_body_over_the_limit_is_too_large_on_every_route() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let too_large = format!(r#"{{"x": "{}"}}"#, "a".repeat(65_536));
    for path in paths_with_a_body().into_iter().chain([LOGOUT, LOGOUT_ALL].map(api)) {
        let call = node.call(Method::POST, &path).token(&alice.access_token).body(too_large.clone());
        assert_eq!(call.send().await.error(), (413, "M_TOO_LARGE".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_read() {
    let node = TestNode::start_without_limits().await;
    let empty = with(email_body(), "x", json!("")).to_string().len();
    let largest = with(email_body(), "x", json!("a".repeat(65_536 - empty)));
    node.post(THREEPID_EMAIL, &largest).send().await.ok();
    let larger = with(email_body(), "x", json!("a".repeat(65_537 - empty)));
    node.post(THREEPID_EMAIL, &larger).send().await.expect_error(413, "M_TOO_LARGE");
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn a_body_in_chunks_is_cut_off_at_the_limit() {
    let node = TestNode::start_without_limits().await;
    let mut stream = TcpStream::connect(node.url.trim_start_matches("http://")).await.unwrap();
    let path = api(THREEPID_EMAIL);
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    // One chunk more than fits; the end never comes.
    for _ in 0..5 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413");
}

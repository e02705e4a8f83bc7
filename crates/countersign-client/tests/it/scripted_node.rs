//! A node that answers from a script, one connection for each answer, and tells afterwards what it was sent.

use countersign_client::{Client, ClientBuilder};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub(crate) struct ScriptedNode {
    pub(crate) url: String,
    serving: JoinHandle<Vec<Received>>,
}

/// A request that the node was sent.
#[derive(Debug)]
pub(crate) struct Received {
    /// Method and target, such as `GET /_api/client/versions`.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl ScriptedNode {
    /// Starts a node that gives these raw answers, then stops listening.
    pub(crate) async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let mut received = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                received.push(receive(&mut stream).await);
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
            received
        });
        Self { url, serving }
    }

    /// Starts a node that gives one answer.
    pub(crate) async fn answering(status: u16, body: &str) -> Self {
        Self::start(vec![answer(status, "", body)]).await
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder(&self.url)
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    /// What the node was sent, once it has given all its answers.
    pub(crate) async fn received(self) -> Vec<Received> {
        self.serving.await.unwrap()
    }

    pub(crate) async fn received_one(self) -> Received {
        let mut received = self.received().await;
        assert_eq!(received.len(), 1);
        received.remove(0)
    }
}

/// A raw answer. Each of `headers` ends with `\r\n`.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// Reads one request.
pub(crate) async fn receive(stream: &mut TcpStream) -> Received {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request ended in its head");
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0, "the request ended in its body");
    }
    Received { line, headers, body }
}

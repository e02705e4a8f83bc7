//! Requests that are in flight for as long as the test wants.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::process::PATIENCE;

/// A POST whose handler waits for the rest of the body.
pub(super) struct SlowRequest {
    stream: TcpStream,
    rest: String,
}

impl SlowRequest {
    /// Sends all but the body. When this returns, the handler is reading: it said `100 Continue`.
    pub(super) async fn begin(url: &str, path: &str, body: &str) -> Self {
        let address = url.strip_prefix("http://").expect("http");
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Expect: 100-continue\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut interim = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
        let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut interim)).await;
        read.expect("the handler reads").expect("the connection holds");
        assert!(interim.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&interim));
        Self { stream, rest: body.to_owned() }
    }

    /// Sends the body, and answers all that comes back.
    pub(super) async fn finish(mut self) -> String {
        self.stream.write_all(self.rest.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut answer)).await;
        read.expect("it answers and closes").expect("the connection holds");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A request for messages that waits for one to come.
pub(super) struct LongPoll(TcpStream);

impl LongPoll {
    /// Asks. When this returns, the node has read the request: it answered one that came before it in the same bytes.
    pub(super) async fn begin(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("http");
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let both = ["/inbox/messages", "/inbox/messages?since=0&wait=25"].map(get).concat();
        stream.write_all(both.as_bytes()).await.expect("sent");
        let mut first = Vec::new();
        while !first.ends_with(b"\"next\":0}") {
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut first)).await;
            let count = read.expect("it answers").expect("the connection holds");
            assert_ne!(count, 0, "{}", String::from_utf8_lossy(&first));
        }
        Self(stream)
    }

    /// Answers all that comes back.
    pub(super) async fn finish(mut self) -> String {
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut answer)).await;
        read.expect("it answers and closes").expect("the connection holds");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

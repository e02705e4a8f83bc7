//! An HTTP server on loopback that gives scripted answers and keeps each request as text.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::request::read_request;

pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl HttpServer {
    /// Gives the same answer, sent as it is, to every request; an empty one closes the connection.
    pub(crate) async fn answering(answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp, Arc::clone(&answer), Arc::clone(&kept)));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut tcp: TcpStream, answer: Arc<str>, requests: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let request = read_request(&mut tcp).await?;
    requests.lock().unwrap().push(request);
    tcp.write_all(answer.as_bytes()).await.ok()
}

//! An SMS gateway: a small HTTP server that records its requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::process::PATIENCE;

/// A running gateway. Dropping it stops it.
pub(crate) struct Gateway {
    /// Where it is: `http://127.0.0.1:…`.
    pub(crate) url: String,
    state: Arc<Recorded>,
    task: JoinHandle<()>,
}

/// What it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The method.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// The body.
    pub(crate) body: String,
    /// When it came.
    pub(crate) at: Instant,
    headers: HeaderMap,
}

/// What it answers.
#[derive(Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    retry_after: Option<u64>,
    body: &'static str,
}

struct Recorded {
    requests: watch::Sender<Vec<Request>>,
    answers: Mutex<VecDeque<Answer>>,
}

impl Gateway {
    /// Starts one that gives these answers, and then takes everything.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let answers = Mutex::new(answers.into_iter().collect());
        let state = Arc::new(Recorded { requests: watch::Sender::default(), answers });
        let router = Router::new().fallback(record).with_state(state.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { url, state, task }
    }

    /// What it was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.borrow().clone()
    }

    /// Waits until it was asked this often.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Request> {
        let mut requests = self.state.requests.subscribe();
        let waited = tokio::time::timeout(PATIENCE, requests.wait_for(|requests| count <= requests.len()));
        let came = waited.await.is_ok_and(|waited| waited.is_ok());
        assert!(came, "{} of {count} requests came", self.requests().len());
        self.requests()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Request {
    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "{name} in {:?}", self.headers);
        values[0].to_str().expect("ASCII")
    }
}

impl Answer {
    /// An answer with this status.
    pub(crate) fn status(status: u16) -> Self {
        Self { status: StatusCode::from_u16(status).expect("a status"), retry_after: None, body: "" }
    }

    /// The same, asking to wait for some seconds.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same with a body.
    pub(crate) fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }
}

async fn record(
    State(state): State<Arc<Recorded>>,
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer =
        state.answers.lock().expect("not poisoned").pop_front().unwrap_or_else(|| Answer::status(200));
    let request = Request {
        method: method.to_string(),
        target: target.to_string(),
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
        at: Instant::now(),
        headers,
    };
    state.requests.send_modify(|requests| requests.push(request));
    let mut response = (answer.status, answer.body).into_response();
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

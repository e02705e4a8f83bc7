//! A homeserver that answers as it is told and keeps what it was asked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::process::PATIENCE;

pub(super) const WHOAMI: &str = "GET /_matrix/client/v3/account/whoami";
pub(super) const FLOWS: &str = "GET /_matrix/client/v3/login";
pub(super) const LOGIN: &str = "POST /_matrix/client/v3/login";
pub(super) const LOGOUT: &str = "POST /_matrix/client/v3/logout";

/// A running homeserver. Dropping it stops it.
pub(super) struct Homeserver {
    /// Where it is: `http://127.0.0.1:…`.
    pub(super) url: String,
    script: Arc<Script>,
    task: JoinHandle<()>,
}

/// What it was asked.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Method and path.
    pub(super) call: String,
    /// The access token.
    pub(super) token: Option<String>,
    /// The body, if it is JSON.
    pub(super) body: Value,
}

/// What it answers.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// This status and body.
    Now(u16, String),
    /// 302 to another place.
    Redirect(String),
    /// Nothing in time.
    Never,
}

struct Script {
    /// The next replies of a call; the last one stays.
    replies: Mutex<HashMap<&'static str, Vec<Reply>>>,
    requests: watch::Sender<Vec<Request>>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::Now(status, body.to_string())
    }
}

impl Homeserver {
    /// Starts one where every token and every password is that of `@alice:localhost`.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let user = json!({"user_id": "@alice:localhost", "device_id": "PHONE", "is_guest": false});
        let login =
            json!({"user_id": "@alice:localhost", "device_id": "COUNTERSIGN", "access_token": "tried"});
        let flows = json!({"flows": [{"type": "m.login.sso"}, {"type": "m.login.password"}]});
        let replies = HashMap::from([
            (WHOAMI, vec![Reply::json(200, &user)]),
            (FLOWS, vec![Reply::json(200, &flows)]),
            (LOGIN, vec![Reply::json(200, &login)]),
            (LOGOUT, vec![Reply::json(200, &json!({}))]),
        ]);
        let script = Arc::new(Script { replies: replies.into(), requests: watch::Sender::default() });
        let router = Router::new().fallback(reply).with_state(script.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { url, script, task }
    }

    /// Gives these replies to a call, the last one from then on.
    pub(super) fn script(&self, call: &'static str, replies: impl IntoIterator<Item = Reply>) {
        self.script.replies.lock().expect("not poisoned").insert(call, replies.into_iter().collect());
    }

    /// What it was asked so far by this call.
    pub(super) fn requests(&self, call: &str) -> Vec<Request> {
        self.script.requests.borrow().iter().filter(|request| request.call == call).cloned().collect()
    }

    /// Waits until it was asked this often by this call.
    pub(super) async fn wait_for(&self, call: &str, count: usize) {
        let mut requests = self.script.requests.subscribe();
        let asked =
            |requests: &Vec<Request>| count <= requests.iter().filter(|request| request.call == call).count();
        let waited = tokio::time::timeout(PATIENCE, requests.wait_for(asked));
        assert!(waited.await.is_ok_and(|waited| waited.is_ok()), "{call} did not come {count} times");
    }
}

impl Drop for Homeserver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn reply(
    State(script): State<Arc<Script>>,
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = format!("{method} {}", target.path());
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let reply = {
        let mut replies = script.replies.lock().expect("not poisoned");
        match replies.get_mut(call.as_str()) {
            Some(replies) if 1 < replies.len() => replies.remove(0),
            Some(replies) => replies[0].clone(),
            None => Reply::json(404, &json!({"errcode": "M_UNRECOGNIZED", "error": "?"})),
        }
    };
    script.requests.send_modify(|requests| requests.push(Request { call, token, body }));
    match reply {
        Reply::Now(status, body) => (StatusCode::from_u16(status).expect("a status"), body).into_response(),
        Reply::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Reply::Never => {
            std::future::pending::<()>().await;
            unreachable!("pending never ends")
        }
    }
}

/// The time after which a call is given up in tests that wait for it.
pub(super) const SHORT: Duration = Duration::from_millis(200);

//! An identity service as its specification has it, as far as a node delegates to one: each request is checked by the shape
//! that the specification gives it, and the codes are known to the test.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::process::PATIENCE;

pub(super) const ACCESS_TOKEN: &str = "node's own";
/// The code that every SMS brings.
pub(super) const CODE: &str = "424242";
/// When the service says that an address was proven: a second before the tests' clock.
pub(super) const VALIDATED_AT: i64 = 1_795_262_399_000;

/// A running service. Dropping it stops it.
pub(super) struct IdentityService {
    /// Where it is: `http://127.0.0.1:…`.
    pub(super) url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the service is to do instead of its work.
#[derive(Clone, Debug)]
pub(super) enum Mood {
    /// Answers this.
    Answer(u16, Value),
    /// Answers nothing.
    Silence,
}

#[derive(Default)]
struct Shared {
    state: Mutex<ServiceState>,
    messages: watch::Sender<Vec<Value>>,
    tries: watch::Sender<usize>,
}

#[derive(Default)]
struct ServiceState {
    sessions: HashMap<String, Session>,
    mood: Option<Mood>,
    submissions: Vec<Value>,
}

struct Session {
    client_secret: String,
    medium: String,
    address: String,
    send_attempt: i64,
    is_validated: bool,
}

impl IdentityService {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let shared = Arc::<Shared>::default();
        let router = Router::new()
            .route("/_matrix/identity/v2/validate/{medium}/requestToken", post(request_token))
            .route("/_matrix/identity/v2/validate/{medium}/submitToken", post(submit_token))
            .route("/_matrix/identity/v2/3pid/getValidated3pid", get(get_validated))
            .with_state(shared.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { url, shared, task }
    }

    /// What it is to do from now on; `None`: its work.
    pub(super) fn set_mood(&self, mood: Option<Mood>) {
        self.shared.state().mood = mood;
    }

    /// Waits until it has sent this many messages in all, and answers what they were asked for with.
    pub(super) async fn wait_for_messages(&self, count: usize) -> Vec<Value> {
        let mut messages = self.shared.messages.subscribe();
        let waited = tokio::time::timeout(PATIENCE, messages.wait_for(|messages| count <= messages.len()));
        let messages = waited.await.expect("the message comes").expect("the service lives").clone();
        assert_eq!(messages.len(), count);
        messages
    }

    /// Waits until a message was asked for this often, whether it was sent or not.
    pub(super) async fn wait_for_tries(&self, count: usize) {
        let mut tries = self.shared.tries.subscribe();
        let waited = tokio::time::timeout(PATIENCE, tries.wait_for(|tries| count <= *tries));
        assert!(waited.await.is_ok_and(|waited| waited.is_ok()), "it was not asked {count} times");
    }

    /// The user clicks the links of all its mails.
    pub(super) fn click_links(&self) {
        self.shared.state().sessions.values_mut().for_each(|session| session.is_validated = true);
    }

    /// Says from now on of all its sessions that they are about this address.
    pub(super) fn change_address(&self, medium: &str, address: &str) {
        for session in self.shared.state().sessions.values_mut() {
            (session.medium, session.address) = (medium.to_owned(), address.to_owned());
        }
    }

    /// The tokens that were handed in.
    pub(super) fn submissions(&self) -> Vec<Value> {
        self.shared.state().submissions.clone()
    }
}

impl Drop for IdentityService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, ServiceState> {
        self.state.lock().expect("not poisoned")
    }

    /// Does what its mood says, or asks for the access token.
    async fn refuse(&self, headers: &HeaderMap) -> Option<Response> {
        let mood = self.state().mood.clone();
        match mood {
            Some(Mood::Answer(status, body)) => return Some(answer(status, &body)),
            Some(Mood::Silence) => std::future::pending().await,
            None => {}
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let is_welcome = bearer == Some(&format!("Bearer {ACCESS_TOKEN}"));
        (!is_welcome).then(|| error(401, "M_UNAUTHORIZED"))
    }
}

fn answer(status: u16, body: &Value) -> Response {
    (StatusCode::from_u16(status).expect("a status"), Json(body.clone())).into_response()
}

fn error(status: u16, errcode: &str) -> Response {
    answer(status, &json!({"errcode": errcode, "error": "in the service's own words"}))
}

/// A required string of 1 to 255 of `0-9a-zA-Z.=_-`, as the specification's pattern says.
fn opaque<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    let text = body[key].as_str()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".=_-".contains(&byte);
    ((1..=255).contains(&text.len()) && text.bytes().all(fits)).then_some(text)
}

async fn request_token(
    State(shared): State<Arc<Shared>>,
    Path(medium): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let refused = shared.refuse(&headers).await;
    shared.tries.send_modify(|tries| *tries += 1);
    if let Some(refused) = refused {
        return refused;
    }
    let (Some(client_secret), Some(send_attempt)) =
        (opaque(&body, "client_secret"), body["send_attempt"].as_i64())
    else {
        return error(400, "M_MISSING_PARAMS");
    };
    let address = match medium.as_str() {
        "email" => body["email"].as_str().filter(|email| email.contains('@')).map(str::to_owned),
        "msisdn" => {
            let country = body["country"].as_str().filter(|country| country.len() == 2);
            let number = body["phone_number"].as_str().and_then(|number| number.strip_prefix('+'));
            country.and(number).map(str::to_owned)
        }
        _ => None,
    };
    let Some(address) = address else { return error(400, "M_INVALID_ADDRESS") };
    let sid = format!("remote-{medium}-{client_secret}");
    let is_new_message = {
        let mut state = shared.state();
        let session = state.sessions.entry(sid.clone()).or_insert_with(|| Session {
            client_secret: client_secret.to_owned(),
            medium,
            address,
            send_attempt: i64::MIN,
            is_validated: false,
        });
        let is_new_message = session.send_attempt < send_attempt;
        session.send_attempt = session.send_attempt.max(send_attempt);
        is_new_message
    };
    if is_new_message {
        shared.messages.send_modify(|messages| messages.push(body));
    }
    answer(200, &json!({"sid": sid}))
}

async fn submit_token(
    State(shared): State<Arc<Shared>>,
    Path(medium): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = shared.refuse(&headers).await {
        return refused;
    }
    let mut state = shared.state();
    state.submissions.push(body.clone());
    let session = opaque(&body, "sid").and_then(|sid| state.sessions.get_mut(sid));
    let session =
        session.filter(|session| Some(session.client_secret.as_str()) == body["client_secret"].as_str());
    let Some(session) = session.filter(|session| session.medium == medium) else {
        return error(400, "M_INVALID_PARAM");
    };
    if body["token"] != CODE {
        return error(400, "M_TOKEN_INCORRECT");
    }
    session.is_validated = true;
    answer(200, &json!({"success": true}))
}

async fn get_validated(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = shared.refuse(&headers).await {
        return refused;
    }
    let state = shared.state();
    let session = query.get("sid").and_then(|sid| state.sessions.get(sid));
    let Some(session) = session.filter(|session| Some(&session.client_secret) == query.get("client_secret"))
    else {
        return error(404, "M_NO_VALID_SESSION");
    };
    if !session.is_validated {
        return error(400, "M_SESSION_NOT_VALIDATED");
    }
    let body = json!({"medium": session.medium, "address": session.address, "validated_at": VALIDATED_AT});
    answer(200, &body)
}

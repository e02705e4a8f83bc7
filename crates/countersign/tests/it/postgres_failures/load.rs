//! Many clients that ask for tokens all the while, and what was promised to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::process::{ServedNode, SmtpServer, http, until};

/// How long a client is idle between two requests, so that the mail server keeps up.
const IDLE: Duration = Duration::from_millis(30);

/// Clients that ask until they are stopped.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    /// The addresses whose request was answered with 200, each with the sid.
    accepted: Mutex<BTreeMap<String, String>>,
    refused: AtomicUsize,
    next: AtomicU64,
}

/// What a node answered.
pub(super) enum Answer {
    /// 200: the sid.
    Accepted(String),
    /// 503, as it must be.
    Unavailable,
}

impl Load {
    /// Starts this many clients of each node.
    pub(super) fn start(nodes: &[&ServedNode], clients_of_each: usize) -> Self {
        let (shared, mut clients) = (Arc::new(Shared::default()), JoinSet::new());
        for node in nodes {
            for _ in 0..clients_of_each {
                clients.spawn(shared.clone().ask_on(node.url.clone(), node.http.clone()));
            }
        }
        Self { shared, clients }
    }

    /// Waits until this many more requests got 200.
    pub(super) async fn accepts(&self, count: usize) {
        let enough = self.accepted_count() + count;
        until("requests get 200", async || enough <= self.accepted_count()).await;
    }

    /// Waits until this many more requests got 503.
    pub(super) async fn refuses(&self, count: usize) {
        let refused = || self.shared.refused.load(Ordering::Relaxed);
        let enough = refused() + count;
        until("requests get 503", async || enough <= refused()).await;
    }

    /// Stops the clients and answers what was promised: addresses with the sids of their sessions.
    pub(super) async fn stop(mut self) -> BTreeMap<String, String> {
        self.clients.abort_all();
        while let Some(joined) = self.clients.join_next().await {
            let error = joined.expect_err("clients never end");
            assert!(error.is_cancelled(), "{error}");
        }
        self.shared.accepted.lock().expect("not poisoned").clone()
    }

    fn accepted_count(&self) -> usize {
        self.shared.accepted.lock().expect("not poisoned").len()
    }
}

impl Shared {
    /// Asks for a token for one fresh address after the other, each until it gets one.
    async fn ask_on(self: Arc<Self>, url: String, http: reqwest::Client) {
        loop {
            let address = format!("user{}@example.com", self.next.fetch_add(1, Ordering::Relaxed));
            let sid = loop {
                match ask_at(&http, &url, &address).await {
                    Answer::Accepted(sid) => break sid,
                    Answer::Unavailable => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
                }
                sleep(IDLE).await;
            };
            self.accepted.lock().expect("not poisoned").insert(address, sid);
            sleep(IDLE).await;
        }
    }
}

/// Asks a node for a token. Fails the test if the answer is neither a sid nor a 503 as it must be.
pub(super) async fn ask(node: &ServedNode, address: &str) -> Answer {
    ask_at(&node.http, &node.url, address).await
}

async fn ask_at(http: &reqwest::Client, url: &str, address: &str) -> Answer {
    let body = json!({"client_secret": "monkeys", "email": address, "send_attempt": 1});
    let url = format!("{url}/_api/client/v3/account/3pid/email/requestToken");
    let answer = http.post(url).json(&body).send().await.expect("the node answers");
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body: Value = answer.json().await.expect("each answer is JSON");
    match status {
        StatusCode::OK => Answer::Accepted(body["sid"].as_str().expect("a sid").to_owned()),
        StatusCode::SERVICE_UNAVAILABLE => {
            assert_eq!(body["errcode"], "M_UNKNOWN", "{body}");
            let wait = headers.get("retry-after").and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
            assert!(wait.is_some_and(|wait| 0 < wait), "no Retry-After in {headers:?}");
            Answer::Unavailable
        }
        status => panic!("{status} {body}"),
    }
}

/// Waits until a node refuses a request.
pub(super) async fn until_refused(node: &ServedNode, address: &str) {
    until("a request gets 503", async || matches!(ask(node, address).await, Answer::Unavailable)).await;
}

/// Waits until a node answers a request with 200; answers the sid.
pub(super) async fn until_accepted(node: &ServedNode, address: &str) -> String {
    let mut sid = None;
    until("a request gets 200", async || {
        if let Answer::Accepted(accepted) = ask(node, address).await {
            sid = Some(accepted);
        }
        sid.is_some()
    })
    .await;
    sid.expect("accepted")
}

/// Waits until `/health/ready` answers 503 for this reason.
pub(super) async fn until_not_ready(node: &ServedNode, reason: &str) {
    let (url, http) = (format!("{}/health/ready", node.operator_url), http());
    let mut latest = String::new();
    let waiting = until("/health/ready says why", async || {
        let answer = http.get(&url).send().await.expect("the node answers");
        let (status, body) = (answer.status(), answer.json::<Value>().await.expect("JSON"));
        latest = format!("{status} {body}");
        status == StatusCode::SERVICE_UNAVAILABLE && body["reason"] == reason
    });
    if tokio::time::timeout(crate::process::PATIENCE, waiting).await.is_err() {
        panic!("not ready because {reason:?}, but {latest}\n{}", node.process.stderr.text());
    }
}

/// Waits until `/health/ready` answers 200.
pub(super) async fn until_ready(node: &ServedNode) {
    until("the node is ready again", async || node.ready().await.is_some()).await;
}

/// Fails if a message that was promised did not come, or came under two ids.
pub(super) fn assert_all_delivered(accepted: &BTreeMap<String, String>, mail: &SmtpServer) {
    let mut delivered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mail in mail.noted() {
        delivered.entry(mail.to).or_default().insert(mail.message_id);
    }
    let lost: Vec<_> = accepted.keys().filter(|address| !delivered.contains_key(*address)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), accepted.len());
    let twice: Vec<_> = delivered.iter().filter(|(_, ids)| ids.len() != 1).collect();
    assert!(twice.is_empty(), "several messages for one session: {twice:?}");
    let sids: BTreeSet<_> = accepted.values().collect();
    assert_eq!(sids.len(), accepted.len(), "two addresses share a sid");
}

//! Tests of the pages on a whole node: each is reached by the link in a mail that the inbox got.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    config::Config,
    http,
    wiring::{Node, Outside},
};

const FORM: &str = "application/x-www-form-urlencoded";
const CONFIRM: &str = "/_countersign/v1/confirm";
const NOT_ME: &str = "/_countersign/v1/not-me";

/// A node of `countersign dev` without listeners.
struct DevNode {
    router: Router,
    shutdown: CancellationToken,
    _workers: JoinSet<()>,
    _folder: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl DevNode {
    async fn open(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = "k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
        let path = folder.path().join("master.key");
        std::fs::write(path, key).unwrap();
        let mut config = Config::dev(folder.path(), 8008);
        change(&mut config);
        let shutdown = CancellationToken::new();
        let mut node = Node::open(&config, Outside::default(), shutdown.clone()).await.unwrap();
        let mut workers = JoinSet::new();
        for worker in node.take_background().workers {
            workers.spawn(worker.run(shutdown.clone()));
        }
        Self { router: http::router(node.state.clone()), shutdown, _workers: workers, _folder: folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, "", String::new())).await
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        self.send(request(Method::POST, path, FORM, form.to_owned())).await
    }

    /// Asks for a token and gives the query of a link in the mail, which is also what its form sends.
    async fn link(&self, page: &str, next_link: Option<&str>) -> String {
        let body = json!({
            "email": "alice@example.com", "client_secret": "secret", "send_attempt": 1, "next_link": next_link,
        });
        let path = "/_api/client/v3/account/3pid/email/requestToken";
        let answer = self.send(request(Method::POST, path, "application/json", body.to_string())).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let messages: Value = serde_json::from_str(&self.get("/inbox/messages?wait=25").await.body).unwrap();
        let text = messages["messages"][0]["text"].as_str().unwrap();
        let (_, after) = text.split_once(&format!("http://127.0.0.1:8008{page}?")).unwrap();
        after.split_whitespace().next().unwrap().to_owned()
    }
}

fn request(method: Method, path: &str, kind: &str, body: String) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:8008");
    request.header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap()
}

impl Answer {
    fn h1(&self) -> &str {
        self.body.split("<h1>").nth(1).unwrap_or(&self.body).split("</h1>").next().unwrap()
    }

    /// What every page promises, whatever it says.
    fn is_page(&self, status: StatusCode, h1: &str) {
        assert_eq!((self.status, self.h1()), (status, h1), "{}", self.body);
        let header =
            |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("content-language"), "en");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.contains("; form-action 'self'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.ends_with("; frame-ancestors 'none'; base-uri 'none'"), "{policy}");
        assert!(!self.headers.keys().any(|name| name.as_str().starts_with("access-control")), "no CORS");
    }
}

#[tokio::test]
async fn only_the_button_validates_and_again_is_a_success_again() {
    let node = DevNode::open(|_| {}).await;
    let link = node.link(CONFIRM, None).await;
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let path = format!("{CONFIRM}?{link}&utm_source=mail");
        let page = node.send(request(method.clone(), &path, "", String::new())).await;
        assert_eq!(page.status, StatusCode::OK);
        if method == Method::GET {
            page.is_page(StatusCode::OK, "Add this address to an account");
            assert!(page.body.contains("a…@e….com") && !page.body.contains("alice@example.com"));
        }
    }
    for _ in 0..2 {
        node.post(CONFIRM, &link).await.is_page(StatusCode::OK, "Address confirmed");
    }
    node.get(&format!("{CONFIRM}?{link}")).await.is_page(StatusCode::OK, "Address confirmed");
}

#[tokio::test]
async fn a_person_is_sent_on_to_a_listed_host() {
    let node =
        DevNode::open(|config| config.validation.next_link_hosts = vec!["app.example.org".to_owned()]).await;
    let link = node.link(CONFIRM, Some("https://app.example.org/welcome")).await;
    let page = node.get(&format!("{CONFIRM}?{link}")).await;
    page.is_page(StatusCode::OK, "Add this address to an account");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("; form-action 'self' https://app.example.org;"), "{policy}");
    let sent_on = node.post(CONFIRM, &link).await;
    sent_on.is_page(StatusCode::SEE_OTHER, "Address confirmed");
    assert!(
        sent_on.headers["location"].to_str().unwrap().starts_with("https://app.example.org/welcome?sid=")
    );
}

#[tokio::test]
async fn a_next_link_gets_no_sid_where_the_operator_wants_none() {
    let node = DevNode::open(|config| {
        config.validation.next_link_hosts = vec!["app.example.org".to_owned()];
        config.validation.append_sid = false;
    })
    .await;
    let link = node.link(CONFIRM, Some("https://app.example.org/done?x=1")).await;
    let sent_on = node.post(CONFIRM, &link).await;
    sent_on.is_page(StatusCode::SEE_OTHER, "Address confirmed");
    assert_eq!(sent_on.headers["location"], "https://app.example.org/done?x=1");
}

#[tokio::test]
async fn any_other_host_is_shown_and_clicked() {
    let node = DevNode::open(|_| {}).await;
    let link = node.link(CONFIRM, Some("https://app.example.org/welcome")).await;
    let page = node.post(CONFIRM, &link).await;
    page.is_page(StatusCode::OK, "Address confirmed");
    assert!(page.body.contains("Continue to <bdi>app.example.org</bdi>"), "{}", page.body);
}

#[tokio::test]
async fn the_owner_ends_a_session_and_then_all_messages() {
    let node = DevNode::open(|_| {}).await;
    let confirm = node.link(CONFIRM, None).await;
    let not_me = node.link(NOT_ME, None).await;
    node.get(&format!("{NOT_ME}?{not_me}")).await.is_page(StatusCode::OK, "This wasn't you?");
    node.get(&format!("{CONFIRM}?{confirm}")).await.is_page(StatusCode::OK, "Add this address to an account");
    for _ in 0..2 {
        node.post(NOT_ME, &format!("{not_me}&choice=end")).await.is_page(StatusCode::OK, "Stopped");
    }
    node.get(&format!("{CONFIRM}?{confirm}")).await.is_page(StatusCode::GONE, "This link is too old");
    node.post(CONFIRM, &confirm).await.is_page(StatusCode::GONE, "This link is too old");
    for _ in 0..2 {
        node.post(NOT_ME, &format!("{not_me}&choice=suppress"))
            .await
            .is_page(StatusCode::OK, "No more messages");
    }
}

#[tokio::test]
async fn what_is_validated_can_not_be_stopped() {
    let node = DevNode::open(|_| {}).await;
    let confirm = node.link(CONFIRM, None).await;
    let not_me = node.link(NOT_ME, None).await;
    node.post(CONFIRM, &confirm).await.is_page(StatusCode::OK, "Address confirmed");
    node.get(&format!("{NOT_ME}?{not_me}")).await.is_page(StatusCode::OK, "It is too late to stop this");
    let end = format!("{not_me}&choice=end");
    node.post(NOT_ME, &end).await.is_page(StatusCode::OK, "It is too late to stop this");
}

#[tokio::test]
async fn links_are_not_interchangeable_and_unknown_ones_are_one_page() {
    let node = DevNode::open(|_| {}).await;
    let confirm = node.link(CONFIRM, None).await;
    let not_me = node.link(NOT_ME, None).await;
    let broken = &confirm[..confirm.len() - 4];
    let strangers =
        ["sid=AAAAAAAAAAAAAAAAAAAAAA&token=x", "sid=%F0%9F%99%82&token=", "sid=%ff&token=%", broken];
    for link in strangers.iter().chain([&not_me.as_str()]) {
        node.get(&format!("{CONFIRM}?{link}"))
            .await
            .is_page(StatusCode::NOT_FOUND, "This link does not work");
        node.post(CONFIRM, link).await.is_page(StatusCode::NOT_FOUND, "This link does not work");
    }
    for link in strangers.iter().chain([&confirm.as_str()]) {
        node.get(&format!("{NOT_ME}?{link}")).await.is_page(StatusCode::NOT_FOUND, "This link does not work");
        for choice in ["end", "suppress"] {
            let answer = node.post(NOT_ME, &format!("{link}&choice={choice}")).await;
            answer.is_page(StatusCode::NOT_FOUND, "This link does not work");
        }
    }
}

#[tokio::test]
async fn mistakes_get_pages_too() {
    let node = DevNode::open(|config| config.server.max_body_bytes = 1000).await;
    for (path, form) in
        [(CONFIRM, ""), (CONFIRM, "sid=x"), (CONFIRM, "sid=x&sid=y&token=z"), (NOT_ME, "token=x")]
    {
        node.get(&format!("{path}?{form}")).await.is_page(StatusCode::BAD_REQUEST, "This link does not work");
        node.post(path, form).await.is_page(StatusCode::BAD_REQUEST, "This link does not work");
    }
    for form in ["sid=x&token=y", "sid=x&token=y&choice=both"] {
        node.post(NOT_ME, form).await.is_page(StatusCode::BAD_REQUEST, "This link does not work");
    }
    for path in [CONFIRM, NOT_ME] {
        let json =
            request(Method::POST, path, "application/json", "{\"sid\":\"x\",\"token\":\"y\"}".to_owned());
        node.send(json).await.is_page(StatusCode::BAD_REQUEST, "This link does not work");
        let large = format!("sid=x&token={}", "y".repeat(1000));
        node.post(path, &large).await.is_page(StatusCode::PAYLOAD_TOO_LARGE, "That was too much");
        for method in [Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = node.send(request(method, path, "", String::new())).await;
            answer.is_page(StatusCode::METHOD_NOT_ALLOWED, "This page can&#x27;t do that");
            assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
        }
    }
}

#[tokio::test]
async fn a_refusal_in_front_of_the_pages_is_a_page() {
    let node = DevNode::open(|config| {
        config.limits.shield_burst = std::num::NonZeroU32::MIN;
        config.limits.shield_requests_per_second = std::num::NonZeroU32::MIN;
    })
    .await;
    assert_eq!(node.get(CONFIRM).await.status, StatusCode::BAD_REQUEST);
    let limited = node.get(CONFIRM).await;
    limited.is_page(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
    assert_eq!(limited.headers["retry-after"], "1");
}

#[tokio::test]
async fn the_inbox_shows_what_came() {
    let node = DevNode::open(|_| {}).await;
    let link = node.link(CONFIRM, None).await;
    let page = node.get("/inbox").await;
    assert_eq!((page.status, page.h1()), (StatusCode::OK, "Development inbox"));
    let escaped = link.replace('&', "&amp;");
    assert!(page.body.contains(&escaped) && page.body.contains("id=\"message-1\""), "{}", page.body);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; ") && policy.contains("; script-src 'self';"),
        "{policy}"
    );
    assert_eq!(page.headers["x-frame-options"], "DENY");

    let all: Value = serde_json::from_str(&node.get("/inbox/messages").await.body).unwrap();
    assert_eq!((&all["next"], &all["messages"][0]["to"]), (&json!(1), &json!("alice@example.com")));
    let none: Value = serde_json::from_str(&node.get("/inbox/messages?since=1").await.body).unwrap();
    assert_eq!(none, json!({"messages": [], "next": 1}));
    let anew: Value = serde_json::from_str(&node.get("/inbox/messages?since=7&wait=25").await.body).unwrap();
    assert_eq!(anew["next"], 1, "a number from before a restart means all");
    assert_eq!(node.get("/inbox/inbox.js").await.headers["content-type"], "text/javascript; charset=utf-8");
}

#[tokio::test]
async fn the_inbox_answers_only_to_a_loopback_name() {
    let node = DevNode::open(|_| {}).await;
    let ask = async |path: &str, host: &str| {
        let request = Request::builder().uri(path).header(header::HOST, host).body(Body::empty()).unwrap();
        node.send(request).await
    };
    for host in ["localhost", "LOCALHOST:8008", "127.0.0.1:1", "127.8.9.10", "[::1]", "[::1]:8008"] {
        assert_eq!(ask("/inbox/messages", host).await.status, StatusCode::OK, "{host}");
    }
    for host in [
        "",
        "evil.example",
        "localhost.evil.example:8008",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "x@y@z",
        "[::1",
    ] {
        for path in ["/inbox", "/inbox/messages"] {
            let answer = ask(path, host).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{host}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
        }
    }
    let nameless = Request::builder().uri("/inbox").body(Body::empty()).unwrap();
    assert_eq!(node.send(nameless).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_long_poll_ends_with_the_node() {
    let node = DevNode::open(|_| {}).await;
    let stop = async { node.shutdown.cancel() };
    let (answer, ()) = tokio::join!(node.get("/inbox/messages?since=0&wait=25"), stop);
    assert_eq!(answer.body, "{\"messages\":[],\"next\":0}");
}

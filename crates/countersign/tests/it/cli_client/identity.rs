//! `countersign client identity`, against a node that says who the user is and a service that answers from a script.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Shell, text};
use crate::process::{Ended, ServeFolder};

/// The digest of `alice@example.com` under the pepper `matrixrocks`.
const ALICE: &str = "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc";

/// A request as the service saw it: method and path, access token, body.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    line: String,
    access_token: Option<String>,
    body: Value,
}

#[derive(Default)]
struct Script {
    /// By method and path, without prefix and query.
    answers: Mutex<HashMap<String, (u16, Value)>>,
    seen: Mutex<Vec<Seen>>,
}

struct ScriptedService {
    url: String,
    script: Arc<Script>,
    task: JoinHandle<()>,
}

impl ScriptedService {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let script = Arc::<Script>::default();
        let router = Router::new().fallback(answer).with_state(script.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, script, task }
    }

    fn answers(&self, line: &str, status: u16, body: Value) {
        self.script.answers.lock().expect("no panic").insert(line.to_owned(), (status, body));
    }

    /// What it was sent since it was last asked.
    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.script.seen.lock().expect("no panic"))
    }
}

impl Drop for ScriptedService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().expect("text"));
    let access_token = authorization.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let target = uri.path_and_query().expect("a path").as_str();
    let target = target.strip_prefix("/_matrix/identity").expect("an identity path");
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let line = format!("{method} {target}");
    let path = line.split('?').next().unwrap_or_default().to_owned();
    script.seen.lock().expect("no panic").push(Seen { line, access_token, body });
    let answers = script.answers.lock().expect("no panic");
    let (status, body) = answers.get(&path).cloned().unwrap_or_else(|| panic!("no answer to {path}"));
    (StatusCode::from_u16(status).expect("a status"), Json(body))
}

impl Shell<'_> {
    async fn identity(&self, service: &ScriptedService, arguments: &[&str]) -> Ended {
        self.run(
            &[&["identity", "--id-url", &service.url, "--id-access-token", "is-token"], arguments].concat(),
        )
        .await
    }

    /// What the service answers is printed; it was sent these requests with these bodies.
    async fn asks(&self, service: &ScriptedService, arguments: &[&str], requests: &[(&str, Value)]) -> Value {
        let ended = self.identity(service, arguments).await;
        assert!(ended.status.success(), "{arguments:?}: {}", ended.stderr);
        let seen = service.seen();
        let expected: Vec<Seen> = requests
            .iter()
            .map(|(line, body)| Seen {
                line: (*line).to_owned(),
                access_token: Some("is-token".to_owned()),
                body: body.clone(),
            })
            .collect();
        assert_eq!(seen, expected, "{arguments:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{}: {error}", ended.stdout))
    }
}

#[tokio::test]
async fn the_shell_registers_with_the_nodes_word_for_the_user() {
    let folder = ServeFolder::new("");
    let node = folder.serve().await;
    let mut shell = Shell { folder: &folder, node: &node, access_token: None };
    let service = ScriptedService::start().await;
    service.answers("POST /v2/account/register", 200, json!({"token": "new"}));

    let refused = shell.identity(&service, &["register"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("M_MISSING_TOKEN"), "{}", refused.stderr);
    assert_eq!(service.seen(), [], "the node did not say who the user is");

    shell.access_token = Some(text(&shell.json(&["register"]).await["access_token"]));
    let registered = shell.identity(&service, &["register"]).await;
    assert!(registered.stdout.contains(r#"{"token":"new"}"#), "{}", registered.stderr);
    let seen = service.seen();
    assert_eq!((seen[0].line.as_str(), &seen[0].access_token), ("POST /v2/account/register", &None));
    assert_eq!(seen[0].body["matrix_server_name"], "example.org");
    assert_eq!(seen[0].body["token_type"], "Bearer");
    assert!(seen[0].body["access_token"].as_str().is_some_and(|token| !token.is_empty()));

    shell.identity(&service, &["register", "--openid-token", "o", "--server-name", "x"]).await;
    let body = json!({"access_token": "o", "matrix_server_name": "x", "token_type": "Bearer"});
    assert_eq!(service.seen()[0].body, body);
}

#[tokio::test]
async fn the_shell_proves_publishes_and_finds() {
    let folder = ServeFolder::new("");
    let node = folder.serve().await;
    let shell = Shell { folder: &folder, node: &node, access_token: None };
    let service = ScriptedService::start().await;
    let null = Value::Null;

    service.answers("POST /v2/validate/email/requestToken", 200, json!({"sid": "s"}));
    let body = json!({"client_secret": "c", "email": "alice@example.com", "send_attempt": 2});
    let request =
        ["request-token", "email", "alice@example.com", "--client-secret", "c", "--send-attempt", "2"];
    let requests = [("POST /v2/validate/email/requestToken", body)];
    assert_eq!(shell.asks(&service, &request, &requests).await, json!({"sid": "s"}));
    let made_up = shell.identity(&service, &["request-token", "email", "alice@example.com"]).await;
    let made_up: Value = serde_json::from_str(&made_up.stdout).expect("JSON");
    assert_eq!(made_up["client_secret"], service.seen()[0].body["client_secret"]);

    service.answers("POST /v2/validate/msisdn/submitToken", 200, json!({"success": true}));
    let session = ["--sid", "s", "--client-secret", "c"];
    let submit = [&["submit-token", "msisdn", "--token", "012345"], &session[..]].concat();
    let body = json!({"sid": "s", "client_secret": "c", "token": "012345"});
    shell.asks(&service, &submit, &[("POST /v2/validate/msisdn/submitToken", body)]).await;
    service.answers("POST /v2/validate/msisdn/submitToken", 200, json!({"success": false}));
    let refused = shell.identity(&service, &submit).await;
    assert!(refused.stderr.contains("the token was not accepted"), "{}", refused.stderr);
    service.seen();

    service.answers("GET /v2/account", 200, json!({"user_id": "@alice:x"}));
    let bound = json!({
        "address": "alice@example.com", "medium": "email", "mxid": "@alice:x", "not_before": 1, "not_after": 2,
        "ts": 1, "signatures": {},
    });
    service.answers("POST /v2/3pid/bind", 200, bound);
    let body = json!({"sid": "s", "client_secret": "c", "mxid": "@alice:x"});
    let requests = [("GET /v2/account", null.clone()), ("POST /v2/3pid/bind", body)];
    let bound = shell.asks(&service, &[&["bind"], &session[..]].concat(), &requests).await;
    assert_eq!(bound["address"], "alice@example.com");

    let details = json!({"lookup_pepper": "matrixrocks", "algorithms": ["sha256"]});
    service.answers("GET /v2/hash_details", 200, details);
    service.answers("POST /v2/lookup", 200, json!({"mappings": {ALICE: "@alice:x"}}));
    let body = json!({"algorithm": "sha256", "pepper": "matrixrocks", "addresses": [ALICE]});
    let requests = [("GET /v2/hash_details", null), ("POST /v2/lookup", body)];
    let found = shell.asks(&service, &["lookup", "Alice@example.com"], &requests).await;
    assert_eq!(found, json!({"mappings": {"alice@example.com": "@alice:x"}}));

    service.answers("POST /v2/3pid/unbind", 200, json!({}));
    let unbind = [&["unbind", "email", "alice@example.com", "--user-id", "@a:x"], &session[..]].concat();
    let threepid = json!({"medium": "email", "address": "alice@example.com"});
    let body = json!({"mxid": "@a:x", "threepid": threepid, "sid": "s", "client_secret": "c"});
    shell.asks(&service, &unbind, &[("POST /v2/3pid/unbind", body)]).await;
}

#[tokio::test]
async fn the_shell_is_told_of_policies_and_accepts_them() {
    let folder = ServeFolder::new("");
    let node = folder.serve().await;
    let shell = Shell { folder: &folder, node: &node, access_token: None };
    let service = ScriptedService::start().await;
    let gate = json!({"errcode": "M_TERMS_NOT_SIGNED", "error": "Accept the terms first"});
    service.answers("GET /v2/hash_details", 403, gate);
    let refused = shell.identity(&service, &["lookup", "alice@example.com"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let expected = "M_TERMS_NOT_SIGNED (403): Accept the terms first, identity terms shows the policies";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    service.seen();

    let link = |url: &str| json!({"name": "Terms", "url": url});
    let terms = json!({
        "a": {"version": "1", "de": link("https://x/a/de"), "en": link("https://x/a/en")},
        "b": {"version": "1", "en": link("https://x/b/en")},
    });
    service.answers("GET /v2/terms", 200, json!({"policies": terms}));
    service.answers("POST /v2/terms", 200, json!({}));
    shell.identity(&service, &["accept-terms", "--all"]).await;
    let seen = service.seen();
    assert_eq!(seen[1].body, json!({"user_accepts": ["https://x/a/de", "https://x/b/en"]}));
    let one = json!({"user_accepts": ["https://x/a/en"]});
    shell.asks(&service, &["accept-terms", "https://x/a/en"], &[("POST /v2/terms", one)]).await;
}

#[tokio::test]
async fn the_shell_invites_and_asks_for_the_rest() {
    let folder = ServeFolder::new("");
    let node = folder.serve().await;
    let shell = Shell { folder: &folder, node: &node, access_token: None };
    let service = ScriptedService::start().await;
    service.answers("GET /v2/account", 200, json!({"user_id": "@alice:x"}));
    let key = json!({"public_key": "k", "key_validity_url": "https://is"});
    let stored = json!({"token": "t", "public_keys": [key], "display_name": "b...@e..."});
    service.answers("POST /v2/store-invite", 200, stored);
    let body = json!({
        "medium": "email", "address": "bob@example.com", "room_id": "!r:x", "sender": "@alice:x", "room_name": "R",
    });
    let requests = [("GET /v2/account", Value::Null), ("POST /v2/store-invite", body)];
    let invite = ["store-invite", "bob@example.com", "!r:x", "--room-name", "R"];
    assert_eq!(shell.asks(&service, &invite, &requests).await["token"], "t");

    let validated = json!({"medium": "email", "address": "a@b.c", "validated_at": 1});
    service.answers("GET /v2/3pid/getValidated3pid", 200, validated);
    let line = "GET /v2/3pid/getValidated3pid?sid=s&client_secret=c";
    let session = ["validated", "--sid", "s", "--client-secret", "c"];
    shell.asks(&service, &session, &[(line, Value::Null)]).await;
    shell.asks(&service, &["account"], &[("GET /v2/account", Value::Null)]).await;
    let details = json!({"lookup_pepper": "matrixrocks", "algorithms": ["sha256"]});
    service.answers("GET /v2/hash_details", 200, details.clone());
    assert_eq!(
        shell.asks(&service, &["hash-details"], &[("GET /v2/hash_details", Value::Null)]).await,
        details
    );

    let signed = json!({"mxid": "@alice:x", "sender": "@bob:x", "token": "-t", "signatures": {}});
    service.answers("POST /v2/sign-ed25519", 200, signed.clone());
    let body = json!({"mxid": "@alice:x", "token": "-t", "private_key": "-k"});
    let requests = [("GET /v2/account", Value::Null), ("POST /v2/sign-ed25519", body.clone())];
    let sign = ["sign-ed25519", "--token", "-t", "--private-key", "-k"];
    assert_eq!(shell.asks(&service, &sign, &requests).await, signed);
    let sign = [&sign[..], &["--user-id", "@alice:x"]].concat();
    shell.asks(&service, &sign, &[("POST /v2/sign-ed25519", body)]).await;
    service.answers("POST /v2/account/logout", 200, json!({}));
    shell.asks(&service, &["logout"], &[("POST /v2/account/logout", json!({}))]).await;

    service.answers("GET /v2/pubkey/ed25519%3A0", 200, json!({"public_key": "k"}));
    let key = shell.identity(&service, &["pubkey"]).await;
    assert!(key.stdout.contains(r#"{"public_key":"k"}"#), "{}", key.stderr);
    for (path, more) in [("isvalid", None), ("ephemeral/isvalid", Some("--ephemeral"))] {
        service.answers(&format!("GET /v2/pubkey/{path}"), 200, json!({"valid": true}));
        service.seen();
        let asked = [&["pubkey-is-valid", "a+b/c"], more.as_slice()].concat();
        let valid = shell.identity(&service, &asked).await;
        assert!(valid.stdout.contains(r#"{"valid":true}"#), "{}", valid.stderr);
        assert_eq!(service.seen()[0].line, format!("GET /v2/pubkey/{path}?public_key=a%2Bb%2Fc"));
    }
    let gone = shell.run(&["identity", "--id-url", "http://127.0.0.1:1", "terms"]).await;
    assert!(gone.stderr.contains("can't reach http://127.0.0.1:1"), "{}", gone.stderr);
}

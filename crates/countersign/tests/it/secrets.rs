//! What the database and the log must never hold: addresses, codes, links, tokens, secrets, passwords.

use std::{
    io::{self, Write},
    sync::{Arc, LazyLock, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_api::client::{
    account::WHOAMI, login::LOGIN, register::REGISTER, request_token::THREEPID_EMAIL, threepid::ADD,
};
use serde_json::json;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    steps::{link_token, other_code},
    support::TestNode,
};

/// The log of this process, from the first call on.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    // Without the time, whose digits could look like a code.
    let layer =
        tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(move || writer.clone());
    tracing_subscriber::registry().with(LevelFilter::TRACE).with(layer).init();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").clone()
    }
}

const EMAIL: &str = "Dagobert.Unmistakable@Money.Example.org";
const PASSWORD: &str = "hunter2-unmistakable";
const CLIENT_SECRET: &str = "monkeys_are_UNMISTAKABLE";
const NEXT_LINK: &str = "https://app.example.org/unmistakable-path";

/// What a node learned in a long conversation, each with its name.
#[derive(Default)]
struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    fn add(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        assert!(4 <= secret.as_ref().len(), "{name} is too short to be searched for");
        self.0.push((name.to_owned(), secret.as_ref().to_owned()));
    }

    /// The link and its token, as text and as bytes.
    fn add_link(&mut self, link: &str) {
        let token = link_token(link);
        self.add("link token as bytes", URL_SAFE_NO_PAD.decode(&token).expect("base64"));
        self.add("link token", token);
    }

    fn found_in(&self, place: &[u8]) -> Vec<&str> {
        let lower = |bytes: &[u8]| bytes.to_ascii_lowercase();
        let (place, mut found) = (lower(place), Vec::new());
        for (name, secret) in &self.0 {
            let secret = lower(secret);
            if place.windows(secret.len()).any(|window| window == secret) {
                found.push(name.as_str());
            }
        }
        found
    }
}

/// Walks every way that a secret can take into the node.
async fn converse(node: &TestNode) -> Secrets {
    let mut secrets = Secrets::default();
    for (name, secret) in [
        ("address", EMAIL),
        ("local part", "dagobert.unmistakable"),
        ("domain", "money.example.org"),
        ("phone number", "447700900123"),
        ("national phone number", "7700900123"),
        ("spelled phone number", "07700 900123"),
        ("password", PASSWORD),
        ("wrong password", "wrong-but-telling"),
        ("client secret", CLIENT_SECRET),
        ("next_link", NEXT_LINK),
        ("part of next_link", "unmistakable-path"),
        ("id_access_token", "identity-token"),
        ("unknown access token", "made-up-token"),
    ] {
        secrets.add(name, secret);
    }

    let asked = node.post(REGISTER, &json!({"username": "dagobert"})).send().await.json();
    let session = asked["session"].as_str().expect("a session");
    secrets.add("session of registering", session);
    let body = json!({
        "username": "dagobert",
        "password": PASSWORD,
        "auth": {"type": "m.login.dummy", "session": session},
    });
    let token = node.post(REGISTER, &body).send().await.ok_string("access_token");
    secrets.add("access token", &token);
    node.get(WHOAMI).token("made-up-token").send().await.expect_error(401, "M_UNKNOWN_TOKEN");

    let body = json!({
        "client_secret": CLIENT_SECRET,
        "email": EMAIL,
        "send_attempt": 1,
        "next_link": NEXT_LINK,
        "id_server": "id.example.org",
        "id_access_token": "identity-token",
    });
    let sid = node.post(THREEPID_EMAIL, &body).token(&token).send().await.ok_string("sid");
    let mail = node.mailer.wait_for(1).await.swap_remove(0);
    let code = mail.code.expect("a code");
    secrets.add("code by mail", &code);
    secrets.add_link(&mail.link.expect("a link"));
    let not_me = mail.text.split_whitespace().find(|word| word.contains("/not-me")).expect("a not-me link");
    secrets.add_link(not_me);
    let wrong = node.submit(&sid, CLIENT_SECRET, &other_code(&code)).send().await;
    wrong.expect_error(400, "M_TOKEN_INCORRECT");
    node.submit(&sid, CLIENT_SECRET, &code).send().await.ok();

    let asked =
        node.post(ADD, &json!({"sid": sid, "client_secret": CLIENT_SECRET})).token(&token).send().await;
    let session = asked.json()["session"].as_str().expect("a session").to_owned();
    secrets.add("session of adding", &session);
    for (password, status) in [("wrong-but-telling", 401), (PASSWORD, 200)] {
        let auth = json!({
            "type": "m.login.password",
            "session": session,
            "identifier": {"type": "m.id.user", "user": "dagobert"},
            "password": password,
        });
        let body = json!({"sid": sid, "client_secret": CLIENT_SECRET, "auth": auth});
        assert_eq!(node.post(ADD, &body).token(&token).send().await.status, status);
    }
    node.ask_email("another-secret-too", EMAIL, 1).send().await.expect_error(400, "M_THREEPID_IN_USE");
    secrets.add("another client secret", "another-secret-too");

    let sid = node.ask_msisdn(CLIENT_SECRET, "GB", "07700 900123", 1).send().await.ok_string("sid");
    let code = node.sms.wait_for(1).await.swap_remove(0).code.expect("a code");
    secrets.add("code by SMS", &code);
    node.submit(&sid, CLIENT_SECRET, &code).send().await.ok();

    for (identifier, password, status) in [
        (json!({"type": "m.id.thirdparty", "medium": "email", "address": EMAIL}), PASSWORD, 200),
        (json!({"type": "m.id.thirdparty", "medium": "email", "address": EMAIL}), "wrong-but-telling", 403),
        (json!({"type": "m.id.phone", "country": "GB", "phone": "07700 900123"}), PASSWORD, 403),
    ] {
        let body = json!({"type": "m.login.password", "identifier": identifier, "password": password});
        let answer = node.post(LOGIN, &body).send().await;
        assert_eq!(answer.status, status);
        if status == 200 {
            secrets.add("second access token", answer.ok_string("access_token"));
        }
    }
    // Messages that fail, and bodies that are refused, are places where secrets like to turn up.
    node.sms.fail_next([countersign_delivery::SendError::Permanent { reason: "gateway: 400".to_owned() }]);
    node.ask_msisdn(CLIENT_SECRET, "GB", "07700 900123", 2).send().await.ok();
    node.until_outbox_is_empty().await;
    let body = format!(r#"{{"email": "{EMAIL}", "client_secret": "{CLIENT_SECRET}", "send_attempt": "#);
    node.post(THREEPID_EMAIL, &json!({})).body(body).send().await.expect_error(400, "M_NOT_JSON");
    let body = json!({"client_secret": CLIENT_SECRET, "email": format!("{EMAIL}@x"), "send_attempt": 1});
    node.post(THREEPID_EMAIL, &body).send().await.expect_error(400, "M_INVALID_PARAM");
    secrets
}

/// All that the node wrote into its folder but the database.
fn files_beside_the_database(node: &TestNode) -> Vec<u8> {
    let entries =
        std::fs::read_dir(node.folder()).expect("readable").map(|entry| entry.expect("readable").path());
    let others = entries.filter(|path| !path.to_string_lossy().contains("countersign.db"));
    others.flat_map(|path| std::fs::read(path).expect("readable")).collect()
}

#[tokio::test]
async fn neither_database_nor_log_holds_a_secret_in_clear() {
    let log = LOG.clone();
    let mut node = TestNode::start().await;
    let secrets = converse(&node).await;
    let running = node.database_bytes();
    node.stop();
    let stopped = node.database_bytes();
    let beside = files_beside_the_database(&node);
    assert_eq!(secrets.found_in(&beside), [""; 0], "in the node's other files");
    for (place, bytes) in [("database of a running node", &running), ("database at rest", &stopped)] {
        assert!(bytes.windows(8).any(|window| window == b"dagobert"), "{place} was not read");
        assert_eq!(secrets.found_in(bytes), [""; 0], "in the {place}");
    }
    let log = log.bytes();
    let says = |words: &str| String::from_utf8_lossy(&log).contains(words);
    assert!(says("Delivered message"), "the log was not read");
    assert_eq!(secrets.found_in(&log), [""; 0], "in the log");
}

#[tokio::test]
async fn a_search_finds_what_is_there() {
    let node = TestNode::start().await;
    let secrets = converse(&node).await;
    let mails: String =
        node.mailer.messages().into_iter().map(|mail| format!("{} {}", mail.to, mail.text)).collect();
    let mut found = secrets.found_in(mails.as_bytes());
    found.sort_unstable();
    let expected = ["address", "code by mail", "domain", "link token", "link token", "local part"];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn no_error_repeats_what_was_sent() {
    let node = TestNode::start().await;
    for (path, body) in [
        (
            THREEPID_EMAIL,
            json!({"client_secret": CLIENT_SECRET, "email": format!("{EMAIL}@x"), "send_attempt": 1}),
        ),
        (
            THREEPID_EMAIL,
            json!({"client_secret": format!("{CLIENT_SECRET} "), "email": EMAIL, "send_attempt": 1}),
        ),
        (
            THREEPID_EMAIL,
            json!({"client_secret": CLIENT_SECRET, "email": EMAIL, "send_attempt": 1, "next_link": format!("x:{NEXT_LINK}")}),
        ),
        (LOGIN, json!({"type": "m.login.password", "user": EMAIL, "password": PASSWORD})),
        (REGISTER, json!({"username": EMAIL, "password": PASSWORD})),
    ] {
        let answer = node.post(path, &body).send().await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
        let text = answer.text.to_lowercase();
        for secret in [EMAIL, PASSWORD, CLIENT_SECRET, NEXT_LINK, "unmistakable"] {
            assert!(!text.contains(&secret.to_lowercase()), "{answer:?}");
        }
    }
}

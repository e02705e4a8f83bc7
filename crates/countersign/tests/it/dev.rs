//! `countersign dev` as a newcomer meets it: an empty folder, what it prints, and the way down.

mod greeting;
mod slow_request;

use std::{net::TcpListener, path::Path, time::Duration};

use countersign_client::{
    AddThreepidRequest, Client, LoginRequest, RequestEmailToken, SubmitTokenRequest, Threepid, UserIdentifier,
};
use serde_json::Value;

use self::{
    greeting::Greeting,
    slow_request::{LongPoll, SlowRequest},
};
use crate::process::{self, Process, countersign, http, until};

/// How soon a node that was asked to stop is gone, if nothing keeps it.
const SOON: Duration = Duration::from_secs(5);

/// A running `countersign dev`.
pub(crate) struct Dev {
    process: Process,
    /// What it printed.
    pub(crate) greeting: Greeting,
}

impl Dev {
    /// Starts it in a folder, and waits until it printed what there is to know.
    pub(crate) async fn start(folder: &Path) -> Self {
        let process = Process::start(countersign(folder, &["dev"]));
        process.printed("-d '").await;
        let greeting = Greeting::read(&process.stdout.text());
        Self { process, greeting }
    }

    /// The client of the made-up user.
    pub(crate) fn user(&self) -> Client {
        let builder = Client::builder(&self.greeting.url).access_token(&self.greeting.access_token);
        builder.build().expect("a client")
    }

    async fn messages(&self) -> Vec<Value> {
        let answer = http().get(format!("{}/messages", self.greeting.inbox)).send().await.expect("an answer");
        let body: Value = answer.json().await.expect("JSON");
        body["messages"].as_array().expect("a list").clone()
    }

    /// Waits until nobody can connect any more.
    async fn deaf(&self) {
        let address = self.greeting.url.strip_prefix("http://").expect("http");
        until("it accepts nothing more", async || tokio::net::TcpStream::connect(address).await.is_err())
            .await;
    }

    async fn stop(self) {
        self.process.signal("TERM");
        let ended = self.process.ended_within(SOON).await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    }
}

async fn threepids(client: &Client) -> Vec<Threepid> {
    client.get_account_3pids().await.expect("listed").threepids
}

#[tokio::test]
async fn a_newcomer_gets_from_the_printed_request_to_a_listed_address() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let greeting = &dev.greeting;
    assert_eq!(greeting.user, "@alice:localhost");
    let health: Value = http().get(&greeting.health).send().await.unwrap().json().await.unwrap();
    assert_eq!(health["status"], "ready");

    // As curl sends it: the kind of body is not what it says.
    let form = "application/x-www-form-urlencoded";
    let asked = http().post(&greeting.curl_url).body(greeting.curl_body.clone()).header("content-type", form);
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    let (sid, submit_url) = (answer["sid"].as_str().unwrap(), answer["submit_url"].as_str().unwrap());

    until("the mail is in the inbox", async || !dev.messages().await.is_empty()).await;
    let message = dev.messages().await.remove(0);
    assert_eq!(
        (message["medium"].as_str(), message["to"].as_str()),
        (Some("email"), Some("alice@example.org"))
    );
    let code = message["code"].as_str().unwrap();
    let user = dev.user();
    let secret = serde_json::from_str::<Value>(&greeting.curl_body).unwrap()["client_secret"].clone();
    let secret = secret.as_str().unwrap();
    let submission = SubmitTokenRequest::new(sid, secret, code);
    assert!(user.submit_token(submit_url, &submission).await.unwrap().success);
    let add = AddThreepidRequest::new(sid, secret);
    let identifier = UserIdentifier::user(&greeting.user);
    user.add_3pid_with_password(&add, identifier, &greeting.password).await.unwrap();
    assert_eq!(threepids(&user).await[0].address, "alice@example.org");
    dev.stop().await;
}

#[tokio::test]
async fn data_and_user_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let (first, client) = (dev.greeting.clone(), dev.user());
    let request = RequestEmailToken::new("secret", "alice@example.org", 1);
    let asked = client.request_token_to_3pid_email(&request).await.unwrap();
    until("the mail is in the inbox", async || !dev.messages().await.is_empty()).await;
    let code = dev.messages().await[0]["code"].as_str().unwrap().to_owned();
    let submission = SubmitTokenRequest::new(&asked.sid, "secret", code);
    client.submit_token(&asked.submit_url.unwrap(), &submission).await.unwrap();
    dev.stop().await;

    let dev = Dev::start(folder.path()).await;
    assert_eq!((&dev.greeting.user, &dev.greeting.password), (&first.user, &first.password));
    assert_ne!(dev.greeting.access_token, first.access_token, "each start logs in anew");
    let user = dev.user();
    let add = AddThreepidRequest::new(&asked.sid, "secret");
    let identifier = UserIdentifier::user(&first.user);
    user.add_3pid_with_password(&add, identifier.clone(), &first.password).await.unwrap();
    assert_eq!(threepids(&user).await.len(), 1, "what was proven before the restart counts after it");
    user.login(&LoginRequest::password(identifier, &first.password)).await.unwrap();
    let old = user.with_access_token(&first.access_token);
    old.get_token_owner().await.expect("the old access token is still good");
    dev.stop().await;
}

#[tokio::test]
async fn only_the_owner_can_read_the_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    Dev::start(folder.path()).await.stop().await;
    let mode = |path: &str| {
        let metadata = std::fs::metadata(folder.path().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("countersign-dev"), 0o700);
    for file in ["countersign-dev/master.key", "countersign-dev/alice.password"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
}

#[tokio::test]
async fn the_next_free_port_is_taken() {
    // Whoever holds it, ourselves or somebody else: it is not free.
    let _held = TcpListener::bind(("127.0.0.1", 8008));
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let port: u16 = dev.greeting.url.rsplit_once(':').unwrap().1.parse().unwrap();
    assert!((8009..8058).contains(&port), "{port}");
    dev.user().get_token_owner().await.unwrap();

    let refused = process::run(folder.path(), &["dev", "--port", &port.to_string()]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains(&format!("can't listen on port {port}")), "{}", refused.stderr);
    dev.stop().await;
}

#[tokio::test]
async fn the_inbox_answers_no_other_host() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let (_, port) = dev.greeting.url.rsplit_once(':').unwrap();
    let status = async |path: &str, host: &str| {
        let request = http().get(format!("{}{path}", dev.greeting.url)).header("host", host);
        request.send().await.unwrap().status().as_u16()
    };
    for path in ["/inbox", "/inbox/messages"] {
        for host in ["rebound.example.org", "127.0.0.1.example.org", "192.0.2.1", "localhost.example.org"] {
            assert_eq!(status(path, &format!("{host}:{port}")).await, 403, "{path} at {host}");
        }
        for host in ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"] {
            assert_eq!(status(path, &format!("{host}:{port}")).await, 200, "{path} at {host}");
        }
    }
    dev.stop().await;
}

#[tokio::test]
async fn a_stop_finishes_the_requests_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let url = dev.greeting.url.clone();
    let body = r#"{"client_secret": "secret", "email": "bob@example.org", "send_attempt": 1}"#;
    let slow = SlowRequest::begin(&url, "/_api/client/v3/account/3pid/email/requestToken", body).await;
    // A connection that asks nothing must not keep the node.
    let _idle = tokio::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let waiting = LongPoll::begin(&url).await;

    dev.process.signal("TERM");
    dev.deaf().await;
    let answer = slow.finish().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"sid\""), "{answer}");
    let ended = dev.process.ended_within(SOON).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let answer = waiting.finish().await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"messages\":["), "{answer}");
}

#[tokio::test]
async fn a_second_interrupt_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let slow = SlowRequest::begin(&dev.greeting.url, "/_api/client/v3/login", "{}").await;
    dev.process.signal("INT");
    dev.deaf().await;
    dev.process.signal("INT");
    let ended = dev.process.ended_within(SOON).await;
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    drop(slow);

    // As after a power cut, the data is whole.
    Dev::start(folder.path()).await.stop().await;
}

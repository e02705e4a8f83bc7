//! Steps that many tests take on their way.

mod identity;
mod proofs;

use std::time::Duration;

use countersign_api::{
    client::{
        request_token::{THREEPID_EMAIL, THREEPID_MSISDN},
        threepid::{ADD, THREEPIDS},
    },
    submit_token::SUBMIT_TOKEN,
};
use countersign_core::Clock;
use serde_json::{Value, json};

pub(crate) use self::{
    identity::{hashed, identity},
    proofs::{SECRET, creds_auth},
};
use crate::{
    support::{GLANCE, PATIENCE, TestNode, TestUser},
    wire::{Answer, Call},
};

/// Counts the messages that a worker holds.
const LEASED: &str = "select count(*) from outbox where lease_id is not null";

impl TestNode {
    /// Asks for a token by mail.
    pub(crate) fn ask_email(&self, client_secret: &str, email: &str, send_attempt: i64) -> Call {
        let body = json!({"client_secret": client_secret, "email": email, "send_attempt": send_attempt});
        self.post(THREEPID_EMAIL, &body)
    }

    /// Asks for a token by SMS.
    pub(crate) fn ask_msisdn(&self, client_secret: &str, country: &str, number: &str, attempt: i64) -> Call {
        let body = json!({
            "client_secret": client_secret,
            "country": country,
            "phone_number": number,
            "send_attempt": attempt,
        });
        self.post(THREEPID_MSISDN, &body)
    }

    /// Hands in a token.
    pub(crate) fn submit(&self, sid: &str, client_secret: &str, token: &str) -> Call {
        let body = json!({"sid": sid, "client_secret": client_secret, "token": token});
        self.post_to(SUBMIT_TOKEN, &body)
    }

    /// Proves an address by mail; answers the session.
    pub(crate) async fn validate_email(&self, client_secret: &str, email: &str) -> String {
        // Nothing else is on its way, such as a notice.
        self.until_outbox_is_empty().await;
        let came = self.mailer.messages().len();
        let sid = self.ask_email(client_secret, email, 1).send().await.ok_string("sid");
        let mail = self.mailer.wait_for(came + 1).await.swap_remove(came);
        let code = mail.code.expect("a mail to add an address carries a code");
        self.submit(&sid, client_secret, &code).send().await.ok();
        sid
    }

    /// Proves a phone number; answers the session.
    pub(crate) async fn validate_msisdn(&self, client_secret: &str, country: &str, number: &str) -> String {
        self.until_outbox_is_empty().await;
        let came = self.sms.messages().len();
        let sid = self.ask_msisdn(client_secret, country, number, 1).send().await.ok_string("sid");
        let sms = self.sms.wait_for(came + 1).await.swap_remove(came);
        self.submit(&sid, client_secret, &sms.code.expect("an SMS carries a code")).send().await.ok();
        sid
    }

    /// Adds the address of a session to an account, with the account's password.
    pub(crate) fn add(&self, user: &TestUser, sid: &str, client_secret: &str) -> Call {
        let auth = user.password_auth(None);
        let body = json!({"sid": sid, "client_secret": client_secret, "auth": auth});
        self.post(ADD, &body).token(&user.access_token)
    }

    /// Proves an address by mail and adds it to an account.
    pub(crate) async fn give_email(&self, user: &TestUser, email: &str) {
        let client_secret = format!("given_{}", self.mailer.messages().len());
        let sid = self.validate_email(&client_secret, email).await;
        self.add(user, &sid, &client_secret).send().await.ok();
    }

    /// Waits until no message is owed any more.
    pub(crate) async fn until_outbox_is_empty(&self) {
        self.until_none("select count(*) from outbox").await;
    }

    /// Lets time pass once no message is on its way or about to be: a long jump would end a worker's hold on it, and
    /// it would go twice.
    pub(crate) async fn let_pass(&self, duration: Duration) {
        let due = format!("{LEASED} or not_before <= {}", self.clock_millis());
        self.until_none(&due).await;
        self.advance(duration);
    }

    /// Waits until sending mail was tried this often, and what came of it is recorded.
    pub(crate) async fn until_tried(&self, count: usize) {
        self.mailer.wait_for_tries(count).await;
        self.until_none(LEASED).await;
    }

    /// Waits until a message was tried that is still owed, and what came of it is recorded.
    pub(crate) async fn until_retried(&self) {
        self.until_none("select count(*) from outbox where tries = 0").await;
        self.until_none(LEASED).await;
    }

    /// What the node's clock shows.
    pub(crate) fn clock_millis(&self) -> i64 {
        self.clock.now().as_millis()
    }

    /// Waits until a query counts nothing.
    async fn until_none(&self, query: &str) {
        let emptied = tokio::time::timeout(PATIENCE, async {
            while self.look_up_count(query) != 0 {
                tokio::time::sleep(GLANCE).await;
            }
        });
        assert!(emptied.await.is_ok(), "still not none: {query}");
    }

    /// How many messages were ever queued.
    pub(crate) fn messages_queued(&self) -> i64 {
        self.look_up_count("select (select count(*) from outbox) + (select count(*) from message_history)")
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, table: &str) -> i64 {
        self.look_up_count(&format!("select count(*) from {table}"))
    }

    /// The addresses of an account, each as `medium address`.
    pub(crate) async fn addresses_of(&self, user: &TestUser) -> Vec<String> {
        let listed = self.get(THREEPIDS).token(&user.access_token).send().await.ok();
        let words = |entry: &Value| {
            let word = |key: &str| entry[key].as_str().expect("a string").to_owned();
            format!("{} {}", word("medium"), word("address"))
        };
        listed["threepids"].as_array().expect("a list").iter().map(words).collect()
    }
}

/// `auth` with a password and without a session, as many clients send it at once.
pub(crate) fn password_auth(user: &TestUser, password: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user.user_id},
        "password": password,
    })
}

/// The link token in a mail's link.
pub(crate) fn link_token(link: &str) -> String {
    let url = url::Url::parse(link).expect("a link is a URL");
    let token = url.query_pairs().find(|(name, _)| name == "token").map(|(_, value)| value.into_owned());
    token.unwrap_or_else(|| panic!("no token in the link's query: {link}"))
}

/// A code that is not this one.
pub(crate) fn other_code(code: &str) -> String {
    let number: u32 = code.parse().expect("a code is digits");
    format!("{:06}", (number + 1) % 1_000_000)
}

/// Sends the same requests at once.
pub(crate) async fn send_all(calls: Vec<Call>) -> Vec<Answer> {
    let tasks: Vec<_> = calls.into_iter().map(|call| tokio::spawn(call.send())).collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(task.await.expect("sending does not panic"));
    }
    answers
}

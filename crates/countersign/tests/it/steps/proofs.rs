//! Proofs of addresses for any purpose, and rounds of an authentication.

use countersign_api::client::{
    register::REGISTER,
    request_token::{PASSWORD_EMAIL, PASSWORD_MSISDN, REGISTER_EMAIL, REGISTER_MSISDN},
};
use serde_json::{Value, json};

use super::link_token;
use crate::{
    support::TestNode,
    wire::{Answer, Call},
};

/// The client secret of every proof here.
pub(crate) const SECRET: &str = "proof_of_monkeys";

impl TestNode {
    /// Asks for a mail for this purpose; answers the session.
    pub(crate) async fn ask_by_mail(&self, path: &str, email: &str) -> String {
        let body = json!({"client_secret": SECRET, "email": email, "send_attempt": 1});
        self.post(path, &body).send().await.ok_string("sid")
    }

    /// Opens the newest mail's link and presses its button.
    pub(crate) async fn press_newest_link(&self) {
        self.until_outbox_is_empty().await;
        let link = self.mailer.messages().pop().expect("a mail").link.expect("a mail has a link");
        let url = url::Url::parse(&link).expect("a link is a URL");
        let sid = url.query_pairs().find(|(name, _)| name == "sid").expect("a sid").1.into_owned();
        let form = format!("sid={sid}&token={}", link_token(&link));
        let press = self.call(axum::http::Method::POST, "/_countersign/v1/confirm");
        let pressed = press.header("content-type", "application/x-www-form-urlencoded").body(form);
        assert_eq!(pressed.send().await.status, 200);
    }

    /// Has messages to the newest mail's address stopped, by its link for those who never asked for it.
    pub(crate) async fn want_no_more_messages(&self) {
        self.until_outbox_is_empty().await;
        let text = self.mailer.messages().pop().expect("a mail").text;
        let link = text.split_whitespace().find(|word| word.contains("/not-me?")).expect("a link");
        let url = url::Url::parse(link).expect("a link is a URL");
        let sid = url.query_pairs().find(|(name, _)| name == "sid").expect("a sid").1.into_owned();
        for choice in ["end", "suppress"] {
            let form = format!("sid={sid}&token={}&choice={choice}", link_token(link));
            let call = self.call(axum::http::Method::POST, url.path()).body(form);
            let answer = call.header("content-type", "application/x-www-form-urlencoded").send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }

    /// Proves an address for a new account; answers the session.
    pub(crate) async fn prove_email_to_register(&self, email: &str) -> String {
        self.prove_email(REGISTER_EMAIL, email).await
    }

    /// Proves an account's address for its owner; answers the session.
    pub(crate) async fn prove_email_to_reset(&self, email: &str) -> String {
        self.prove_email(PASSWORD_EMAIL, email).await
    }

    async fn prove_email(&self, path: &str, email: &str) -> String {
        let sid = self.ask_by_mail(path, email).await;
        self.press_newest_link().await;
        sid
    }

    /// Proves a phone number for a new account; answers the session.
    pub(crate) async fn prove_msisdn_to_register(&self, country: &str, number: &str) -> String {
        self.prove_msisdn(REGISTER_MSISDN, country, number).await
    }

    /// Proves an account's phone number for its owner; answers the session.
    pub(crate) async fn prove_msisdn_to_reset(&self, country: &str, number: &str) -> String {
        self.prove_msisdn(PASSWORD_MSISDN, country, number).await
    }

    async fn prove_msisdn(&self, path: &str, country: &str, number: &str) -> String {
        let body =
            json!({"client_secret": SECRET, "country": country, "phone_number": number, "send_attempt": 1});
        let sid = self.post(path, &body).send().await.ok_string("sid");
        self.until_outbox_is_empty().await;
        let code = self.sms.messages().pop().expect("an SMS").code.expect("an SMS has a code");
        self.submit(&sid, SECRET, &code).send().await.ok();
        sid
    }

    /// A round of a registration.
    pub(crate) fn register_round(&self, body: Value, auth: Value) -> Call {
        let mut body = body;
        body["auth"] = auth;
        self.post(REGISTER, &body)
    }

    /// Begins a registration; answers the session.
    pub(crate) async fn begin_registration(&self, body: Value) -> Value {
        let asked = self.post(REGISTER, &body).send().await;
        assert_eq!(asked.status, 401, "{asked:?}");
        asked.json()["session"].clone()
    }
}

/// `auth` of a stage that asks for an address.
pub(crate) fn creds_auth(session: &Value, stage: &str, sid: &str) -> Value {
    json!({
        "type": stage,
        "session": session,
        "threepid_creds": {"sid": sid, "client_secret": SECRET, "id_server": "ignored.example.org"},
    })
}

impl Answer {
    /// The completed stages of an answer that asks for more.
    #[track_caller]
    pub(crate) fn completed(&self) -> Vec<String> {
        assert_eq!(self.status, 401, "{self:?}");
        let body = self.json();
        assert!(body["session"].is_string() && body["flows"].is_array() && body["params"].is_object());
        let completed = body["completed"].as_array().cloned().unwrap_or_default();
        completed.iter().map(|stage| stage.as_str().expect("a name").to_owned()).collect()
    }

    /// The errcode of an answer that asks for more.
    #[track_caller]
    pub(crate) fn stage_errcode(&self) -> Option<String> {
        assert_eq!(self.status, 401, "{self:?}");
        let body = self.json();
        assert!(body["flows"].is_array(), "{self:?}");
        body["errcode"].as_str().map(str::to_owned)
    }
}

//! Homeservers that have addresses proven elsewhere, as far as they call for it: what they send, byte by byte, and what they
//! look at in the answers.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::form_urlencoded::Serializer;

/// Synapse with `account_threepid_delegates.msisdn`: `synapse/handlers/identity.py`.
pub(super) struct Synapse {
    host: String,
}

impl Synapse {
    pub(super) fn delegating_to(url: &str) -> Self {
        Self { host: url.trim_start_matches("http://").to_owned() }
    }

    pub(super) async fn request_msisdn_token(
        &self,
        country: &str,
        phone_number: &str,
        client_secret: &str,
        send_attempt: i64,
    ) -> (u16, Value) {
        let body = format!(
            r#"{{"country":"{country}","phone_number":"{phone_number}","client_secret":"{client_secret}","send_attempt":{send_attempt}}}"#
        );
        self.post("/_matrix/identity/api/v1/validate/msisdn/requestToken", &body).await
    }

    pub(super) async fn submit_msisdn_token(
        &self,
        client_secret: &str,
        sid: &str,
        token: &str,
    ) -> (u16, Value) {
        let body = format!(r#"{{"client_secret":"{client_secret}","sid":"{sid}","token":"{token}"}}"#);
        self.post("/_matrix/identity/api/v1/validate/msisdn/submitToken", &body).await
    }

    /// What it takes for a proof: an answer of 200 that names a medium.
    pub(super) async fn validated(&self, sid: &str, client_secret: &str) -> Option<Value> {
        let query = Serializer::new(String::new())
            .append_pair("sid", sid)
            .append_pair("client_secret", client_secret)
            .finish();
        let head = format!(
            "GET /_matrix/identity/api/v1/3pid/getValidated3pid?{query} HTTP/1.1\r\nHost: {}\r\n\
             User-Agent: Synapse/1.140.0\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
            self.host
        );
        let (status, answer) = exchange(&self.host, &head).await;
        (status == 200 && answer["medium"].is_string()).then_some(answer)
    }

    async fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nContent-Type: application/json\r\n\
             User-Agent: Synapse/1.140.0\r\nAccept: application/json\r\nConnection: close\r\n\r\n{body}",
            self.host,
            body.len()
        );
        exchange(&self.host, &request).await
    }
}

/// Dendrite with an identity server that it trusts: `clientapi/threepid/threepid.go`.
pub(super) struct Dendrite {
    host: String,
}

impl Dendrite {
    pub(super) fn trusting(url: &str) -> Self {
        Self { host: url.trim_start_matches("http://").to_owned() }
    }

    /// Has a mail sent, and answers the session.
    pub(super) async fn create_session(&self, secret: &str, email: &str, send_attempt: i64) -> String {
        // Go's url.Values sorts by key.
        let body = Serializer::new(String::new())
            .append_pair("client_secret", secret)
            .append_pair("email", email)
            .append_pair("send_attempt", &send_attempt.to_string())
            .finish();
        let request = format!(
            "POST /_matrix/identity/api/v1/validate/email/requestToken HTTP/1.1\r\nHost: {}\r\n\
             User-Agent: Go-http-client/1.1\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n{body}",
            self.host,
            body.len()
        );
        let (status, answer) = exchange(&self.host, &request).await;
        assert_eq!(status, 200, "{answer}");
        answer["sid"].as_str().expect("a sid").to_owned()
    }

    /// Whether an address is proven: it looks at `errcode` alone, whatever the status.
    pub(super) async fn check_association(&self, sid: &str, client_secret: &str) -> (bool, Value) {
        let request = format!(
            "GET /_matrix/identity/api/v1/3pid/getValidated3pid?sid={sid}&client_secret={client_secret} HTTP/1.1\r\n\
             Host: {}\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
            self.host
        );
        let (_, answer) = exchange(&self.host, &request).await;
        match answer["errcode"].as_str() {
            None => (answer["validated_at"].is_i64(), answer),
            Some("M_SESSION_NOT_VALIDATED") => (false, answer),
            Some(_) => panic!("it gives up: {answer}"),
        }
    }
}

/// Sends these bytes and reads the whole answer.
async fn exchange(host: &str, request: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(host).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).expect("JSON"))
}

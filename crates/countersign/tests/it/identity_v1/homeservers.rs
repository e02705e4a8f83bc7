//! Homeservers that have addresses proven elsewhere, as far as they call for it: what they send, byte by byte, and what they
//! look at in the answers.

use countersign_core::canonical_json;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::form_urlencoded::Serializer;

/// Synapse with `account_threepid_delegates.msisdn`: `synapse/handlers/identity.py`. What its methods answer is what
/// Synapse answers its own client.
pub(super) struct Synapse {
    host: String,
}

impl Synapse {
    pub(super) fn delegating_to(url: &str) -> Self {
        Self { host: url.trim_start_matches("http://").to_owned() }
    }

    /// Has an SMS sent. A refusal is passed on with all that it says.
    pub(super) async fn request_msisdn_token(
        &self,
        country: &str,
        phone_number: &str,
        client_secret: &str,
        send_attempt: i64,
    ) -> (u16, Value) {
        let body = json!({
            "country": country, "phone_number": phone_number, "client_secret": client_secret,
            "send_attempt": send_attempt,
        });
        self.request(body).await
    }

    /// The same, and the client said where to go on.
    pub(super) async fn request_msisdn_token_with_next_link(
        &self,
        phone_number: &str,
        next_link: &str,
    ) -> (u16, Value) {
        let body = json!({
            "country": "GB", "phone_number": phone_number, "client_secret": "monkeys", "send_attempt": 1,
            "next_link": next_link,
        });
        self.request(body).await
    }

    async fn request(&self, body: Value) -> (u16, Value) {
        let path = "/_matrix/identity/api/v1/validate/msisdn/requestToken";
        let (status, mut answer) = self.post(path, &body).await;
        if (200..300).contains(&status) {
            // Codes are handed in to Synapse, whatever the service says.
            let submit_url =
                "https://synapse.example.org/_matrix/client/unstable/add_threepid/msisdn/submit_token";
            answer["submit_url"] = submit_url.into();
        }
        (status, answer)
    }

    /// Hands in a code. Of the ways to be wrong it knows two; every other is no answer to it.
    pub(super) async fn submit_msisdn_token(
        &self,
        client_secret: &str,
        sid: &str,
        token: &str,
    ) -> (u16, Value) {
        let body = json!({"client_secret": client_secret, "sid": sid, "token": token});
        let path = "/_matrix/identity/api/v1/validate/msisdn/submitToken";
        let (status, answer) = self.post(path, &body).await;
        let refusal = |errcode: &str, error: &str| (400, json!({"errcode": errcode, "error": error}));
        match (status, answer["errcode"].as_str()) {
            (200..300, _) => (200, answer),
            (_, Some("M_TOKEN_INCORRECT")) => refusal("M_TOKEN_INCORRECT", "Token incorrect"),
            (_, Some("M_SESSION_EXPIRED")) => refusal("M_SESSION_EXPIRED", "Session expired"),
            _ => refusal("M_UNKNOWN", "Error contacting the identity server"),
        }
    }

    /// What it takes for a proof: an answer of success that has a medium.
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
        ((200..300).contains(&status) && answer.get("medium").is_some()).then_some(answer)
    }

    /// Sends canonical JSON: the keys in their order, no spaces.
    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let body = canonical_json(body).expect("numbers are integers");
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

    /// The address that is proven, and its medium, if one is. It looks at the body alone, whatever the status, and fails
    /// where that has another `errcode` than the one for what is not proven yet.
    pub(super) async fn check_association(
        &self,
        sid: &str,
        client_secret: &str,
    ) -> Result<Option<(String, String)>, String> {
        // Neither is escaped.
        let request = format!(
            "GET /_matrix/identity/api/v1/3pid/getValidated3pid?sid={sid}&client_secret={client_secret} HTTP/1.1\r\n\
             Host: {}\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
            self.host
        );
        let (_, answer) = exchange(&self.host, &request).await;
        let answer: GetValidated = serde_json::from_value(answer).expect("each field has its type");
        match answer.errcode.as_str() {
            "" => Ok(Some((answer.address, answer.medium))),
            "M_SESSION_NOT_VALIDATED" => Ok(None),
            _ => Err(answer.error),
        }
    }
}

/// What it reads of the answer. A field that is missing is empty, and one of another type fails.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GetValidated {
    medium: String,
    validated_at: i64,
    address: String,
    errcode: String,
    error: String,
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

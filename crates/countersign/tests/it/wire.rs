//! Requests and answers as they are on the wire, for what a well-behaved client never sends and never sees.

use std::sync::LazyLock;

use axum::http::{HeaderMap, Method};
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::support::TestNode;

/// Opens a connection for each request, so that it does not matter which runtime a test has. Follows nothing.
static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
});

/// A request that a test spells out.
#[must_use]
pub(crate) struct Call(RequestBuilder);

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) text: String,
}

/// The path of a route of the client API under the prefix and version that the seeds have.
pub(crate) fn api(path: &str) -> String {
    format!("/_api/client/v3{path}")
}

impl TestNode {
    /// A request to any path.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        Call(HTTP.request(method, format!("{}{path}", self.url)))
    }

    /// A request to the operator's listener.
    pub(crate) fn call_operator(&self, method: Method, path: &str) -> Call {
        Call(HTTP.request(method, format!("{}{path}", self.operator_url)))
    }

    /// `GET` of a route of the client API.
    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, &api(path))
    }

    /// `POST` of a JSON body to a route of the client API.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Call {
        self.call(Method::POST, &api(path)).json(body)
    }

    /// `POST` of a JSON body to any path.
    pub(crate) fn post_to(&self, path: &str, body: &Value) -> Call {
        self.call(Method::POST, path).json(body)
    }
}

impl Call {
    /// `POST` to any URL.
    pub(crate) fn post_to(url: &str) -> Self {
        Self(HTTP.post(url))
    }

    /// `POST` of a JSON body to any URL.
    pub(crate) fn post_json(url: &str, body: &Value) -> Self {
        Self::post_to(url).json(body)
    }

    /// Adds an access token.
    pub(crate) fn token(self, access_token: &str) -> Self {
        self.header("authorization", &format!("Bearer {access_token}"))
    }

    /// Adds a header.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// Adds a header that need not be text.
    pub(crate) fn header_bytes(self, name: &str, value: &[u8]) -> Self {
        Self(self.0.header(name, value))
    }

    /// Comes from this address, as the trusted proxy in front says.
    pub(crate) fn from(self, address: &str) -> Self {
        self.header("x-forwarded-for", address)
    }

    /// Sets the body.
    pub(crate) fn body(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self(self.0.body(bytes.into()))
    }

    /// Sets a JSON body with its content type.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Sends it.
    pub(crate) async fn send(self) -> Answer {
        let response = self.0.send().await.expect("the node answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = String::from_utf8(response.bytes().await.expect("a whole body").into());
        Answer { status, headers, text: text.expect("answers are UTF-8") }
    }
}

impl Answer {
    /// A header, if it is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            (None, _) | (_, Some(_)) => None,
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The keys of the body of a success, sorted.
    #[track_caller]
    pub(crate) fn ok_keys(&self) -> Vec<String> {
        let body = self.ok();
        let mut keys: Vec<_> = body.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    }

    /// A string of the body of a success.
    #[track_caller]
    pub(crate) fn ok_string(&self, key: &str) -> String {
        self.ok()[key].as_str().unwrap_or_else(|| panic!("{key} is no string: {self:?}")).to_owned()
    }

    /// The status and the `errcode`, which stands beside a sentence.
    #[track_caller]
    pub(crate) fn error(&self) -> (u16, String) {
        let body = self.json();
        let sentence = body["error"].as_str().unwrap_or_default();
        assert!(!sentence.is_empty(), "an error without a sentence: {self:?}");
        let errcode = body["errcode"].as_str().unwrap_or_else(|| panic!("no errcode: {self:?}"));
        (self.status, errcode.to_owned())
    }

    /// Fails unless it is this error.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, errcode: &str) {
        assert_eq!(self.error(), (status, errcode.to_owned()), "{self:?}");
    }
}

//! Where a server is, who calls, and how a request is sent: what the clients of both APIs have in common.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, redirect};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    answer,
    error::{Error, Kind},
    tls,
};

/// One server and one caller. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) http: reqwest::Client,
    /// Base URL and prefix, without a slash at the end.
    root: String,
    access_token: Option<String>,
}

impl Connection {
    /// Base URL and prefix.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The same with this access token.
    pub(crate) fn with_access_token(&self, access_token: String) -> Self {
        Self { access_token: Some(access_token), ..self.clone() }
    }

    /// A request to a path that follows the prefix, without access token.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.root))
    }

    /// The same with the access token if there is one. A server has an error code for one that is missing.
    pub(crate) fn authenticated(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.anonymous(method, path);
        match &self.access_token {
            Some(access_token) => request.bearer_auth(access_token),
            None => request,
        }
    }
}

/// What a connection is made of.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) base_url: String,
    pub(crate) prefix: String,
    pub(crate) access_token: Option<String>,
    pub(crate) timeout: Duration,
}

impl Settings {
    pub(crate) fn new(base_url: String, prefix: &str) -> Self {
        Self { base_url, prefix: prefix.to_owned(), access_token: None, timeout: Duration::from_secs(30) }
    }

    /// Makes the connection. No request is sent.
    pub(crate) fn connect(self) -> Result<Connection, Error> {
        let base_url = parse_url("base", &self.base_url)?;
        if base_url.query().is_some() || base_url.fragment().is_some() {
            return Err(Kind::Url { name: "base", reason: "holds a query or a fragment" }.into());
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(&base_url).map_err(Kind::Tls)?)
            .redirect(redirect::Policy::none())
            .timeout(self.timeout)
            .build()
            .map_err(|error| Kind::Setup(error.without_url()))?;
        let base = base_url.as_str().trim_end_matches('/');
        let prefix = self.prefix.trim_matches('/');
        let root = if prefix.is_empty() { base.to_owned() } else { format!("{base}/{prefix}") };
        Ok(Connection { http, root, access_token: self.access_token })
    }
}

/// Parses an http or https URL without credentials.
pub(crate) fn parse_url(name: &'static str, text: &str) -> Result<Url, Error> {
    let fault = |reason| Kind::Url { name, reason };
    let url = Url::parse(text).map_err(|_| fault("is malformed"))?;
    if url.scheme() != "https" && url.scheme() != "http" {
        return Err(fault("is neither https nor http").into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("holds credentials").into());
    }
    Ok(url)
}

/// Sends a request without body and reads the answer.
pub(crate) async fn send<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Error> {
    answer::read(request.send().await?).await
}

/// Sends a request with a JSON body and reads the answer.
pub(crate) async fn send_json<T: DeserializeOwned>(
    request: RequestBuilder,
    body: &impl Serialize,
) -> Result<T, Error> {
    send(request.json(body)).await
}

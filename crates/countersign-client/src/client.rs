//! The client: where the node is, who calls, and how a request is sent.

mod account;
mod capabilities;
mod deactivate;
mod login;
mod logout;
mod openid;
mod password;
mod refresh;
mod register;
mod registration_token;
mod request_token;
mod submit_token;
mod threepid;
mod versions;

use std::{fmt, time::Duration};

use reqwest::{Method, RequestBuilder, redirect};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    answer,
    error::{Error, Kind},
    tls,
};

/// A client of one node. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Base URL and prefix, without a slash at the end.
    root: String,
    access_token: Option<String>,
}

impl Client {
    /// Starts to build a client of the node at `base_url`, such as `https://node.example.com`.
    pub fn builder(base_url: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            base_url: base_url.into(),
            prefix: "/_api".to_owned(),
            access_token: None,
            timeout: Duration::from_secs(30),
        }
    }

    /// The same client, calling with this access token.
    #[must_use]
    pub fn with_access_token(&self, access_token: impl Into<String>) -> Self {
        Self { access_token: Some(access_token.into()), ..self.clone() }
    }

    /// A request to a path under `/client/v3`, without access token.
    fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/client/v3{path}", self.root))
    }

    /// A request to a path under `/client/v1`, without access token.
    fn anonymous_v1(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/client/v1{path}", self.root))
    }

    /// A request to a path under `/client/v3`, with the access token if the client has one.
    ///
    /// A node answers `M_MISSING_TOKEN` where it needs one that isn't there.
    fn authenticated(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.anonymous(method, path);
        match &self.access_token {
            Some(access_token) => request.bearer_auth(access_token),
            None => request,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("root", &self.root).finish_non_exhaustive()
    }
}

/// Builds a [`Client`].
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    base_url: String,
    prefix: String,
    access_token: Option<String>,
    timeout: Duration,
}

impl ClientBuilder {
    /// What stands before `/client` in every path: `/_api`, which is the default, or `/_matrix`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Calls with this access token.
    pub fn access_token(mut self, access_token: impl Into<String>) -> Self {
        self.access_token = Some(access_token.into());
        self
    }

    /// How long a call may take, connection and answer included: 30 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Builds the client. It fails if the base URL is not one of http or https, holds credentials, a query or a
    /// fragment, or if TLS cannot be set up. No request is sent.
    pub fn build(self) -> Result<Client, Error> {
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
        Ok(Client { http, root, access_token: self.access_token })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Parses an http or https URL without credentials.
fn parse_url(name: &'static str, text: &str) -> Result<Url, Error> {
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
async fn send<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Error> {
    answer::read(request.send().await?).await
}

/// Sends a request with a JSON body and reads the answer.
async fn send_json<T: DeserializeOwned>(request: RequestBuilder, body: &impl Serialize) -> Result<T, Error> {
    send(request.json(body)).await
}

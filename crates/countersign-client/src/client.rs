//! The client of a node.

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

use reqwest::{Method, RequestBuilder};

use crate::{
    connection::{Connection, Settings, parse_url, send, send_json},
    error::Error,
};

/// A client of one node. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct Client {
    connection: Connection,
}

impl Client {
    /// Starts to build a client of the node at `base_url`, such as `https://node.example.com`.
    pub fn builder(base_url: impl Into<String>) -> ClientBuilder {
        ClientBuilder { settings: Settings::new(base_url.into(), "/_api") }
    }

    /// The same client, calling with this access token.
    #[must_use]
    pub fn with_access_token(&self, access_token: impl Into<String>) -> Self {
        Self { connection: self.connection.with_access_token(access_token.into()) }
    }

    /// A request to a path under `/client/v3`, without access token.
    fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.connection.anonymous(method, &format!("/client/v3{path}"))
    }

    /// A request to a path under `/client/v1`, without access token.
    fn anonymous_v1(&self, method: Method, path: &str) -> RequestBuilder {
        self.connection.anonymous(method, &format!("/client/v1{path}"))
    }

    /// A request to a path under `/client/v3`, with the access token if the client has one.
    fn authenticated(&self, method: Method, path: &str) -> RequestBuilder {
        self.connection.authenticated(method, &format!("/client/v3{path}"))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("root", &self.connection.root()).finish_non_exhaustive()
    }
}

/// Builds a [`Client`].
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    settings: Settings,
}

impl ClientBuilder {
    /// What stands before `/client` in every path: `/_api`, which is the default, or `/_matrix`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// Calls with this access token.
    pub fn access_token(mut self, access_token: impl Into<String>) -> Self {
        self.settings.access_token = Some(access_token.into());
        self
    }

    /// How long a call may take, connection and answer included: 30 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Builds the client. It fails if the base URL is not one of http or https, holds credentials, a query or a
    /// fragment, or if TLS cannot be set up. No request is sent.
    pub fn build(self) -> Result<Client, Error> {
        Ok(Client { connection: self.settings.connect()? })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("prefix", &self.settings.prefix).finish_non_exhaustive()
    }
}

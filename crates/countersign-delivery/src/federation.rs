//! Calls of servers that somebody else named: homeservers, and identity services.
//!
//! All go through one guard, so a failure says nothing of its reason.

mod discovery;
mod identity_servers;
mod server_keys;

use std::{fmt, sync::Arc};

use countersign_core::{Clock, ServerName, Timestamp, UserId};
use hyper::Method;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

pub use self::identity_servers::{IdServerAnswer, MatrixError, RequestSigner};
use self::server_keys::KnownKeys;
use crate::{
    cache::Cache,
    dns::Dns,
    guard::{Guard, GuardSettings, GuardSettingsError, Request},
    peer::{Answer, PeerError},
};

const USERINFO: &str = "/_matrix/federation/v1/openid/userinfo";
const ONBIND: &str = "/_matrix/federation/v1/3pid/onbind";

/// How many servers are remembered, for each kind of thing that is.
const REMEMBERED: usize = 1024;

/// Other servers, each found by its name ([spec](https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names)).
pub struct Federation {
    guard: Guard,
    clock: Arc<dyn Clock>,
    delegations: Cache<ServerName, Option<ServerName>>,
    keys: Cache<ServerName, KnownKeys>,
}

/// Whom an OpenID token stands for at a homeserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Userinfo {
    /// This user, by the homeserver's word: that the user is its own must still be checked.
    User(UserId),
    /// Nobody.
    Nobody,
}

#[derive(Deserialize)]
struct UserinfoAnswer {
    sub: String,
}

impl Federation {
    /// Checks the settings. Connects to nothing yet.
    ///
    /// # Errors
    /// When the settings can't work.
    pub fn new(
        settings: &GuardSettings,
        dns: Arc<dyn Dns>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GuardSettingsError> {
        let guard = Guard::new(settings, dns)?;
        Ok(Self { guard, clock, delegations: Cache::new(REMEMBERED), keys: Cache::new(REMEMBERED) })
    }

    /// Asks a homeserver whom an OpenID token stands for
    /// ([spec](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo)).
    pub async fn openid_userinfo(
        &self,
        server: &ServerName,
        access_token: &str,
    ) -> Result<Userinfo, PeerError> {
        let query = [("access_token", access_token)];
        let url = Url::parse_with_params(&format!("https://homeserver{USERINFO}"), query);
        let url = url.expect("a URL of constants");
        let uri = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let request = Request { method: Method::GET, uri: &uri, authorization: None, body: None };
        let answer = self.call(server, request).await?;
        if answer.refusal(401).is_some() {
            return Ok(Userinfo::Nobody);
        }
        let UserinfoAnswer { sub } = answer.success()?;
        UserId::parse(&sub).map(Userinfo::User).map_err(|_| answer.unexpected())
    }

    /// Hands a homeserver what waits for an address that one of its users has bound, as the caller signed it
    /// ([spec](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv13pidonbind)). Where `PUT` is unknown,
    /// by `POST`, which is all that Synapse takes.
    pub async fn onbind(&self, server: &ServerName, body: &Value) -> Result<(), PeerError> {
        let body = body.to_string().into_bytes();
        let request = |method| Request { method, uri: ONBIND, authorization: None, body: Some(body.clone()) };
        let call = async {
            let destination = self.discover(server).await?;
            let answer = self.guard.send(&destination, &request(Method::PUT)).await?;
            match answer.status() {
                404 | 405 => self.guard.send(&destination, &request(Method::POST)).await,
                _ => Ok(answer),
            }
        };
        let answer = self.guard.within_limits(server.as_str(), call).await?;
        if answer.status() == 200 { Ok(()) } else { Err(answer.unexpected()) }
    }

    /// Sends one request to a homeserver.
    async fn call(&self, server: &ServerName, request: Request<'_>) -> Result<Answer, PeerError> {
        let call = async { self.guard.send(&self.discover(server).await?, &request).await };
        self.guard.within_limits(server.as_str(), call).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for Federation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Federation").field("guard", &self.guard).finish_non_exhaustive()
    }
}

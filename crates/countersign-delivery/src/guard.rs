//! The one way to hosts that somebody else named: https only, and to no address that is not on the internet, unless the
//! operator listed its network.
//!
//! A name is looked up once for each connection, and the very addresses that were checked are dialed: no library between
//! looks it up again. Nothing in the environment names a proxy, and no redirect is followed but those of
//! [`get_following`](Guard::get_following), each of which is checked like the first. Whatever goes wrong, the caller is told
//! the same, so that nobody can look around in the operator's network through us; the reason goes to the log, at debug.

mod connection;
mod destination;
mod exchange;

use std::{fmt, sync::Arc, time::Duration};

use countersign_core::DialableAddresses;
use hyper::{Method, header::LOCATION};
use ipnet::IpNet;
use reqwest::Url;
use tokio_rustls::TlsConnector;

pub(crate) use self::destination::{Destination, Place};
use crate::{
    dns::{Dns, DnsError},
    peer::{Answer, PeerError},
    tls::{self, TlsError},
};

/// What is told of every failure.
const UNREACHABLE: PeerError = PeerError::Unreachable("the other server can't be reached");

const MAX_REDIRECTS: usize = 3;

/// How hosts that somebody else named are reached.
#[derive(Clone, Debug)]
pub struct GuardSettings {
    /// Networks that may be dialed though they are not on the internet.
    pub allow_networks: Vec<IpNet>,
    /// Certificates to trust beside the system's, as PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Limit for a whole call, all its look-ups and requests included.
    pub timeout: Duration,
    /// Limit for the body of an answer.
    pub max_answer_bytes: usize,
}

/// The settings can't work.
#[derive(Debug, thiserror::Error)]
pub enum GuardSettingsError {
    /// The extra certificates are not PEM, or there are none.
    #[error("the file of extra certificates holds no readable PEM certificate")]
    ExtraCa,
    /// No usable set of trusted certificates.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// A client for hosts that somebody else named.
pub(crate) struct Guard {
    dns: Arc<dyn Dns>,
    dialable: DialableAddresses,
    tls: TlsConnector,
    timeout: Duration,
    max_answer_bytes: usize,
}

/// What is asked of a host.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// Path and query, as they are sent.
    pub(crate) uri: &'a str,
    /// The whole `Authorization` header.
    pub(crate) authorization: Option<&'a str>,
    /// JSON.
    pub(crate) body: Option<Vec<u8>>,
}

/// Why a host gave no answer that can be used. For the log only.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the name is none of a host")]
    Name,
    #[error(transparent)]
    Lookup(#[from] DnsError),
    #[error("the name has no address")]
    NoAddress,
    #[error("the host has no address that may be dialed")]
    NotDialable,
    #[error("can't connect")]
    Connect(#[source] std::io::Error),
    #[error("no TLS")]
    Tls(#[source] std::io::Error),
    #[error("the request can't be written")]
    Request(#[source] hyper::http::Error),
    #[error("the connection was lost")]
    Http(#[source] hyper::Error),
    #[error("the answer is too large")]
    TooLarge,
    #[error("the redirect leads to no https URL, or is one too many")]
    Redirect,
    #[error("no service of that kind")]
    NoService,
    #[error("timed out")]
    TimedOut,
}

impl Guard {
    /// Checks the settings. Connects to nothing yet.
    pub(crate) fn new(settings: &GuardSettings, dns: Arc<dyn Dns>) -> Result<Self, GuardSettingsError> {
        let tls = match tls::trusting_system_and(settings.ca_pem.as_deref()) {
            // A machine without trusted certificates reaches nobody, which is no reason not to run.
            Err(TlsError::Setup(cause)) => {
                tracing::warn!(reason = %cause, "There are no certificates to trust: no other server can be reached");
                tls::trusting_nobody()
            }
            outcome => outcome,
        };
        let mut tls = tls.map_err(|error| match error {
            TlsError::ExtraCa => GuardSettingsError::ExtraCa,
            TlsError::Setup(cause) => GuardSettingsError::Tls(cause),
        })?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            dns,
            dialable: DialableAddresses::new(settings.allow_networks.clone()),
            tls: TlsConnector::from(Arc::new(tls)),
            timeout: settings.timeout,
            max_answer_bytes: settings.max_answer_bytes,
        })
    }

    /// Limit for a whole call.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn dns(&self) -> &dyn Dns {
        &*self.dns
    }

    /// Sends one request. Follows no redirect.
    pub(crate) async fn send(&self, to: &Destination, request: &Request<'_>) -> Result<Answer, Failure> {
        let stream = self.connect(to).await?;
        exchange::exchange(stream, to.host(), request, self.max_answer_bytes).await
    }

    /// Gets a document, and follows a few redirects to other https URLs.
    pub(crate) async fn get_following(&self, url: Url) -> Result<Answer, Failure> {
        let mut url = url;
        for _ in 0..=MAX_REDIRECTS {
            let uri = [url.path(), url.query().map_or("", |_| "?"), url.query().unwrap_or_default()].concat();
            let request = Request { method: Method::GET, uri: &uri, authorization: None, body: None };
            let answer = self.send(&Destination::of_url(&url)?, &request).await?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
            url = location.and_then(|location| url.join(location).ok()).ok_or(Failure::Redirect)?;
        }
        Err(Failure::Redirect)
    }

    /// Waits for a call as long as it may take, and tells of a failure what may be told.
    pub(crate) async fn within_limits<T>(
        &self,
        host: &str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, PeerError> {
        let outcome = tokio::time::timeout(self.timeout, call).await.unwrap_or(Err(Failure::TimedOut));
        outcome.map_err(|failure| {
            let cause = std::error::Error::source(&failure).map(ToString::to_string).unwrap_or_default();
            tracing::debug!(peer.host = host, reason = %failure, cause, "Another server gave no answer");
            UNREACHABLE
        })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("dialable", &self.dialable).finish_non_exhaustive()
    }
}

//! Calls of another server that speaks the protocol: bounded in time and size, never redirected.

use std::{fmt, time::Duration};

use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::tls::{self, TlsError};

/// No answer that is used comes near this size.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A longer wait is taken for this one.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Where another server is.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// What stands before `/_matrix` in its paths.
    pub url: String,
    /// Limit for a whole exchange.
    pub timeout: Duration,
    /// Certificates to trust beside the system's, as PEM.
    pub ca_pem: Option<Vec<u8>>,
}

/// The settings cannot work.
#[derive(Debug, thiserror::Error)]
pub enum PeerSettingsError {
    /// The URL is not one of http or https, or holds more than a place.
    #[error("the URL must be one of http or https, without credentials, query and fragment")]
    Url,
    /// The extra certificates are not PEM, or there are none.
    #[error("the file of extra certificates holds no readable PEM certificate")]
    ExtraCa,
    /// No usable set of trusted certificates.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Why another server gave no answer that can be used. It never holds the server's own words, which may repeat a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// There was no answer, or not a whole one.
    #[error("no answer: {0}")]
    Unreachable(&'static str),
    /// The answer is none of those that the protocol has.
    #[error("the answer, status {status}, is not as expected")]
    Answer {
        /// Its status.
        status: u16,
    },
}

/// Another server.
pub(crate) struct Peer {
    client: Client,
    /// Without a slash at the end.
    base: String,
}

/// What another server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// The parts of an error's body that decide something.
#[derive(Default, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) errcode: String,
    #[serde(default)]
    pub(crate) soft_logout: bool,
    #[serde(default)]
    retry_after_ms: Option<u64>,
}

impl Peer {
    /// Checks the settings. Connects to nothing yet.
    pub(crate) fn new(settings: &PeerSettings) -> Result<Self, PeerSettingsError> {
        let url = parse_url(&settings.url).ok_or(PeerSettingsError::Url)?;
        let extra = settings.ca_pem.as_deref();
        let tls = match url.scheme() {
            "http" => extra.map(tls::parse).transpose().and_then(|_| tls::trusting_nobody()),
            _ => tls::trusting_system_and(extra),
        };
        let tls = tls.map_err(|error| match error {
            TlsError::ExtraCa => PeerSettingsError::ExtraCa,
            TlsError::Setup(cause) => PeerSettingsError::Tls(cause),
        })?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .tcp_nodelay(true)
            .timeout(settings.timeout)
            .user_agent("countersign")
            .build()
            .map_err(|error| PeerSettingsError::Client(error.without_url()))?;
        Ok(Self { client, base: url.as_str().trim_end_matches('/').to_owned() })
    }

    /// Where it is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Result<Answer, PeerError> {
        send(self.client.get(format!("{}{path}", self.base)), token).await
    }

    pub(crate) async fn get_with_query(
        &self,
        path: &str,
        token: Option<&str>,
        query: &[(&str, &str)],
    ) -> Result<Answer, PeerError> {
        let mut url =
            Url::parse(&format!("{}{path}", self.base)).expect("a base that was parsed, and a path");
        url.query_pairs_mut().extend_pairs(query);
        send(self.client.get(url), token).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Result<Answer, PeerError> {
        send(self.client.post(format!("{}{path}", self.base)).json(body), token).await
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Answer {
    /// The body of a success. Everything else is not as expected.
    pub(crate) fn success<T: DeserializeOwned>(&self) -> Result<T, PeerError> {
        if self.status != 200 {
            return Err(self.unexpected());
        }
        serde_json::from_slice(&self.body).map_err(|_| self.unexpected())
    }

    /// The body of an error with this status, if it is one of the protocol: a proxy's own error page is not.
    pub(crate) fn refusal(&self, status: u16) -> Option<Refusal> {
        if self.status != status {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// The body of an error with any status but 200, if it is one of the protocol.
    pub(crate) fn any_refusal(&self) -> Option<Refusal> {
        if self.status == 200 {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// How long to wait before the next try: by the header, or else by the body.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let of_body = || self.any_refusal()?.retry_after_ms.map(Duration::from_millis);
        retry_after(&self.headers).or_else(of_body).map(|wait| wait.min(MAX_RETRY_AFTER))
    }

    pub(crate) fn unexpected(&self) -> PeerError {
        PeerError::Answer { status: self.status }
    }
}

async fn send(request: RequestBuilder, token: Option<&str>) -> Result<Answer, PeerError> {
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let mut response = request.send().await.map_err(|error| failed(&error))?;
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let body = read_limited(&mut response).await?;
    Ok(Answer { status, headers, body })
}

async fn read_limited(response: &mut Response) -> Result<Vec<u8>, PeerError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if MAX_ANSWER_BYTES < body.len() + chunk.len() {
            return Err(PeerError::Answer { status: response.status().as_u16() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads `Retry-After` in seconds; the form with a date is ignored.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Names the kind of failure only: reqwest's own text holds the URL.
fn failed(error: &reqwest::Error) -> PeerError {
    PeerError::Unreachable(if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "connection lost"
    })
}

fn parse_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_place = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    is_place.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> PeerSettings {
        PeerSettings { url: url.to_owned(), timeout: Duration::from_secs(1), ca_pem: None }
    }

    #[test]
    fn a_url_is_a_place_and_nothing_more() {
        for url in ["http://127.0.0.1:8448", "https://example.org/", "https://example.org/matrix/"] {
            assert!(parse_url(url).is_some(), "{url}");
        }
        for url in ["example.org", "ftp://h", "https://u@h", "https://h/?q", "https://h/#f", "unix:/run/x"] {
            assert!(matches!(Peer::new(&settings(url)), Err(PeerSettingsError::Url)), "{url}");
        }
        let base = Peer::new(&settings("http://127.0.0.1:1/sub/")).unwrap().base;
        assert_eq!(base, "http://127.0.0.1:1/sub");
    }

    #[test]
    fn certificates_that_are_none_are_told_without_tls_too() {
        for url in ["http://127.0.0.1", "https://127.0.0.1"] {
            let settings = PeerSettings { ca_pem: Some(b"no certificate".to_vec()), ..settings(url) };
            assert!(matches!(Peer::new(&settings), Err(PeerSettingsError::ExtraCa)), "{url}");
        }
    }

    #[test]
    fn the_wait_is_the_headers_or_else_the_bodys() {
        let answer = |header: Option<u64>, body: &str| Answer {
            status: 429,
            headers: header.map(|seconds| (RETRY_AFTER, seconds.into())).into_iter().collect(),
            body: body.as_bytes().to_vec(),
        };
        let body = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}"#;
        assert_eq!(answer(Some(7), body).retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(answer(None, body).retry_after(), Some(Duration::from_millis(1500)));
        assert_eq!(answer(None, "<html>").retry_after(), None);
        assert_eq!(answer(Some(u64::MAX), body).retry_after(), Some(MAX_RETRY_AFTER));
    }
}

//! The one error of the library.

use std::{fmt, time::Duration};

use countersign_api::{ErrorBody, ErrorCode, uia::UiaInfo};
use countersign_core::InvalidLookupPepper;

/// Why a call failed.
///
/// Neither `Display` nor the sources hold a URL, a secret or a token.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Kind>);

impl Error {
    /// The status of the node's answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match &*self.0 {
            Kind::Refused(refused) => Some(refused.status),
            Kind::UnexpectedBody { .. } => Some(200),
            Kind::Url { .. }
            | Kind::Tls(_)
            | Kind::Setup(_)
            | Kind::Transport(_)
            | Kind::TooLarge
            | Kind::Pepper(_) => None,
        }
    }

    /// The node's error code; one of a failed stage if [`Error::uia`] is there too.
    pub fn errcode(&self) -> Option<&ErrorCode> {
        self.body().map(|body| &body.errcode)
    }

    /// The node's own words.
    pub fn message(&self) -> Option<&str> {
        self.body().map(|body| body.error.as_str()).filter(|message| !message.is_empty())
    }

    /// The node's whole error body, for codes that bring more than a message.
    pub fn body(&self) -> Option<&ErrorBody> {
        self.refused()?.body.as_ref()
    }

    /// How long to wait before the next try: by the `Retry-After` header, or else by the body.
    pub fn retry_after(&self) -> Option<Duration> {
        let refused = self.refused()?;
        let of_body = || refused.body.as_ref()?.retry_after_ms.map(Duration::from_millis);
        refused.retry_after.or_else(of_body)
    }

    /// Whether the node has had too many requests.
    pub fn is_rate_limited(&self) -> bool {
        self.status() == Some(429) || self.errcode() == Some(&ErrorCode::LimitExceeded)
    }

    /// Whether the access token is no longer good while its device still is: a refresh, or a login on the same device,
    /// goes on.
    pub fn is_soft_logout(&self) -> bool {
        self.body().and_then(|body| body.soft_logout) == Some(true)
    }

    /// What the node asks for, if it asks for user-interactive authentication.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)
    pub fn uia(&self) -> Option<&UiaInfo> {
        self.refused()?.uia.as_ref()
    }

    /// Whether the answer took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(&*self.0, Kind::Transport(error) if error.is_timeout())
    }

    /// Whether there was no connection, so that the node has not seen the request.
    pub fn is_connect(&self) -> bool {
        matches!(&*self.0, Kind::Transport(error) if error.is_connect())
    }

    fn refused(&self) -> Option<&Refused> {
        match &*self.0 {
            Kind::Refused(refused) => Some(refused),
            Kind::Url { .. }
            | Kind::Tls(_)
            | Kind::Setup(_)
            | Kind::Transport(_)
            | Kind::TooLarge
            | Kind::UnexpectedBody { .. }
            | Kind::Pepper(_) => None,
        }
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<reqwest::Error> for Error {
    /// Takes the URL out, since its query may say more than a log should.
    fn from(error: reqwest::Error) -> Self {
        Kind::Transport(error.without_url()).into()
    }
}

#[derive(Debug, thiserror::Error)]
#[expect(clippy::large_enum_variant, reason = "it stands in a box already")]
pub(crate) enum Kind {
    #[error("the {name} URL {reason}")]
    Url { name: &'static str, reason: &'static str },
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] reqwest::Error),
    #[error("the node did not answer")]
    Transport(#[source] reqwest::Error),
    #[error("the node's answer is too large")]
    TooLarge,
    #[error("the node's answer is not as expected (line {line}, column {column})")]
    UnexpectedBody { line: usize, column: usize },
    #[error("the identity service hashes addresses in a way of its own")]
    Pepper(#[source] InvalidLookupPepper),
    #[error("{0}")]
    Refused(Refused),
}

/// An answer with another status than 200.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) body: Option<ErrorBody>,
    pub(crate) uia: Option<UiaInfo>,
    /// From the header alone.
    pub(crate) retry_after: Option<Duration>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the node answered {}", self.status)?;
        match (&self.body, &self.uia) {
            (Some(body), _) => {
                let message: String =
                    body.error.chars().filter(|character| !character.is_control()).collect();
                write!(f, " {}: {message}", body.errcode.as_str().escape_debug())
            }
            (None, Some(_)) => f.write_str(": authentication is needed"),
            (None, None) => Ok(()),
        }
    }
}

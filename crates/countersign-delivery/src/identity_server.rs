//! The operator's identity service, where it proves addresses for us: its v2 API, as far as that takes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Secret, SendError,
    peer::{Answer, Peer, PeerError, PeerSettings, PeerSettingsError},
};

const V2: &str = "/_matrix/identity/v2";

/// An identity service that works for us.
#[derive(Debug)]
pub struct IdentityServer {
    peer: Peer,
    access_token: Secret,
}

/// An address to prove, with what its API wants to know.
#[derive(Clone)]
pub enum AddressToProve {
    /// A canonical e-mail address.
    Email(String),
    /// E.164 digits without the plus sign, and the country they belong to, if known.
    Msisdn {
        /// The digits.
        digits: String,
        /// ISO 3166-1 alpha-2.
        country: Option<String>,
    },
}

/// A request for a message with a token.
#[derive(Clone)]
pub struct RemoteRequest {
    /// Where it goes.
    pub address: AddressToProve,
    /// Names the session; the same in every attempt.
    pub client_secret: Secret,
    /// Grows with each message that is wanted.
    pub send_attempt: i64,
    /// Where the link's page leads on to.
    pub next_link: Option<String>,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It is right.
    Accepted,
    /// It is wrong.
    Incorrect,
    /// The session's time is over there.
    SessionExpired,
    /// The service doesn't know the session.
    UnknownSession,
}

/// What the service knows of an address.
#[derive(Clone)]
pub enum Validated {
    /// It is proven.
    Address {
        /// `email` or `msisdn`.
        medium: String,
        /// The canonical address.
        address: String,
        /// When, in milliseconds since the Unix epoch.
        validated_at: i64,
    },
    /// Not yet.
    NotYet,
    /// The session's time is over there, or it is unknown.
    Gone,
}

impl fmt::Debug for Validated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address { .. } => "Address",
            Self::NotYet => "NotYet",
            Self::Gone => "Gone",
        })
    }
}

/// Why the service took a request for a message not over.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It does not work for us (any more): our access token is bad, or its terms are not accepted.
    #[error("{reason}")]
    Unwelcome {
        /// The status and the errcode.
        reason: String,
    },
    /// Like a message that another transport did not take over.
    #[error(transparent)]
    Send(SendError),
}

#[derive(Serialize)]
#[serde(untagged)]
enum RequestBody<'a> {
    Email {
        client_secret: &'a str,
        email: &'a str,
        send_attempt: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_link: Option<&'a str>,
    },
    Msisdn {
        client_secret: &'a str,
        country: &'a str,
        phone_number: String,
        send_attempt: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_link: Option<&'a str>,
    },
}

#[derive(Deserialize)]
struct SidAnswer {
    sid: String,
}

#[derive(Serialize)]
struct SubmitBody<'a> {
    sid: &'a str,
    client_secret: &'a str,
    token: &'a str,
}

#[derive(Deserialize)]
struct SubmitAnswer {
    success: bool,
}

#[derive(Deserialize)]
struct ValidatedAnswer {
    medium: String,
    address: String,
    validated_at: i64,
}

impl AddressToProve {
    fn medium(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Msisdn { .. } => "msisdn",
        }
    }
}

impl IdentityServer {
    /// Checks the settings. Connects to nothing yet.
    pub fn new(settings: &PeerSettings, access_token: Secret) -> Result<Self, PeerSettingsError> {
        Ok(Self { peer: Peer::new(settings)?, access_token })
    }

    /// Asks for a message, and answers the session's id there. The same request again sends nothing again.
    pub async fn request_token(&self, request: &RemoteRequest) -> Result<String, RequestError> {
        let path = format!("{V2}/validate/{}/requestToken", request.address.medium());
        let client_secret = request.client_secret.expose();
        let (send_attempt, next_link) = (request.send_attempt, request.next_link.as_deref());
        let body = match &request.address {
            AddressToProve::Email(email) => {
                RequestBody::Email { client_secret, email, send_attempt, next_link }
            }
            AddressToProve::Msisdn { digits, country } => RequestBody::Msisdn {
                client_secret,
                // With the plus sign the number is whole; a country is asked for all the same.
                country: country.as_deref().unwrap_or("US"),
                phone_number: format!("+{digits}"),
                send_attempt,
                next_link,
            },
        };
        let answer = self.peer.post(&path, Some(self.access_token.expose()), &body).await;
        let answer = answer.map_err(|error| {
            RequestError::Send(SendError::transient(format!("identity service: {error}")))
        })?;
        match answer.success() {
            Ok(SidAnswer { sid }) => Ok(sid),
            Err(_) => Err(refusal(&answer)),
        }
    }

    /// Hands in the token that the user typed.
    pub async fn submit_token(
        &self,
        medium: &str,
        sid: &str,
        client_secret: &Secret,
        token: &str,
    ) -> Result<Submitted, PeerError> {
        let path = format!("{V2}/validate/{medium}/submitToken");
        let body = SubmitBody { sid, client_secret: client_secret.expose(), token };
        let answer = self.peer.post(&path, Some(self.access_token.expose()), &body).await?;
        if let Ok(SubmitAnswer { success }) = answer.success() {
            return Ok(if success { Submitted::Accepted } else { Submitted::Incorrect });
        }
        match errcode(&answer).as_deref() {
            // Sydent calls a wrong token an unknown session.
            Some("M_TOKEN_INCORRECT" | "M_NO_VALID_SESSION") => Ok(Submitted::Incorrect),
            Some("M_SESSION_EXPIRED") => Ok(Submitted::SessionExpired),
            Some("M_INVALID_PARAM") => Ok(Submitted::UnknownSession),
            Some(_) | None => Err(answer.unexpected()),
        }
    }

    /// Asks whether an address is proven.
    pub async fn get_validated(&self, sid: &str, client_secret: &Secret) -> Result<Validated, PeerError> {
        let query = [("sid", sid), ("client_secret", client_secret.expose())];
        let path = format!("{V2}/3pid/getValidated3pid");
        let answer = self.peer.get_with_query(&path, Some(self.access_token.expose()), &query).await?;
        match errcode(&answer).as_deref() {
            Some("M_SESSION_NOT_VALIDATED") => return Ok(Validated::NotYet),
            Some("M_SESSION_EXPIRED" | "M_NO_VALID_SESSION") => return Ok(Validated::Gone),
            Some(_) => return Err(answer.unexpected()),
            None => {}
        }
        let ValidatedAnswer { medium, address, validated_at } = answer.success()?;
        Ok(Validated::Address { medium, address, validated_at })
    }
}

impl fmt::Display for IdentityServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.peer.base())
    }
}

fn errcode(answer: &Answer) -> Option<String> {
    answer.any_refusal().map(|refusal| refusal.errcode)
}

/// Sorts a refused request for a message by who can repair it.
fn refusal(answer: &Answer) -> RequestError {
    let errcode = errcode(answer);
    let known = errcode.as_deref().filter(|errcode| is_code(errcode)).unwrap_or("no errcode");
    let reason = format!("identity service: status {}, {known}", answer.status());
    match errcode.as_deref() {
        Some("M_UNAUTHORIZED" | "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN" | "M_TERMS_NOT_SIGNED") => {
            RequestError::Unwelcome { reason }
        }
        Some(
            "M_INVALID_EMAIL"
            | "M_INVALID_ADDRESS"
            | "M_INVALID_PARAM"
            | "M_MISSING_PARAMS"
            | "M_DESTINATION_REJECTED",
        ) => RequestError::Send(SendError::Permanent { reason }),
        // The rest is the service's to repair, so the message waits.
        Some(_) | None => {
            RequestError::Send(SendError::Transient { reason, retry_after: answer.retry_after() })
        }
    }
}

/// Whether a text can be shown as an error code: a service's own words may repeat the address.
fn is_code(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

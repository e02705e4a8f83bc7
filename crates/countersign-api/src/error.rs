//! Error codes of both APIs and the body of an error answer.

use std::{convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// An error code, `errcode` on the wire.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#standard-error-response)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `M_BAD_JSON`: valid JSON of the wrong shape.
    BadJson,
    /// `M_DESTINATION_REJECTED`: no message can be sent to this phone number.
    DestinationRejected,
    /// `M_EMAIL_SEND_ERROR`: the mail could not be sent.
    EmailSendError,
    /// `M_EXCLUSIVE`: the name belongs to an application service.
    Exclusive,
    /// `M_FORBIDDEN`: access is refused.
    Forbidden,
    /// `M_INVALID_ADDRESS`: no valid phone number.
    InvalidAddress,
    /// `M_INVALID_EMAIL`: no valid e-mail address.
    InvalidEmail,
    /// `M_INVALID_PARAM`: a parameter has the wrong type or value.
    InvalidParam,
    /// `M_INVALID_PEPPER`: the lookup pepper has changed.
    InvalidPepper,
    /// `M_INVALID_USERNAME`: no valid user name.
    InvalidUsername,
    /// `M_LIMIT_EXCEEDED`: too many requests.
    LimitExceeded,
    /// `M_MISSING_PARAM`: a required parameter is missing (client API).
    MissingParam,
    /// `M_MISSING_PARAMS`: a required parameter is missing (identity service API).
    MissingParams,
    /// `M_MISSING_TOKEN`: no access token was given.
    MissingToken,
    /// `M_NO_VALID_SESSION`: no such validation session.
    NoValidSession,
    /// `M_NOT_FOUND`: nothing was found.
    NotFound,
    /// `M_NOT_JSON`: the body is no JSON.
    NotJson,
    /// `M_SEND_ERROR`: the message could not be sent.
    SendError,
    /// `M_SERVER_NOT_TRUSTED`: the identity server is not trusted.
    ServerNotTrusted,
    /// `M_SESSION_EXPIRED`: the validation session has expired.
    SessionExpired,
    /// `M_SESSION_NOT_VALIDATED`: the validation session is not validated yet.
    SessionNotValidated,
    /// `M_TERMS_NOT_SIGNED`: the terms of service must be accepted first.
    TermsNotSigned,
    /// `M_THREEPID_AUTH_FAILED`: the 3PID could not be proven.
    ThreepidAuthFailed,
    /// `M_THREEPID_DENIED`: the policy refuses this 3PID.
    ThreepidDenied,
    /// `M_THREEPID_IN_USE`: the 3PID belongs to an account.
    ThreepidInUse,
    /// `M_THREEPID_MEDIUM_NOT_SUPPORTED`: the server doesn't take this medium.
    ThreepidMediumNotSupported,
    /// `M_THREEPID_NOT_FOUND`: the 3PID belongs to no account.
    ThreepidNotFound,
    /// `M_TOKEN_INCORRECT`: the validation token is wrong.
    TokenIncorrect,
    /// `M_TOO_LARGE`: the body or the list is too large.
    TooLarge,
    /// `M_UNAUTHORIZED`: the request is not authorized.
    Unauthorized,
    /// `M_UNKNOWN`: none of the other codes says it.
    Unknown,
    /// `M_UNKNOWN_TOKEN`: the access token is not known, or no longer.
    UnknownToken,
    /// `M_UNRECOGNIZED`: the server doesn't know the path, the method or what is asked for.
    Unrecognized,
    /// `M_USER_DEACTIVATED`: the account is deactivated.
    UserDeactivated,
    /// `M_USER_IN_USE`: the user name is taken.
    UserInUse,
    /// `M_USER_LOCKED`: the account is locked.
    UserLocked,
    /// `M_WEAK_PASSWORD`: the password is too weak.
    WeakPassword,
    /// A code that this list doesn't have; only a client meets it.
    Other(String),
}

impl ErrorCode {
    /// Every code but [`ErrorCode::Other`], in alphabetical order.
    pub const ALL: [Self; 37] = [
        Self::BadJson,
        Self::DestinationRejected,
        Self::EmailSendError,
        Self::Exclusive,
        Self::Forbidden,
        Self::InvalidAddress,
        Self::InvalidEmail,
        Self::InvalidParam,
        Self::InvalidPepper,
        Self::InvalidUsername,
        Self::LimitExceeded,
        Self::MissingParam,
        Self::MissingParams,
        Self::MissingToken,
        Self::NoValidSession,
        Self::NotFound,
        Self::NotJson,
        Self::SendError,
        Self::ServerNotTrusted,
        Self::SessionExpired,
        Self::SessionNotValidated,
        Self::TermsNotSigned,
        Self::ThreepidAuthFailed,
        Self::ThreepidDenied,
        Self::ThreepidInUse,
        Self::ThreepidMediumNotSupported,
        Self::ThreepidNotFound,
        Self::TokenIncorrect,
        Self::TooLarge,
        Self::Unauthorized,
        Self::Unknown,
        Self::UnknownToken,
        Self::Unrecognized,
        Self::UserDeactivated,
        Self::UserInUse,
        Self::UserLocked,
        Self::WeakPassword,
    ];

    /// The code as it stands on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::BadJson => "M_BAD_JSON",
            Self::DestinationRejected => "M_DESTINATION_REJECTED",
            Self::EmailSendError => "M_EMAIL_SEND_ERROR",
            Self::Exclusive => "M_EXCLUSIVE",
            Self::Forbidden => "M_FORBIDDEN",
            Self::InvalidAddress => "M_INVALID_ADDRESS",
            Self::InvalidEmail => "M_INVALID_EMAIL",
            Self::InvalidParam => "M_INVALID_PARAM",
            Self::InvalidPepper => "M_INVALID_PEPPER",
            Self::InvalidUsername => "M_INVALID_USERNAME",
            Self::LimitExceeded => "M_LIMIT_EXCEEDED",
            Self::MissingParam => "M_MISSING_PARAM",
            Self::MissingParams => "M_MISSING_PARAMS",
            Self::MissingToken => "M_MISSING_TOKEN",
            Self::NoValidSession => "M_NO_VALID_SESSION",
            Self::NotFound => "M_NOT_FOUND",
            Self::NotJson => "M_NOT_JSON",
            Self::SendError => "M_SEND_ERROR",
            Self::ServerNotTrusted => "M_SERVER_NOT_TRUSTED",
            Self::SessionExpired => "M_SESSION_EXPIRED",
            Self::SessionNotValidated => "M_SESSION_NOT_VALIDATED",
            Self::TermsNotSigned => "M_TERMS_NOT_SIGNED",
            Self::ThreepidAuthFailed => "M_THREEPID_AUTH_FAILED",
            Self::ThreepidDenied => "M_THREEPID_DENIED",
            Self::ThreepidInUse => "M_THREEPID_IN_USE",
            Self::ThreepidMediumNotSupported => "M_THREEPID_MEDIUM_NOT_SUPPORTED",
            Self::ThreepidNotFound => "M_THREEPID_NOT_FOUND",
            Self::TokenIncorrect => "M_TOKEN_INCORRECT",
            Self::TooLarge => "M_TOO_LARGE",
            Self::Unauthorized => "M_UNAUTHORIZED",
            Self::Unknown => "M_UNKNOWN",
            Self::UnknownToken => "M_UNKNOWN_TOKEN",
            Self::Unrecognized => "M_UNRECOGNIZED",
            Self::UserDeactivated => "M_USER_DEACTIVATED",
            Self::UserInUse => "M_USER_IN_USE",
            Self::UserLocked => "M_USER_LOCKED",
            Self::WeakPassword => "M_WEAK_PASSWORD",
            Self::Other(code) => code,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ErrorCode {
    type Err = Infallible;

    /// Finds the code; a string that is none of [`ErrorCode::ALL`] becomes [`ErrorCode::Other`].
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let known = Self::ALL.into_iter().find(|code| code.as_str() == text);
        Ok(known.unwrap_or_else(|| Self::Other(text.to_owned())))
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Ok(code) = String::deserialize(deserializer)?.parse();
        Ok(code)
    }
}

/// The body of an error answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct ErrorBody {
    /// The code.
    pub errcode: ErrorCode,
    /// A sentence for a person.
    pub error: String,
    /// How many milliseconds to wait before the next try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether the device survives the loss of its access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_logout: Option<bool>,
    /// What else the code brings, such as `resend` or `mxid`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ErrorBody {
    /// Makes a body with a code and a sentence.
    pub fn new(errcode: ErrorCode, error: impl Into<String>) -> Self {
        Self { errcode, error: error.into(), retry_after_ms: None, soft_logout: None, extra: Map::new() }
    }
}

/// Reads what a server sent: all but `errcode` may be missing or of the wrong type.
impl TryFrom<Map<String, Value>> for ErrorBody {
    type Error = &'static str;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, Self::Error> {
        let Some(Value::String(errcode)) = fields.remove("errcode") else {
            return Err("errcode is not a string");
        };
        let Ok(errcode) = errcode.parse();
        let error = match fields.remove("error") {
            Some(Value::String(error)) => error,
            Some(_) | None => String::new(),
        };
        let retry_after_ms = fields.remove("retry_after_ms").and_then(|value| value.as_u64());
        let soft_logout = fields.remove("soft_logout").and_then(|value| value.as_bool());
        Ok(Self { errcode, error, retry_after_ms, soft_logout, extra: fields })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_code_is_found_again_by_its_name() {
        for code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
        }
    }

    #[test]
    fn a_foreign_code_is_kept() {
        assert_eq!("ORG_EXAMPLE_X".parse(), Ok(ErrorCode::Other("ORG_EXAMPLE_X".to_owned())));
        assert_eq!(ErrorCode::Other("X".to_owned()).to_string(), "X");
    }

    #[test]
    fn a_body_is_written_without_absent_fields() {
        let mut body = ErrorBody::new(ErrorCode::SessionExpired, "Too late");
        body.extra.insert("resend".to_owned(), json!(true));
        let expected = json!({"errcode": "M_SESSION_EXPIRED", "error": "Too late", "resend": true});
        assert_eq!(serde_json::to_value(&body).unwrap(), expected);
        assert_eq!(serde_json::from_value::<ErrorBody>(expected).unwrap(), body);
    }

    #[test]
    fn a_body_needs_nothing_but_its_code() {
        let odd = json!({"errcode": "M_UNKNOWN", "error": 7, "retry_after_ms": "soon", "soft_logout": 1});
        let body: ErrorBody = serde_json::from_value(odd).unwrap();
        assert_eq!(body, ErrorBody::new(ErrorCode::Unknown, ""));
        assert!(serde_json::from_value::<ErrorBody>(json!({"error": "x"})).is_err());
    }
}

//! Validation sessions of the identity API: what a client hears when an address, a message or a token is refused.

use axum::http::StatusCode;
use countersign_api::error::ErrorCode;
use countersign_core::{
    InvalidClientSecret, InvalidEmailAddress, InvalidMsisdn, InvalidNextLink, InvalidToken, NotValidated,
};
use countersign_service::{GetValidatedError, RequestTokenError, SubmitTokenError};

use super::IdentityError;
use crate::http::answer::ErrorAnswer;

impl From<InvalidClientSecret> for IdentityError {
    fn from(error: InvalidClientSecret) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<InvalidEmailAddress> for IdentityError {
    fn from(error: InvalidEmailAddress) -> Self {
        Self::bad_request(ErrorCode::InvalidEmail, error.to_string())
    }
}

impl From<InvalidMsisdn> for IdentityError {
    fn from(error: InvalidMsisdn) -> Self {
        use InvalidMsisdn as E;
        let errcode = match error {
            E::MalformedCountry | E::UnknownCountry => ErrorCode::InvalidParam,
            E::InputTooLong | E::NotANumber | E::Extension | E::NotPossible | E::NotCanonical => {
                ErrorCode::InvalidAddress
            }
        };
        Self::bad_request(errcode, error.to_string())
    }
}

impl From<InvalidNextLink> for IdentityError {
    fn from(error: InvalidNextLink) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<InvalidToken> for IdentityError {
    fn from(error: InvalidToken) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<RequestTokenError> for IdentityError {
    fn from(error: RequestTokenError) -> Self {
        use RequestTokenError as E;
        match error {
            E::MediumNotSupported(_) => Self::bad_request(
                ErrorCode::Unrecognized,
                "This identity service does not send messages by this medium",
            ),
            E::DestinationDenied => Self::bad_request(
                ErrorCode::DestinationRejected,
                "This identity service does not send messages to phone numbers of this country",
            ),
            // Whose the address is does not matter here, so that neither happens.
            E::InUse => Self::bad_request(ErrorCode::ThreepidInUse, "This address is on an account already"),
            E::NotFound => Self::bad_request(ErrorCode::ThreepidNotFound, "This address is on no account"),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<SubmitTokenError> for IdentityError {
    fn from(error: SubmitTokenError) -> Self {
        Self(error.into())
    }
}

impl From<NotValidated> for IdentityError {
    fn from(error: NotValidated) -> Self {
        use NotValidated as E;
        match error {
            E::NoSession => Self::new(
                StatusCode::NOT_FOUND,
                ErrorCode::NoValidSession,
                "There is no such session, or the client secret is wrong",
            ),
            E::Expired => Self::bad_request(
                ErrorCode::SessionExpired,
                "The validation session has expired or was ended: ask for a new token",
            ),
            E::NotYet => Self::bad_request(
                ErrorCode::SessionNotValidated,
                "The address of this session has not been validated yet",
            ),
        }
    }
}

impl From<GetValidatedError> for IdentityError {
    fn from(error: GetValidatedError) -> Self {
        use GetValidatedError as E;
        match error {
            E::NotValidated(why) => why.into(),
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            E::Address(_) => Self(ErrorAnswer::internal(&error)),
            E::Storage(cause) => cause.into(),
        }
    }
}

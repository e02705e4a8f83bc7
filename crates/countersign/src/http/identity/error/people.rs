//! Lookups, associations and invitations: what a client hears when they fail.

use axum::http::StatusCode;
use countersign_api::error::ErrorCode;
use countersign_core::{InvalidUserId, InvalidXMatrix, NotValidated};
use countersign_service::{BindError, LookupError, SignError, StoreInviteError, UnbindError};

use super::IdentityError;
use crate::http::answer::ErrorAnswer;

impl From<InvalidUserId> for IdentityError {
    fn from(error: InvalidUserId) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<InvalidXMatrix> for IdentityError {
    fn from(error: InvalidXMatrix) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, error.to_string())
    }
}

impl IdentityError {
    /// 401 for an unbind that nothing proves.
    pub(in crate::http::identity) fn unproven_unbind() -> Self {
        let error = "The request needs the signature of a homeserver, or sid and client_secret";
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, error)
    }

    /// Why a session does not prove that an association may be taken back, always with the status of a refusal.
    fn of_unproven_unbind(error: NotValidated) -> Self {
        let (errcode, error) = match error {
            NotValidated::NoSession => {
                (ErrorCode::NoValidSession, "There is no such session, or the client secret is wrong")
            }
            NotValidated::Expired => {
                (ErrorCode::SessionExpired, "The validation session has expired or was ended")
            }
            NotValidated::NotYet => {
                (ErrorCode::SessionNotValidated, "The address of this session has not been validated yet")
            }
        };
        Self::new(StatusCode::FORBIDDEN, errcode, error)
    }
}

impl From<LookupError> for IdentityError {
    fn from(error: LookupError) -> Self {
        use LookupError as E;
        match error {
            E::Algorithm => Self::invalid_param("This algorithm is not on offer: see hash_details"),
            E::Pepper { algorithm, current } => {
                let error = "The pepper is not the current one: hash anew with lookup_pepper";
                let answer = ErrorAnswer::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidPepper, error)
                    .with_extra("algorithm", algorithm.as_str().into())
                    .with_extra("lookup_pepper", current.as_str().into());
                Self(answer)
            }
            E::TooMany(most) => {
                let error = format!("At most {most} addresses can be looked up at once");
                Self::bad_request(ErrorCode::TooLarge, error)
            }
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<BindError> for IdentityError {
    fn from(error: BindError) -> Self {
        use BindError as E;
        match error {
            E::Forbidden => Self::forbidden("Users bind addresses to themselves only"),
            E::NotValidated(why) => why.into(),
            E::Address(_) => Self(ErrorAnswer::internal(&error)),
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            E::PeppersChanged => Self(ErrorAnswer::unavailable("The server is busy: try again in a moment")),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<UnbindError> for IdentityError {
    fn from(error: UnbindError) -> Self {
        use UnbindError as E;
        match error {
            E::NotValidated(why) => Self::of_unproven_unbind(why),
            E::OtherAddress => Self::forbidden("The session proves another address"),
            E::OtherServer => Self::forbidden("The user is not of the homeserver that signed the request"),
            E::OtherDestination => {
                let error = "The request is for another server";
                Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, error)
            }
            E::Signature => Self::forbidden("Invalid homeserver signature"),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<StoreInviteError> for IdentityError {
    fn from(error: StoreInviteError) -> Self {
        use StoreInviteError as E;
        match error {
            E::MediumNotSupported => {
                Self::bad_request(ErrorCode::Unrecognized, "This identity service sends no mail")
            }
            E::Forbidden => Self::forbidden("Users invite in their own names only"),
            E::InUse(user_id) => {
                let error = "This address is bound to a user, who can be invited directly";
                let answer = ErrorAnswer::new(StatusCode::BAD_REQUEST, ErrorCode::ThreepidInUse, error);
                Self(answer.with_extra("mxid", user_id.as_str().into()))
            }
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<SignError> for IdentityError {
    fn from(error: SignError) -> Self {
        use SignError as E;
        match error {
            E::UnknownToken => Self::new(
                StatusCode::NOT_FOUND,
                ErrorCode::Unrecognized,
                "There is no invitation with this token",
            ),
            E::PrivateKey(_) => Self::invalid_param("private_key must be the base64 of 32 bytes"),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}

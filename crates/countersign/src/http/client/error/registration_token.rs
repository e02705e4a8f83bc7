//! Registration tokens: what a client hears when nothing can be said of one.

use countersign_service::RegistrationTokensError;

use super::ClientError;
use crate::http::answer::ErrorAnswer;

impl From<RegistrationTokensError> for ClientError {
    fn from(error: RegistrationTokensError) -> Self {
        use RegistrationTokensError as E;
        match error {
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Exists | E::Sealed(_) => Self(ErrorAnswer::internal(&error)),
            E::Storage(cause) => cause.into(),
        }
    }
}

//! Registration tokens: whether one lets its holder register.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::{BodyError, FromObject, Object};

/// `GET`, under `/client/v1`: tells whether a registration token is good. The query is [`ValidityQuery`].
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity)
pub const VALIDITY: &str = "/register/m.login.registration_token/validity";

/// The query of [`VALIDITY`].
#[derive(Clone, PartialEq, Eq)]
pub struct ValidityQuery {
    /// The token.
    pub token: String,
}

impl fmt::Debug for ValidityQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidityQuery").finish_non_exhaustive()
    }
}

impl FromObject for ValidityQuery {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self { token: object.required_string("token")? })
    }
}

/// The answer of [`VALIDITY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidityResponse {
    /// False for a token that is unknown, ill-formed, expired or used up.
    pub valid: bool,
}

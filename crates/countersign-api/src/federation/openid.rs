//! `/federation/v1/openid/userinfo`: whom an OpenID token stands for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::{BodyError, FromObject, Object};

/// `GET`. The query is [`UserinfoQuery`].
///
/// [Spec](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo)
pub const USERINFO: &str = "/federation/v1/openid/userinfo";

/// The query of [`USERINFO`].
#[derive(Clone, PartialEq, Eq)]
pub struct UserinfoQuery {
    /// The token. One that is missing has its own error.
    pub access_token: Option<String>,
}

impl fmt::Debug for UserinfoQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserinfoQuery").finish_non_exhaustive()
    }
}

impl FromObject for UserinfoQuery {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self { access_token: object.optional_string("access_token")? })
    }
}

/// The answer of [`USERINFO`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserinfoResponse {
    /// The user.
    pub sub: String,
}

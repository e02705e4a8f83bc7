//! `/identity/v2/terms`: the policies of the identity service, and their acceptance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    object::{BodyError, FromObject, Object},
    uia::Policy,
};

/// `GET`: the policies. `POST`, with an access token: accepts some of them.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#terms-of-service)
pub const TERMS: &str = "/identity/v2/terms";

/// The answer of `GET` [`TERMS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsResponse {
    /// The policies, by id; maybe none.
    pub policies: BTreeMap<String, Policy>,
}

/// The body of `POST` [`TERMS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AcceptTermsRequest {
    /// The URLs that the user has accepted, each in one language. They add to what was accepted before.
    pub user_accepts: Vec<String>,
}

impl FromObject for AcceptTermsRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self { user_accepts: object.required_string_list("user_accepts")? })
    }
}

//! `/identity/v2/lookup`: finding users by the hashes of their addresses.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::object::{BodyError, FromObject, Object};

/// `GET`, with an access token: how addresses are to be hashed.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2hash_details)
pub const HASH_DETAILS: &str = "/identity/v2/hash_details";

/// `POST`, with an access token: finds users.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2lookup)
pub const LOOKUP: &str = "/identity/v2/lookup";

/// The algorithm that every service knows: each entry of `addresses` is the url-safe unpadded base64 of SHA-256 over
/// address, medium and pepper, with a space between two.
pub const SHA256: &str = "sha256";

/// The algorithm that hides nothing: each entry of `addresses` is address and medium with a space between.
pub const NONE: &str = "none";

/// The answer of [`HASH_DETAILS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashDetailsResponse {
    /// The pepper. It changes now and then.
    pub lookup_pepper: String,
    /// The algorithms, [`SHA256`] among them.
    pub algorithms: Vec<String>,
}

/// The body of [`LOOKUP`].
#[derive(Clone, Serialize)]
pub struct LookupRequest {
    /// One of [`HashDetailsResponse::algorithms`].
    pub algorithm: String,
    /// [`HashDetailsResponse::lookup_pepper`], for every algorithm.
    pub pepper: String,
    /// The addresses, hashed. There may be thousands.
    pub addresses: Vec<String>,
}

impl fmt::Debug for LookupRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupRequest")
            .field("algorithm", &self.algorithm)
            .field("addresses", &self.addresses.len())
            .finish_non_exhaustive()
    }
}

impl FromObject for LookupRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            algorithm: object.required_string("algorithm")?,
            pepper: object.required_string("pepper")?,
            addresses: object.required_string_list("addresses")?,
        })
    }
}

/// The answer of [`LOOKUP`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupResponse {
    /// The users, each under the entry of [`LookupRequest::addresses`] that stands for them. The others are left out.
    pub mappings: BTreeMap<String, String>,
}

impl fmt::Debug for LookupResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupResponse").field("mappings", &self.mappings.len()).finish()
    }
}

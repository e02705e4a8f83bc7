//! `/identity/v2/lookup`: finding users by the hashes of their addresses.

use std::{borrow::Cow, collections::BTreeMap, fmt};

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
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct LookupRequest<'a> {
    /// One of [`HashDetailsResponse::algorithms`].
    pub algorithm: Cow<'a, str>,
    /// [`HashDetailsResponse::lookup_pepper`], for every algorithm.
    pub pepper: Cow<'a, str>,
    /// The addresses, hashed. There may be thousands.
    pub addresses: Vec<Cow<'a, str>>,
}

impl<'a> LookupRequest<'a> {
    /// Reads a body as [`Object::read`] does, and much faster if it is written as it should be: its text stays where it is.
    ///
    /// # Errors
    /// Those of [`Object::read`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, BodyError> {
        match Written::read(bytes) {
            Some(Written { algorithm, pepper, addresses }) => Ok(Self {
                algorithm: algorithm.0,
                pepper: pepper.0,
                addresses: addresses.into_iter().map(|Text(text)| text).collect(),
            }),
            None => Object::read(bytes),
        }
    }
}

/// A body with nothing wrong and nothing else in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(borrow)]
    algorithm: Text<'a>,
    #[serde(borrow)]
    pepper: Text<'a>,
    #[serde(borrow)]
    addresses: Vec<Text<'a>>,
}

impl<'a> Written<'a> {
    /// `None` may mean anything.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        // A list of the three values would do for a struct.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let written: Self = serde_json::from_slice(bytes).ok()?;
        let texts = [&written.algorithm, &written.pepper].into_iter().chain(&written.addresses);
        let has_null = texts.map(|Text(text)| text).any(|text| text.contains('\0'));
        (!has_null).then_some(written)
    }
}

/// Text that stays where it is unless it has escapes. A [`Cow`] in a list would be a copy.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl fmt::Debug for LookupRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupRequest")
            .field("algorithm", &self.algorithm)
            .field("addresses", &self.addresses.len())
            .finish_non_exhaustive()
    }
}

impl FromObject for LookupRequest<'_> {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            algorithm: object.required_string("algorithm")?.into(),
            pepper: object.required_string("pepper")?.into(),
            addresses: object.required_string_list("addresses")?.into_iter().map(Cow::from).collect(),
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

//! The policies that a user accepts while registering.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

/// What [`TERMS`](super::TERMS) needs to know: `params["m.login.terms"]`.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsParams {
    /// The policies to accept, by id.
    pub policies: BTreeMap<String, Policy>,
}

/// A policy in its languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// The version that is accepted.
    pub version: String,
    /// Where it stands, by language.
    #[serde(flatten)]
    pub links: BTreeMap<String, PolicyLink>,
}

/// Reads what a server sent: keys beside `version` that are no links are left out.
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let Some(Value::String(version)) = fields.remove("version") else {
            return Err(D::Error::custom("version is not a string"));
        };
        let link = |(language, value)| Some((language, serde_json::from_value(value).ok()?));
        Ok(Self { version, links: fields.into_iter().filter_map(link).collect() })
    }
}

/// A policy in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLink {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub url: String,
}

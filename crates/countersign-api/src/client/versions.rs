//! `/client/versions`: which versions of the specification a server speaks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `GET`. The only path that follows the prefix (`/_matrix`, `/_api`) itself.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions)
pub const VERSIONS: &str = "/client/versions";

/// The answer of [`VERSIONS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionsResponse {
    /// The versions, such as `r0.6.1` and `v1.19`.
    pub versions: Vec<String>,
    /// Features beyond the versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unstable_features: BTreeMap<String, bool>,
}

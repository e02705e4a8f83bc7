//! `/identity/versions` and `/identity/v2`: whether there is an identity service, and what it speaks.

use serde::{Deserialize, Serialize};

/// `GET`: the versions of the specification that the service speaks.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityversions)
pub const VERSIONS: &str = "/identity/versions";

/// `GET`: answers `{}` where there is an identity service.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2)
pub const STATUS: &str = "/identity/v2";

/// The answer of [`VERSIONS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionsResponse {
    /// The versions, such as `r0.3.0` and `v1.19`.
    pub versions: Vec<String>,
}

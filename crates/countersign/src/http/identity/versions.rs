//! `/identity/v2` and `/identity/versions`: whether there is an identity service, and what it speaks.

use axum::Json;
use countersign_api::identity::versions::VersionsResponse;
use serde_json::{Value, json};

/// The last minor version of the specification that the identity service speaks: `v1.…`.
const LAST_MINOR: u32 = 19;

/// `GET /identity/v2` ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2))
pub(in crate::http) async fn get_status() -> Json<Value> {
    Json(json!({}))
}

/// `GET /identity/versions` ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityversions))
///
/// Those that have version 2 of the API: r0.3.0 was the first.
pub(in crate::http) async fn get_versions() -> Json<VersionsResponse> {
    let since = (1..=LAST_MINOR).map(|minor| format!("v1.{minor}"));
    Json(VersionsResponse { versions: std::iter::once("r0.3.0".to_owned()).chain(since).collect() })
}

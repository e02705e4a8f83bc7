//! `/client/versions`.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, header},
};
use countersign_api::client::versions::VersionsResponse;

/// The specification versions whose account management this server speaks.
const VERSIONS: [&str; 20] = [
    "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11",
    "v1.12", "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
];

/// Features by which older clients tell that validation needs no identity server.
const FEATURES: [(&str, bool); 3] =
    [("m.separate_add_and_bind", true), ("m.require_identity_server", false), ("m.id_access_token", true)];

/// `GET /client/versions` ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions))
pub(in crate::http) async fn get_versions() -> ([(HeaderName, HeaderValue); 1], Json<VersionsResponse>) {
    let answer = VersionsResponse {
        versions: VERSIONS.map(str::to_owned).into(),
        unstable_features: FEATURES.map(|(name, on)| (name.to_owned(), on)).into(),
    };
    ([(header::VARY, HeaderValue::from_static("Authorization"))], Json(answer))
}

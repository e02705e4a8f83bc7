//! `/client/versions`.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, header},
};
use countersign_api::client::versions::VersionsResponse;

use crate::http::AppState;

/// Features by which older clients tell that validation needs no identity server.
const FEATURES: [(&str, bool); 3] =
    [("m.separate_add_and_bind", true), ("m.require_identity_server", false), ("m.id_access_token", true)];

/// `GET /client/versions` ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions))
pub(in crate::http) async fn get_versions(
    State(state): State<AppState>,
) -> ([(HeaderName, HeaderValue); 1], Json<VersionsResponse>) {
    let answer = VersionsResponse {
        versions: state.settings().spec_versions.clone(),
        unstable_features: FEATURES.map(|(name, on)| (name.to_owned(), on)).into(),
    };
    ([(header::VARY, HeaderValue::from_static("Authorization"))], Json(answer))
}

//! `/key/v2/server`: the keys that this server signs with.

use axum::{Json, extract::State};
use countersign_service::Signing;
use serde_json::{Map, Value};

/// `GET /key/v2/server`
/// ([spec](https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server))
///
/// The answer is a signed object, so it is sent exactly as it was signed.
pub(in crate::http) async fn get_server_keys(State(signing): State<Signing>) -> Json<Map<String, Value>> {
    Json(signing.server_keys().await)
}

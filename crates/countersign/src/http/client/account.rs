//! `/account/whoami`.

use axum::{Json, extract::State};
use countersign_api::client::account::WhoamiResponse;
use countersign_service::Accounts;

use super::Authenticated;

/// `GET /account/whoami`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami))
pub(in crate::http) async fn whoami(
    State(accounts): State<Accounts>,
    Authenticated(caller): Authenticated,
) -> Json<WhoamiResponse> {
    Json(WhoamiResponse {
        user_id: accounts.user_id(&caller.localpart).to_string(),
        device_id: caller.device_id.map(|device_id| device_id.as_str().to_owned()),
        is_guest: Some(false),
    })
}

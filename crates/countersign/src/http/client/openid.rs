//! `/user/{user_id}/openid/request_token`.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use countersign_api::{
    client::openid::{BEARER, OpenIdTokenResponse},
    object::Object,
};
use countersign_service::{Accounts, OpenIds};

use super::{Authenticated, ClientError, MatrixJson};

/// `POST /user/{user_id}/openid/request_token`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridopenidrequest_token))
pub(in crate::http) async fn request_openid_token(
    State(accounts): State<Accounts>,
    State(openids): State<OpenIds>,
    Authenticated(caller): Authenticated,
    user_id: Result<Path<String>, PathRejection>,
    MatrixJson(_): MatrixJson<Object>,
) -> Result<Json<OpenIdTokenResponse>, ClientError> {
    let Path(user_id) = user_id.map_err(|_| ClientError::invalid_param("The user id is not UTF-8"))?;
    if user_id != accounts.user_id(&caller.localpart).to_string() {
        return Err(ClientError::forbidden("This is another user's id"));
    }
    let issued = openids.issue(&caller).await?;
    Ok(Json(OpenIdTokenResponse {
        access_token: issued.token.to_string(),
        token_type: BEARER.to_owned(),
        matrix_server_name: issued.server_name.to_string(),
        expires_in: issued.expires_in.as_secs(),
    }))
}

//! `/federation/v1/openid/userinfo`: whom an OpenID token proves.

use axum::{Json, extract::State, http::StatusCode};
use countersign_api::{
    error::ErrorCode,
    federation::openid::{UserinfoQuery, UserinfoResponse},
};
use countersign_service::OpenIds;

use crate::http::client::{ClientError, MatrixQuery};

/// `GET /federation/v1/openid/userinfo`
/// ([spec](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo))
pub(in crate::http) async fn userinfo(
    State(openids): State<OpenIds>,
    MatrixQuery(query): MatrixQuery<UserinfoQuery>,
) -> Result<Json<UserinfoResponse>, ClientError> {
    let token = query.access_token.ok_or_else(ClientError::missing_token)?;
    let user_id = openids.find_user(&token).await?.ok_or_else(|| {
        let error = "The OpenID token is unknown or has expired";
        ClientError::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, error)
    })?;
    Ok(Json(UserinfoResponse { sub: user_id.to_string() }))
}

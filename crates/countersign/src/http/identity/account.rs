//! `/identity/v2/account`: access tokens of the identity API.

use axum::{Json, extract::State};
use countersign_api::identity::account::{AccountResponse, RegisterRequest, RegisterResponse};
use countersign_core::ServerName;
use countersign_service::{IdentityAccounts, OpenIdProof};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{IdentityAuthenticated, IdentityError, IdentityJson, IdentityObject, IdentityToken};
use crate::http::extract::AnonymousContext;

/// `POST /identity/v2/account/register`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2accountregister))
pub(in crate::http) async fn register(
    State(accounts): State<IdentityAccounts>,
    AnonymousContext(context): AnonymousContext,
    IdentityJson(body): IdentityJson<RegisterRequest>,
) -> Result<Json<RegisterResponse>, IdentityError> {
    let proof = OpenIdProof {
        network: context.network,
        server_name: ServerName::parse(&body.matrix_server_name)?,
        token: Zeroizing::new(body.access_token),
    };
    let token = accounts.register(proof).await?;
    Ok(Json(RegisterResponse { token: token.to_string() }))
}

/// `GET /identity/v2/account`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2account))
pub(in crate::http) async fn get_account(
    IdentityAuthenticated(user_id): IdentityAuthenticated,
) -> Json<AccountResponse> {
    Json(AccountResponse { user_id: user_id.to_string() })
}

/// `POST /identity/v2/account/logout`. Terms stand before it no more than before accepting them.
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2accountlogout))
pub(in crate::http) async fn log_out(
    State(accounts): State<IdentityAccounts>,
    IdentityToken(token): IdentityToken,
    IdentityObject: IdentityObject,
) -> Result<Json<Value>, IdentityError> {
    accounts.log_out(&token).await.map_err(IdentityError::of_log_out)?;
    Ok(Json(json!({})))
}

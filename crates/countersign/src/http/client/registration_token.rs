//! `/register/m.login.registration_token/validity`: whether a token lets its holder register.

use axum::{Json, extract::State};
use countersign_api::client::registration_token::{ValidityQuery, ValidityResponse};
use countersign_service::RegistrationTokens;

use super::{ClientError, MatrixQuery};
use crate::http::{AppState, extract::Context};

/// `GET /register/m.login.registration_token/validity`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity))
pub(in crate::http) async fn check_validity(
    State(state): State<AppState>,
    State(tokens): State<RegistrationTokens>,
    Context(context): Context,
    MatrixQuery(query): MatrixQuery<ValidityQuery>,
) -> Result<Json<ValidityResponse>, ClientError> {
    super::register::require_open(&state)?;
    let valid = tokens.is_valid(&query.token, context.network).await?;
    Ok(Json(ValidityResponse { valid }))
}

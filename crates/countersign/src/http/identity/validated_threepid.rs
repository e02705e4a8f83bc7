//! `/identity/v2/3pid/getValidated3pid`: what a session has proven.

use axum::{Json, extract::State};
use countersign_api::identity::validated_threepid::{ValidatedThreepidQuery, ValidatedThreepidResponse};
use countersign_core::{ClientSecret, SessionId};
use countersign_service::Verifier;

use super::{IdentityAuthenticated, IdentityError, IdentityQuery};

/// `GET /identity/v2/3pid/getValidated3pid`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv23pidgetvalidated3pid))
pub(in crate::http) async fn get_validated_3pid(
    State(verifier): State<Verifier>,
    IdentityAuthenticated(_): IdentityAuthenticated,
    IdentityQuery(query): IdentityQuery<ValidatedThreepidQuery>,
) -> Result<Json<ValidatedThreepidResponse>, IdentityError> {
    get_validated(&verifier, &query).await
}

pub(super) async fn get_validated(
    verifier: &Verifier,
    query: &ValidatedThreepidQuery,
) -> Result<Json<ValidatedThreepidResponse>, IdentityError> {
    let client_secret = ClientSecret::parse(&query.client_secret)?;
    let validated = verifier.get_validated(SessionId::parse(&query.sid), &client_secret).await?;
    Ok(Json(ValidatedThreepidResponse {
        medium: validated.threepid.medium().to_string(),
        address: validated.threepid.address().to_owned(),
        validated_at: validated.validated_at.as_millis(),
    }))
}

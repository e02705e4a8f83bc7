//! `/identity/v2/terms`: the policies of the identity service, and their acceptance.

use axum::{Json, extract::State};
use countersign_api::identity::terms::{AcceptTermsRequest, TermsResponse};
use countersign_service::IdentityAccounts;
use serde_json::{Value, json};

use super::{IdentityAuthenticatedBeforeTerms, IdentityError, IdentityJson};
use crate::http::AppState;

/// `GET /identity/v2/terms`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2terms))
pub(in crate::http) async fn get_terms(State(state): State<AppState>) -> Json<TermsResponse> {
    Json(state.settings().identity.terms.clone())
}

/// `POST /identity/v2/terms`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2terms))
pub(in crate::http) async fn accept_terms(
    State(accounts): State<IdentityAccounts>,
    IdentityAuthenticatedBeforeTerms(user_id): IdentityAuthenticatedBeforeTerms,
    IdentityJson(body): IdentityJson<AcceptTermsRequest>,
) -> Result<Json<Value>, IdentityError> {
    accounts.accept_terms(&user_id, &body.user_accepts).await?;
    Ok(Json(json!({})))
}

//! `/identity/v2/lookup`: finding users by the hashes of their addresses.

use axum::{Json, extract::State};
use countersign_api::identity::lookup::{HashDetailsResponse, LookupRequest, LookupResponse};
use countersign_service::{self as service, Lookup};

use super::{IdentityAuthenticated, IdentityError, LookupBody};

/// `GET /identity/v2/hash_details`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2hash_details))
pub(in crate::http) async fn get_hash_details(
    State(lookup): State<Lookup>,
    IdentityAuthenticated(_): IdentityAuthenticated,
) -> Result<Json<HashDetailsResponse>, IdentityError> {
    let details = lookup.hash_details().await?;
    Ok(Json(HashDetailsResponse {
        lookup_pepper: details.pepper.as_str().to_owned(),
        algorithms: details.algorithms.iter().map(|algorithm| algorithm.as_str().to_owned()).collect(),
    }))
}

/// `POST /identity/v2/lookup`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2lookup))
pub(in crate::http) async fn look_up(
    State(lookup): State<Lookup>,
    IdentityAuthenticated(caller): IdentityAuthenticated,
    LookupBody(body): LookupBody,
) -> Result<Json<LookupResponse>, IdentityError> {
    let LookupRequest { algorithm, pepper, addresses } = &LookupRequest::read(&body)?;
    let addresses = addresses.iter().map(AsRef::as_ref).collect();
    let found = lookup.lookup(&caller, service::LookupRequest { algorithm, pepper, addresses }).await?;
    let mappings = found.into_iter().map(|(name, user_id)| (name.to_owned(), user_id.to_string())).collect();
    Ok(Json(LookupResponse { mappings }))
}

//! `/identity/v2/pubkey`: the keys that the identity service signs with, and those of invitations.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use countersign_api::{
    error::ErrorCode,
    identity::pubkey::{IsValidQuery, IsValidResponse, PubkeyResponse},
};
use countersign_service::{Invitations, Signing};

use super::{IdentityError, IdentityQuery};

/// `GET /identity/v2/pubkey/{keyId}`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeykeyid))
pub(in crate::http) async fn get_pubkey(
    State(signing): State<Signing>,
    key_id: Result<Path<String>, PathRejection>,
) -> Result<Json<PubkeyResponse>, IdentityError> {
    let key = match key_id {
        Ok(Path(key_id)) => signing.find_key(&key_id).await?,
        // What is not UTF-8 names no key.
        Err(_) => None,
    };
    let key = key.ok_or_else(|| {
        IdentityError::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "There is no such key")
    })?;
    Ok(Json(PubkeyResponse { public_key: key.to_base64() }))
}

/// `GET /identity/v2/pubkey/isvalid`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyisvalid))
pub(in crate::http) async fn is_valid(
    State(signing): State<Signing>,
    IdentityQuery(query): IdentityQuery<IsValidQuery>,
) -> Result<Json<IsValidResponse>, IdentityError> {
    Ok(Json(IsValidResponse { valid: signing.is_valid(&query.public_key).await? }))
}

/// `GET /identity/v2/pubkey/ephemeral/isvalid`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyephemeralisvalid))
pub(in crate::http) async fn is_ephemeral_valid(
    State(invitations): State<Invitations>,
    IdentityQuery(query): IdentityQuery<IsValidQuery>,
) -> Result<Json<IsValidResponse>, IdentityError> {
    Ok(Json(IsValidResponse { valid: invitations.is_ephemeral_key(&query.public_key).await? }))
}

//! `/identity/v2/sign-ed25519`: signing for who has an invitation, with the key that came with it.

use axum::{Json, extract::State};
use countersign_api::identity::sign_ed25519::SignRequest;
use countersign_core::UserId;
use countersign_service::{Invitations, SignWish};
use serde_json::{Map, Value};

use super::{IdentityAuthenticated, IdentityError, IdentityJson};

/// `POST /identity/v2/sign-ed25519`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2sign-ed25519))
///
/// The answer is a signed object, so it is sent exactly as it was signed.
pub(in crate::http) async fn sign(
    State(invitations): State<Invitations>,
    IdentityAuthenticated(_): IdentityAuthenticated,
    IdentityJson(body): IdentityJson<SignRequest>,
) -> Result<Json<Map<String, Value>>, IdentityError> {
    let user_id = UserId::parse(&body.mxid)?;
    let wish = SignWish { user_id, token: body.token, private_key: body.private_key };
    Ok(Json(invitations.sign(&wish).await?))
}

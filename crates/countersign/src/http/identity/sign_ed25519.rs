//! `/identity/v2/sign-ed25519`, and version 1's: signing for who has an invitation, with the key that came with it.

use axum::{Json, extract::State};
use countersign_api::identity::sign_ed25519::SignRequest;
use countersign_core::UserId;
use countersign_service::{Invitations, SignWish};
use serde_json::{Map, Value};

use super::{IdentityAuthenticated, IdentityError, IdentityJson, v1::QueryOrBody};
use crate::http::extract::AnonymousContext;

/// `POST /identity/v2/sign-ed25519`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2sign-ed25519))
///
/// The answer is a signed object, so it is sent exactly as it was signed.
pub(in crate::http) async fn sign(
    State(invitations): State<Invitations>,
    IdentityAuthenticated(_): IdentityAuthenticated,
    IdentityJson(body): IdentityJson<SignRequest>,
) -> Result<Json<Map<String, Value>>, IdentityError> {
    Ok(Json(invitations.sign(&wish(body)?).await?))
}

/// `POST /identity/api/v1/sign-ed25519`
///
/// What the link in an invitation's mail leads to. Apps add `mxid` to its query and send neither an access token nor a body
/// (matrix-js-sdk does so), which version 2 refuses. The token and the key in the link are proof enough, so this is the one
/// route of version 1 on the main listener.
pub(in crate::http) async fn sign_by_link(
    State(invitations): State<Invitations>,
    AnonymousContext(context): AnonymousContext,
    QueryOrBody(body): QueryOrBody<SignRequest>,
) -> Result<Json<Map<String, Value>>, IdentityError> {
    Ok(Json(invitations.sign_by_link(&wish(body)?, context.network).await?))
}

fn wish(body: SignRequest) -> Result<SignWish, IdentityError> {
    let user_id = UserId::parse(&body.mxid)?;
    Ok(SignWish { user_id, token: body.token, private_key: body.private_key })
}

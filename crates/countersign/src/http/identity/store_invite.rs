//! `/identity/v2/store-invite`: inviting the owner of an address that is bound to nobody yet.

use axum::{Json, extract::State};
use countersign_api::{
    error::ErrorCode,
    identity::store_invite::{InvitePublicKey, StoreInviteRequest, StoreInviteResponse},
};
use countersign_core::{EmailAddress, Medium, UserId};
use countersign_service::{InvitationWish, Invitations, InvitedRoom};

use super::{IdentityAuthenticated, IdentityError, IdentityJson};
use crate::http::extract::AnonymousContext;

/// `POST /identity/v2/store-invite`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2store-invite))
///
/// `public_key` is beside what the specification has: version 1 of the API had it, and homeservers read it still.
pub(in crate::http) async fn store_invite(
    State(invitations): State<Invitations>,
    IdentityAuthenticated(caller): IdentityAuthenticated,
    AnonymousContext(context): AnonymousContext,
    IdentityJson(body): IdentityJson<StoreInviteRequest>,
) -> Result<Json<StoreInviteResponse>, IdentityError> {
    if body.medium != Medium::Email.as_str() {
        let error = "Only owners of e-mail addresses can be invited";
        return Err(IdentityError::bad_request(ErrorCode::Unrecognized, error));
    }
    check_room(&body)?;
    let wish = InvitationWish {
        context,
        address: EmailAddress::parse(&body.address)?,
        sender: UserId::parse(&body.sender)?,
        room: InvitedRoom {
            id: body.room_id,
            alias: body.room_alias,
            avatar_url: body.room_avatar_url,
            join_rules: body.room_join_rules,
            name: body.room_name,
            kind: body.room_type,
        },
        sender_display_name: body.sender_display_name,
        sender_avatar_url: body.sender_avatar_url,
    };
    let stored = invitations.store_invite(&caller, wish).await?;
    let long_term_key = stored.long_term_key.to_base64();
    Ok(Json(StoreInviteResponse {
        token: stored.token,
        public_keys: vec![
            InvitePublicKey { public_key: long_term_key.clone(), key_validity_url: stored.long_term_key_url },
            InvitePublicKey { public_key: stored.ephemeral_key, key_validity_url: stored.ephemeral_key_url },
        ],
        display_name: stored.display_name,
        public_key: Some(long_term_key),
    }))
}

fn check_room(body: &StoreInviteRequest) -> Result<(), IdentityError> {
    if !body.room_id.starts_with('!') {
        return Err(IdentityError::invalid_param("room_id must begin with !"));
    }
    if body.room_alias.as_ref().is_some_and(|alias| !alias.starts_with('#')) {
        return Err(IdentityError::invalid_param("room_alias must begin with #"));
    }
    Ok(())
}

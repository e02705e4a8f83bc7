//! `/identity/v2/store-invite`.

use countersign_api::identity::store_invite::{STORE_INVITE, StoreInviteRequest, StoreInviteResponse};
use reqwest::Method;

use super::IdentityClient;
use crate::{connection::send_json, error::Error};

impl IdentityClient {
    /// `POST /identity/v2/store-invite`: invites an address to a room, by mail. Needs an access token of the sender.
    ///
    /// `M_THREEPID_IN_USE` says that the address is bound; the user's id is `mxid` in [`Error::body`].
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2store-invite)
    pub async fn store_invite(&self, request: &StoreInviteRequest) -> Result<StoreInviteResponse, Error> {
        send_json(self.connection.authenticated(Method::POST, STORE_INVITE), request).await
    }
}

//! `/identity/v2/sign-ed25519`.

use countersign_api::identity::sign_ed25519::{SIGN_ED25519, SignRequest, SignResponse};
use reqwest::Method;

use super::IdentityClient;
use crate::{connection::send_json, error::Error};

impl IdentityClient {
    /// `POST /identity/v2/sign-ed25519`: signs, with the key from an invitation's mail, that the user has the invitation.
    /// Needs an access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2sign-ed25519)
    pub async fn sign_ed25519(&self, request: &SignRequest) -> Result<SignResponse, Error> {
        send_json(self.connection.authenticated(Method::POST, SIGN_ED25519), request).await
    }
}

//! `/identity/v2/account`.

use countersign_api::{
    client::Empty,
    identity::account::{ACCOUNT, AccountResponse, LOGOUT, REGISTER, RegisterRequest, RegisterResponse},
};
use reqwest::Method;

use super::IdentityClient;
use crate::{
    connection::{send, send_json},
    error::Error,
};

impl IdentityClient {
    /// `POST /identity/v2/account/register`: an access token for an OpenID token, which
    /// [`Client::request_openid_token`](crate::Client::request_openid_token) gets from the user's node.
    ///
    /// No access token is needed, and none is sent.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2accountregister)
    pub async fn register(&self, request: &RegisterRequest) -> Result<RegisterResponse, Error> {
        send_json(self.connection.anonymous(Method::POST, REGISTER), request).await
    }

    /// `GET /identity/v2/account`: who owns the access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2account)
    pub async fn get_account(&self) -> Result<AccountResponse, Error> {
        send(self.connection.authenticated(Method::GET, ACCOUNT)).await
    }

    /// `POST /identity/v2/account/logout`: ends the access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2accountlogout)
    pub async fn logout(&self) -> Result<(), Error> {
        let Empty {} = send_json(self.connection.authenticated(Method::POST, LOGOUT), &Empty {}).await?;
        Ok(())
    }
}

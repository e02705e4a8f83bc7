//! `/account/whoami`.

use countersign_api::client::account::{WHOAMI, WhoamiResponse};
use reqwest::Method;

use super::{Client, send};
use crate::error::Error;

impl Client {
    /// `GET /client/v3/account/whoami`: who owns the access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami)
    pub async fn get_token_owner(&self) -> Result<WhoamiResponse, Error> {
        send(self.authenticated(Method::GET, WHOAMI)).await
    }
}

//! `/login`.

use countersign_api::client::login::{LOGIN, LoginFlowsResponse, LoginRequest, LoginResponse};
use reqwest::Method;

use super::{Client, send, send_json};
use crate::error::Error;

impl Client {
    /// `GET /client/v3/login`: the ways to log in.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login)
    pub async fn get_login_flows(&self) -> Result<LoginFlowsResponse, Error> {
        send(self.anonymous(Method::GET, LOGIN)).await
    }

    /// `POST /client/v3/login`: logs in. [`Client::with_access_token`] makes use of the answer.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login)
    pub async fn login(&self, request: &LoginRequest) -> Result<LoginResponse, Error> {
        send_json(self.anonymous(Method::POST, LOGIN), request).await
    }
}

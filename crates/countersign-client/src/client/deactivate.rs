//! `/account/deactivate`.

use countersign_api::client::deactivate::{DEACTIVATE, DeactivateRequest, DeactivateResponse};
use reqwest::Method;

use super::{Client, send_json};
use crate::{
    error::Error,
    flows::{Credentials, walk},
};

impl Client {
    /// `POST /client/v3/account/deactivate`: ends an account for good, or takes one step towards it.
    ///
    /// With an access token it is that account; without one, the one that the authentication names. Without `auth`,
    /// the answer is an error whose [`Error::uia`] says what the node wants.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate)
    pub async fn deactivate_account(&self, request: &DeactivateRequest) -> Result<DeactivateResponse, Error> {
        send_json(self.authenticated(Method::POST, DEACTIVATE), request).await
    }

    /// Ends an account for good: [`Client::deactivate_account`] in as many rounds as the credentials need. If they are
    /// not enough, the node's answer is the error.
    pub async fn deactivate_account_with(
        &self,
        request: &DeactivateRequest,
        credentials: &Credentials,
    ) -> Result<DeactivateResponse, Error> {
        let round = |auth| {
            let request = DeactivateRequest { auth, ..request.clone() };
            async move { self.deactivate_account(&request).await }
        };
        walk(credentials, round).await
    }
}

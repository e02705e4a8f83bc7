//! `/account/password`.

use countersign_api::client::{
    Empty,
    password::{ChangePasswordRequest, PASSWORD},
};
use reqwest::Method;

use super::{Client, send_json};
use crate::{
    error::Error,
    flows::{Credentials, walk},
};

impl Client {
    /// `POST /client/v3/account/password`: sets a new password, or takes one step towards it.
    ///
    /// With an access token it is that account's; without one, that of the address that the authentication proves.
    /// Without `auth`, the answer is an error whose [`Error::uia`] says what the node wants.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword)
    pub async fn change_password(&self, request: &ChangePasswordRequest) -> Result<(), Error> {
        let Empty {} = send_json(self.authenticated(Method::POST, PASSWORD), request).await?;
        Ok(())
    }

    /// Sets a new password: [`Client::change_password`] in as many rounds as the credentials need. If they are not
    /// enough, the node's answer is the error; it is `M_UNAUTHORIZED` as long as the user has not clicked the mail's
    /// link, and [`Credentials::session`] goes on.
    pub async fn change_password_with(
        &self,
        request: &ChangePasswordRequest,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        let round = |auth| {
            let request = ChangePasswordRequest { auth, ..request.clone() };
            async move { self.change_password(&request).await }
        };
        walk(credentials, round).await
    }
}

//! `/account/3pid`.

use countersign_api::{
    client::{
        Empty,
        threepid::{
            ADD, AddThreepidRequest, DELETE, DeleteThreepidRequest, DeleteThreepidResponse,
            EMAIL_REQUEST_TOKEN, MSISDN_REQUEST_TOKEN, RequestEmailToken, RequestMsisdnToken,
            RequestTokenResponse, THREEPIDS, ThreepidsResponse,
        },
    },
    uia::{self, AuthData, UserIdentifier},
};
use reqwest::Method;

use super::{Client, send, send_json};
use crate::error::Error;

impl Client {
    /// `POST /client/v3/account/3pid/email/requestToken`: has a token mailed, to add the address to an account.
    ///
    /// No access token is needed. If the client has one, the page behind the mail's link can say for which account
    /// the address is.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken)
    pub async fn request_token_to_3pid_email(
        &self,
        request: &RequestEmailToken,
    ) -> Result<RequestTokenResponse, Error> {
        send_json(self.authenticated(Method::POST, EMAIL_REQUEST_TOKEN), request).await
    }

    /// `POST /client/v3/account/3pid/msisdn/requestToken`: has a code sent by SMS, to add the number to an account.
    ///
    /// No access token is needed.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken)
    pub async fn request_token_to_3pid_msisdn(
        &self,
        request: &RequestMsisdnToken,
    ) -> Result<RequestTokenResponse, Error> {
        send_json(self.authenticated(Method::POST, MSISDN_REQUEST_TOKEN), request).await
    }

    /// `GET /client/v3/account/3pid`: the 3PIDs of the account. Needs an access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid)
    pub async fn get_account_3pids(&self) -> Result<ThreepidsResponse, Error> {
        send(self.authenticated(Method::GET, THREEPIDS)).await
    }

    /// `POST /client/v3/account/3pid/add`: adds a validated 3PID to the account, or takes one step towards it. Needs
    /// an access token.
    ///
    /// Without `auth`, the answer is an error whose [`Error::uia`] says what the node wants.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd)
    pub async fn add_3pid(&self, request: &AddThreepidRequest) -> Result<(), Error> {
        let Empty {} = send_json(self.authenticated(Method::POST, ADD), request).await?;
        Ok(())
    }

    /// Adds a validated 3PID to the account: [`Client::add_3pid`], then again with the password. If the node doesn't
    /// offer the password alone as authentication, its first answer is the error.
    pub async fn add_3pid_with_password(
        &self,
        request: &AddThreepidRequest,
        identifier: UserIdentifier,
        password: &str,
    ) -> Result<(), Error> {
        let first = AddThreepidRequest { auth: None, ..request.clone() };
        let asked = match self.add_3pid(&first).await {
            Err(error) if error.offers(uia::PASSWORD) => error,
            answer => return answer,
        };
        let auth = AuthData::password(asked.uia_session(), identifier, password);
        self.add_3pid(&AddThreepidRequest { auth: Some(auth), ..first }).await
    }

    /// `POST /client/v3/account/3pid/delete`: deletes a 3PID from the account. Needs an access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete)
    pub async fn delete_3pid_from_account(
        &self,
        request: &DeleteThreepidRequest,
    ) -> Result<DeleteThreepidResponse, Error> {
        send_json(self.authenticated(Method::POST, DELETE), request).await
    }
}

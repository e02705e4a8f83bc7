//! `/account/3pid`.

use countersign_api::{
    client::{
        Empty,
        threepid::{
            ADD, AddThreepidDirectlyRequest, AddThreepidRequest, BIND, BindThreepidRequest, DELETE,
            DeleteThreepidRequest, DeleteThreepidResponse, THREEPIDS, ThreepidsResponse, UNBIND,
            UnbindThreepidRequest, UnbindThreepidResponse,
        },
    },
    uia::UserIdentifier,
};
use reqwest::Method;

use super::{Client, send, send_json};
use crate::{
    error::Error,
    flows::{Credentials, walk},
};

impl Client {
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

    /// Adds a validated 3PID to the account: [`Client::add_3pid`] in as many rounds as the credentials need. If they are
    /// not enough, the node's answer is the error.
    pub async fn add_3pid_with(
        &self,
        request: &AddThreepidRequest,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        let round = |auth| {
            let request = AddThreepidRequest { auth, ..request.clone() };
            async move { self.add_3pid(&request).await }
        };
        walk(credentials, round).await
    }

    /// The same with a password.
    pub async fn add_3pid_with_password(
        &self,
        request: &AddThreepidRequest,
        identifier: UserIdentifier,
        password: &str,
    ) -> Result<(), Error> {
        self.add_3pid_with(request, &Credentials::password(identifier, password)).await
    }

    /// `POST /client/v3/account/3pid`: adds a validated 3PID to the account without asking for the password. It is
    /// deprecated, and most nodes don't have it. Needs an access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pid)
    pub async fn post_3pids(&self, request: &AddThreepidDirectlyRequest) -> Result<(), Error> {
        let Empty {} = send_json(self.authenticated(Method::POST, THREEPIDS), request).await?;
        Ok(())
    }

    /// `POST /client/v3/account/3pid/bind`: publishes, at an identity server, that a 3PID validated there is the user's.
    /// Needs an access token.
    ///
    /// An error of the identity server comes through; without one, `M_UNKNOWN` with status 502 says that it could not
    /// be reached.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind)
    pub async fn bind_3pid(&self, request: &BindThreepidRequest) -> Result<(), Error> {
        let Empty {} = send_json(self.authenticated(Method::POST, BIND), request).await?;
        Ok(())
    }

    /// `POST /client/v3/account/3pid/unbind`: takes back what [`Client::bind_3pid`] published; the account keeps the
    /// 3PID. Needs an access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidunbind)
    pub async fn unbind_3pid_from_account(
        &self,
        request: &UnbindThreepidRequest,
    ) -> Result<UnbindThreepidResponse, Error> {
        send_json(self.authenticated(Method::POST, UNBIND), request).await
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

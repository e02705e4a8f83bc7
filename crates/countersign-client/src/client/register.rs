//! `/register`.

use countersign_api::client::register::{
    AVAILABLE, AvailabilityResponse, REGISTER, RegisterRequest, RegisterResponse,
};
use reqwest::Method;
use url::form_urlencoded;

use super::{Client, send, send_json};
use crate::{
    error::Error,
    flows::{Credentials, walk},
};

impl Client {
    /// `POST /client/v3/register`: makes an account, or one step towards it.
    ///
    /// Without `auth`, the answer is an error whose [`Error::uia`] says what the node wants.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register)
    pub async fn register(&self, request: &RegisterRequest) -> Result<RegisterResponse, Error> {
        send_json(self.anonymous(Method::POST, REGISTER), request).await
    }

    /// Makes an account: [`Client::register`] in as many rounds as the credentials need. If they are not enough, the
    /// node's answer is the error; it is `M_UNAUTHORIZED` as long as the user has not proven the address, and
    /// [`Credentials::session`] goes on.
    pub async fn register_with(
        &self,
        request: &RegisterRequest,
        credentials: &Credentials,
    ) -> Result<RegisterResponse, Error> {
        let round = |auth| {
            let request = RegisterRequest { auth, ..request.clone() };
            async move { self.register(&request).await }
        };
        walk(credentials, round).await
    }

    /// The same at a node that wants no proof for it: with the stage `m.login.dummy` alone.
    pub async fn register_with_dummy(&self, request: &RegisterRequest) -> Result<RegisterResponse, Error> {
        self.register_with(request, &Credentials::default()).await
    }

    /// `GET /client/v3/register/available`: tells whether a name is free. One that isn't is an error.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable)
    pub async fn check_username_availability(&self, username: &str) -> Result<AvailabilityResponse, Error> {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("username", username).finish();
        send(self.anonymous(Method::GET, &format!("{AVAILABLE}?{query}"))).await
    }
}

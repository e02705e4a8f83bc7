//! `/register`.

use countersign_api::{
    client::register::{AVAILABLE, AvailabilityResponse, REGISTER, RegisterRequest, RegisterResponse},
    uia::{self, AuthData},
};
use reqwest::Method;
use url::form_urlencoded;

use super::{Client, send, send_json};
use crate::error::Error;

impl Client {
    /// `POST /client/v3/register`: makes an account, or one step towards it.
    ///
    /// Without `auth`, the answer is an error whose [`Error::uia`] says what the node wants.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register)
    pub async fn register(&self, request: &RegisterRequest) -> Result<RegisterResponse, Error> {
        send_json(self.anonymous(Method::POST, REGISTER), request).await
    }

    /// Makes an account at a node that wants no proof for it: [`Client::register`], then again with the stage
    /// `m.login.dummy`. If the node doesn't offer that stage alone, its first answer is the error.
    pub async fn register_with_dummy(&self, request: &RegisterRequest) -> Result<RegisterResponse, Error> {
        let first = RegisterRequest { auth: None, ..request.clone() };
        let asked = match self.register(&first).await {
            Err(error) if error.offers(uia::DUMMY) => error,
            answer => return answer,
        };
        let auth = AuthData::dummy(asked.uia_session());
        self.register(&RegisterRequest { auth: Some(auth), ..first }).await
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

//! Registration tokens.

use countersign_api::client::registration_token::{VALIDITY, ValidityResponse};
use reqwest::Method;
use url::form_urlencoded;

use super::{Client, send};
use crate::error::Error;

impl Client {
    /// `GET /client/v1/register/m.login.registration_token/validity`: tells whether a registration token is good.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity)
    pub async fn registration_token_validity(&self, token: &str) -> Result<ValidityResponse, Error> {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
        send(self.anonymous_v1(Method::GET, &format!("{VALIDITY}?{query}"))).await
    }
}

//! `/identity/v2/validate/msisdn`.

use countersign_api::{
    identity::{
        RequestValidationResponse,
        validate_msisdn::{REQUEST_TOKEN, RequestMsisdnValidation, SUBMIT_TOKEN},
    },
    submit_token::{SubmitTokenRequest, SubmitTokenResponse},
};
use reqwest::Method;

use super::IdentityClient;
use crate::{connection::send_json, error::Error};

impl IdentityClient {
    /// `POST /identity/v2/validate/msisdn/requestToken`: has a code sent by SMS. Needs an access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validatemsisdnrequesttoken)
    pub async fn request_msisdn_token(
        &self,
        request: &RequestMsisdnValidation,
    ) -> Result<RequestValidationResponse, Error> {
        send_json(self.connection.authenticated(Method::POST, REQUEST_TOKEN), request).await
    }

    /// `POST /identity/v2/validate/msisdn/submitToken`: submits the code that the user typed. Needs an access token.
    ///
    /// A wrong code is `M_TOKEN_INCORRECT`; at some services it is a [`SubmitTokenResponse`] that says no.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validatemsisdnsubmittoken)
    pub async fn submit_msisdn_token(
        &self,
        request: &SubmitTokenRequest,
    ) -> Result<SubmitTokenResponse, Error> {
        send_json(self.connection.authenticated(Method::POST, SUBMIT_TOKEN), request).await
    }

    /// `GET /identity/v2/validate/msisdn/submitToken`: the same as a browser does it, without access token. Answers where
    /// the session's `next_link` leads, if it has one.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2validatemsisdnsubmittoken)
    pub async fn open_msisdn_link(&self, request: &SubmitTokenRequest) -> Result<Option<String>, Error> {
        self.open_link(SUBMIT_TOKEN, request).await
    }
}

//! `/identity/v2/validate/email`.

use countersign_api::{
    identity::{
        RequestValidationResponse,
        validate_email::{REQUEST_TOKEN, RequestEmailValidation, SUBMIT_TOKEN},
    },
    submit_token::{SubmitTokenRequest, SubmitTokenResponse},
};
use reqwest::Method;

use super::IdentityClient;
use crate::{connection::send_json, error::Error};

impl IdentityClient {
    /// `POST /identity/v2/validate/email/requestToken`: has a token mailed. Needs an access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailrequesttoken)
    pub async fn request_email_token(
        &self,
        request: &RequestEmailValidation,
    ) -> Result<RequestValidationResponse, Error> {
        send_json(self.connection.authenticated(Method::POST, REQUEST_TOKEN), request).await
    }

    /// `POST /identity/v2/validate/email/submitToken`: submits the token that the user typed. Needs an access token.
    ///
    /// A wrong token is `M_TOKEN_INCORRECT`; at some services it is a [`SubmitTokenResponse`] that says no.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken)
    pub async fn submit_email_token(
        &self,
        request: &SubmitTokenRequest,
    ) -> Result<SubmitTokenResponse, Error> {
        send_json(self.connection.authenticated(Method::POST, SUBMIT_TOKEN), request).await
    }

    /// `GET /identity/v2/validate/email/submitToken`: the same as a browser does it, without access token. Answers where
    /// the session's `next_link` leads, if it has one.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2validateemailsubmittoken)
    pub async fn open_email_link(&self, request: &SubmitTokenRequest) -> Result<Option<String>, Error> {
        self.open_link(SUBMIT_TOKEN, request).await
    }
}

//! The six `…/requestToken`.

use countersign_api::client::request_token::{
    PASSWORD_EMAIL, PASSWORD_MSISDN, REGISTER_EMAIL, REGISTER_MSISDN, RequestEmailToken, RequestMsisdnToken,
    RequestTokenResponse, THREEPID_EMAIL, THREEPID_MSISDN,
};
use reqwest::Method;

use super::{Client, send_json};
use crate::error::Error;

impl Client {
    /// `POST /client/v3/register/email/requestToken`: has a token mailed, to register with the address.
    ///
    /// No access token is needed, and none is sent.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken)
    pub async fn request_token_to_register_email(
        &self,
        request: &RequestEmailToken,
    ) -> Result<RequestTokenResponse, Error> {
        send_json(self.anonymous(Method::POST, REGISTER_EMAIL), request).await
    }

    /// `POST /client/v3/register/msisdn/requestToken`: has a code sent by SMS, to register with the number.
    ///
    /// No access token is needed, and none is sent.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registermsisdnrequesttoken)
    pub async fn request_token_to_register_msisdn(
        &self,
        request: &RequestMsisdnToken,
    ) -> Result<RequestTokenResponse, Error> {
        send_json(self.anonymous(Method::POST, REGISTER_MSISDN), request).await
    }

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
        send_json(self.authenticated(Method::POST, THREEPID_EMAIL), request).await
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
        send_json(self.authenticated(Method::POST, THREEPID_MSISDN), request).await
    }

    /// `POST /client/v3/account/password/email/requestToken`: has a link mailed, to change the password of the account that has the
    /// address.
    ///
    /// No access token is needed, and none is sent.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken)
    pub async fn request_token_to_reset_password_email(
        &self,
        request: &RequestEmailToken,
    ) -> Result<RequestTokenResponse, Error> {
        send_json(self.anonymous(Method::POST, PASSWORD_EMAIL), request).await
    }

    /// `POST /client/v3/account/password/msisdn/requestToken`: has a code sent by SMS, to change the password of the account that
    /// has the number.
    ///
    /// No access token is needed, and none is sent.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordmsisdnrequesttoken)
    pub async fn request_token_to_reset_password_msisdn(
        &self,
        request: &RequestMsisdnToken,
    ) -> Result<RequestTokenResponse, Error> {
        send_json(self.anonymous(Method::POST, PASSWORD_MSISDN), request).await
    }
}

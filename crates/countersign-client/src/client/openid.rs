//! `/user/{user_id}/openid/request_token`.

use countersign_api::client::{
    Empty,
    openid::{OpenIdTokenResponse, REQUEST_TOKEN},
};
use reqwest::Method;
use url::form_urlencoded;

use super::{Client, send_json};
use crate::error::Error;

impl Client {
    /// `POST /client/v3/user/{user_id}/openid/request_token`: a token that proves the user to another service. Needs an
    /// access token of that user.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridopenidrequest_token)
    pub async fn request_openid_token(&self, user_id: &str) -> Result<OpenIdTokenResponse, Error> {
        // A user id has no space, whose form encoding would be no path encoding.
        let user_id: String = form_urlencoded::byte_serialize(user_id.as_bytes()).collect();
        let path = REQUEST_TOKEN.replace("{user_id}", &user_id);
        send_json(self.authenticated(Method::POST, &path), &Empty {}).await
    }
}

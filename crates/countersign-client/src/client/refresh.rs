//! `/refresh`.

use countersign_api::client::refresh::{REFRESH, RefreshRequest, RefreshResponse};
use reqwest::Method;

use super::{Client, send_json};
use crate::error::Error;

impl Client {
    /// `POST /client/v3/refresh`: a new access token for a refresh token.
    ///
    /// If the answer is lost, the old refresh token can be sent again: it is good until the new one, or the new access
    /// token, is used for the first time.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh)
    pub async fn refresh(&self, request: &RefreshRequest) -> Result<RefreshResponse, Error> {
        send_json(self.anonymous(Method::POST, REFRESH), request).await
    }
}

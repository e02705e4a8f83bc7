//! `/capabilities`.

use countersign_api::client::capabilities::{CAPABILITIES, CapabilitiesResponse};
use reqwest::Method;

use super::{Client, send};
use crate::error::Error;

impl Client {
    /// `GET /client/v3/capabilities`: what the node lets its users do. Needs an access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3capabilities)
    pub async fn get_capabilities(&self) -> Result<CapabilitiesResponse, Error> {
        send(self.authenticated(Method::GET, CAPABILITIES)).await
    }
}

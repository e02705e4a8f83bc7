//! `/identity/v2/terms`.

use countersign_api::{
    client::Empty,
    identity::terms::{AcceptTermsRequest, TERMS, TermsResponse},
};
use reqwest::Method;

use super::IdentityClient;
use crate::{
    connection::{send, send_json},
    error::Error,
};

impl IdentityClient {
    /// `GET /identity/v2/terms`: the policies that a user has to accept, maybe none. No access token is needed.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2terms)
    pub async fn get_terms(&self) -> Result<TermsResponse, Error> {
        send(self.connection.anonymous(Method::GET, TERMS)).await
    }

    /// `POST /identity/v2/terms`: accepts policies by their URLs, of each policy in one language. What was accepted
    /// before stays so.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2terms)
    pub async fn accept_terms(&self, request: &AcceptTermsRequest) -> Result<(), Error> {
        let Empty {} = send_json(self.connection.authenticated(Method::POST, TERMS), request).await?;
        Ok(())
    }
}

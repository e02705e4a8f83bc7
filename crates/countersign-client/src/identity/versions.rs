//! `/identity/versions` and `/identity/v2`.

use countersign_api::{
    client::Empty,
    identity::versions::{STATUS, VERSIONS, VersionsResponse},
};
use reqwest::Method;

use super::IdentityClient;
use crate::{connection::send, error::Error};

impl IdentityClient {
    /// `GET /identity/v2`: succeeds where there is an identity service.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2)
    pub async fn get_status(&self) -> Result<(), Error> {
        let Empty {} = send(self.connection.anonymous(Method::GET, STATUS)).await?;
        Ok(())
    }

    /// `GET /identity/versions`: which versions of the specification the service speaks.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityversions)
    pub async fn get_versions(&self) -> Result<VersionsResponse, Error> {
        send(self.connection.anonymous(Method::GET, VERSIONS)).await
    }
}

//! `/client/versions`.

use countersign_api::client::versions::{VERSIONS, VersionsResponse};
use reqwest::Method;

use super::{Client, send};
use crate::error::Error;

impl Client {
    /// `GET /client/versions`: which versions of the specification the node speaks.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions)
    pub async fn get_versions(&self) -> Result<VersionsResponse, Error> {
        send(self.connection.anonymous(Method::GET, VERSIONS)).await
    }
}

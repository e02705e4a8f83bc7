//! `/logout`.

use countersign_api::client::{
    Empty,
    logout::{LOGOUT, LOGOUT_ALL},
};
use reqwest::Method;

use super::{Client, send_json};
use crate::error::Error;

impl Client {
    /// `POST /client/v3/logout`: ends the access token and its device.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout)
    pub async fn logout(&self) -> Result<(), Error> {
        let Empty {} = send_json(self.authenticated(Method::POST, LOGOUT), &Empty {}).await?;
        Ok(())
    }

    /// `POST /client/v3/logout/all`: ends all access tokens and devices of the user, the caller's too.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall)
    pub async fn logout_all(&self) -> Result<(), Error> {
        let Empty {} = send_json(self.authenticated(Method::POST, LOGOUT_ALL), &Empty {}).await?;
        Ok(())
    }
}

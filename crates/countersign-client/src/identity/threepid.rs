//! `/identity/v2/3pid`.

use countersign_api::{
    client::Empty,
    identity::threepid::{BIND, BindRequest, BindResponse, UNBIND, UnbindRequest},
};
use reqwest::Method;

use super::IdentityClient;
use crate::{connection::send_json, error::Error};

impl IdentityClient {
    /// `POST /identity/v2/3pid/bind`: publishes that what a session has proven is the user's. Needs an access token.
    ///
    /// A user's node can do it, too, and then knows of it: [`Client::bind_3pid`](crate::Client::bind_3pid).
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv23pidbind)
    pub async fn bind_3pid(&self, request: &BindRequest) -> Result<BindResponse, Error> {
        send_json(self.connection.authenticated(Method::POST, BIND), request).await
    }

    /// `POST /identity/v2/3pid/unbind`: takes back what was published, with the session that proves the address. Needs an
    /// access token.
    ///
    /// Without a session only the user's node can do it:
    /// [`Client::unbind_3pid_from_account`](crate::Client::unbind_3pid_from_account).
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv23pidunbind)
    pub async fn unbind_3pid(&self, request: &UnbindRequest) -> Result<(), Error> {
        let Empty {} = send_json(self.connection.authenticated(Method::POST, UNBIND), request).await?;
        Ok(())
    }
}

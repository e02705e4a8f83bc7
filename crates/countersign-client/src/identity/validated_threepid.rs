//! `/identity/v2/3pid/getValidated3pid`.

use countersign_api::identity::validated_threepid::{GET_VALIDATED_3PID, ValidatedThreepidResponse};
use reqwest::Method;
use url::form_urlencoded;

use super::IdentityClient;
use crate::{connection::send, error::Error};

impl IdentityClient {
    /// `GET /identity/v2/3pid/getValidated3pid`: what a session has proven. Needs an access token.
    ///
    /// `M_SESSION_NOT_VALIDATED` says that the token was not submitted yet.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv23pidgetvalidated3pid)
    pub async fn get_validated_3pid(
        &self,
        sid: &str,
        client_secret: &str,
    ) -> Result<ValidatedThreepidResponse, Error> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("sid", sid)
            .append_pair("client_secret", client_secret)
            .finish();
        send(self.connection.authenticated(Method::GET, &format!("{GET_VALIDATED_3PID}?{query}"))).await
    }
}

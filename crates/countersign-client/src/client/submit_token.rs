//! The `submit_url`.

use countersign_api::submit_token::{SubmitTokenRequest, SubmitTokenResponse};

use super::{Client, parse_url, send_json};
use crate::error::Error;

impl Client {
    /// `POST` to the `submit_url` of a requestToken answer: submits the code that the user typed.
    ///
    /// The access token is not sent, since the URL may be anybody's. A wrong code is `M_TOKEN_INCORRECT`; the right
    /// one too late is `M_SESSION_EXPIRED`, with `"resend": true` in [`Error::body`] if a higher `send_attempt` helps.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validatemsisdnsubmittoken)
    pub async fn submit_token(
        &self,
        submit_url: &str,
        request: &SubmitTokenRequest,
    ) -> Result<SubmitTokenResponse, Error> {
        send_json(self.connection.http.post(parse_url("submit", submit_url)?), request).await
    }
}

//! `/identity/v2/validate/email`: proving an e-mail address to the identity service.
//!
//! The body of submitToken, and the query of its `GET`, is [`SubmitTokenRequest`](crate::submit_token::SubmitTokenRequest).

use std::fmt;

use serde::Serialize;

use crate::object::{BodyError, FromObject, Object};

/// `POST`, with an access token: asks for a token by mail. The answer is
/// [`RequestValidationResponse`](super::RequestValidationResponse).
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailrequesttoken)
pub const REQUEST_TOKEN: &str = "/identity/v2/validate/email/requestToken";

/// `POST`, with an access token: submits the token. `GET`, without one, since a browser has none: the same, and shows
/// the user a page or where the session's `next_link` leads.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken)
pub const SUBMIT_TOKEN: &str = "/identity/v2/validate/email/submitToken";

/// The body of [`REQUEST_TOKEN`].
#[derive(Clone, Serialize)]
pub struct RequestEmailValidation {
    /// A secret of the client's own making: 1 to 255 of `0-9a-zA-Z.=_-`.
    pub client_secret: String,
    /// The address to validate.
    pub email: String,
    /// Where the `GET` of [`SUBMIT_TOKEN`] leads on to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
    /// A number to raise for another mail; with the same number, none is sent.
    pub send_attempt: i64,
}

impl RequestEmailValidation {
    /// Makes a body of what is required.
    pub fn new(client_secret: impl Into<String>, email: impl Into<String>, send_attempt: i64) -> Self {
        Self { client_secret: client_secret.into(), email: email.into(), next_link: None, send_attempt }
    }
}

impl fmt::Debug for RequestEmailValidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestEmailValidation")
            .field("send_attempt", &self.send_attempt)
            .finish_non_exhaustive()
    }
}

/// Unlike in the client API, `send_attempt` may be text: matrix-js-sdk writes it so.
impl FromObject for RequestEmailValidation {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            client_secret: object.required_string("client_secret")?,
            email: object.required_string("email")?,
            next_link: object.optional_string("next_link")?,
            send_attempt: object.required_integer_or_text("send_attempt")?,
        })
    }
}

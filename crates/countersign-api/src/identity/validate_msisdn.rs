//! `/identity/v2/validate/msisdn`: proving a phone number to the identity service.
//!
//! The body of submitToken, and the query of its `GET`, is [`SubmitTokenRequest`](crate::submit_token::SubmitTokenRequest).

use std::fmt;

use serde::Serialize;

use crate::object::{BodyError, FromObject, Object};

/// `POST`, with an access token: asks for a code by SMS. The answer is
/// [`RequestValidationResponse`](super::RequestValidationResponse).
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validatemsisdnrequesttoken)
pub const REQUEST_TOKEN: &str = "/identity/v2/validate/msisdn/requestToken";

/// `POST`, with an access token: submits the code. `GET`, without one, since a browser has none: the same, and shows the
/// user a page or where the session's `next_link` leads.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validatemsisdnsubmittoken)
pub const SUBMIT_TOKEN: &str = "/identity/v2/validate/msisdn/submitToken";

/// The body of [`REQUEST_TOKEN`].
#[derive(Clone, Serialize)]
pub struct RequestMsisdnValidation {
    /// A secret of the client's own making: 1 to 255 of `0-9a-zA-Z.=_-`.
    pub client_secret: String,
    /// The country that the number is dialled from, two upper-case letters.
    pub country: String,
    /// Where the `GET` of [`SUBMIT_TOKEN`] leads on to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
    /// The phone number to validate.
    pub phone_number: String,
    /// A number to raise for another SMS; with the same number, none is sent.
    pub send_attempt: i64,
}

impl RequestMsisdnValidation {
    /// Makes a body of what is required.
    pub fn new(
        client_secret: impl Into<String>,
        country: impl Into<String>,
        phone_number: impl Into<String>,
        send_attempt: i64,
    ) -> Self {
        Self {
            client_secret: client_secret.into(),
            country: country.into(),
            next_link: None,
            phone_number: phone_number.into(),
            send_attempt,
        }
    }
}

impl fmt::Debug for RequestMsisdnValidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMsisdnValidation")
            .field("send_attempt", &self.send_attempt)
            .finish_non_exhaustive()
    }
}

/// Unlike in the client API, `send_attempt` may be text: matrix-js-sdk writes it so.
impl FromObject for RequestMsisdnValidation {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            client_secret: object.required_string("client_secret")?,
            country: object.required_string("country")?,
            next_link: object.optional_string("next_link")?,
            phone_number: object.required_string("phone_number")?,
            send_attempt: object.required_integer_or_text("send_attempt")?,
        })
    }
}

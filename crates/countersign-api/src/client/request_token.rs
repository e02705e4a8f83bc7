//! The six `…/requestToken` of the client API: to register, to add to an account, to reset a password; by mail or SMS.
//!
//! None of them needs an access token.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::{BodyError, FromObject, Object};

/// `POST`: asks for a token by mail, to register with the address.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken)
pub const REGISTER_EMAIL: &str = "/register/email/requestToken";

/// `POST`: asks for a token by SMS, to register with the phone number.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registermsisdnrequesttoken)
pub const REGISTER_MSISDN: &str = "/register/msisdn/requestToken";

/// `POST`: asks for a token by mail, to add the address to an account.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken)
pub const THREEPID_EMAIL: &str = "/account/3pid/email/requestToken";

/// `POST`: asks for a token by SMS, to add the phone number to an account.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken)
pub const THREEPID_MSISDN: &str = "/account/3pid/msisdn/requestToken";

/// `POST`: asks for a token by mail, to change the password of the account that has the address.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken)
pub const PASSWORD_EMAIL: &str = "/account/password/email/requestToken";

/// `POST`: asks for a token by SMS, to change the password of the account that has the phone number.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordmsisdnrequesttoken)
pub const PASSWORD_MSISDN: &str = "/account/password/msisdn/requestToken";

/// The body of every `…/email/requestToken` of the client API.
#[derive(Clone, Serialize)]
pub struct RequestEmailToken {
    /// A secret of the client's own making: 1 to 255 of `0-9a-zA-Z.=_-`.
    pub client_secret: String,
    /// The address to validate.
    pub email: String,
    /// Where the confirmation page leads on to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
    /// A number to raise for another mail; with the same number, none is sent.
    pub send_attempt: i64,
    /// An access token for the identity server; a node that validates itself ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_access_token: Option<String>,
    /// An identity server; a node that validates itself ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_server: Option<String>,
}

impl RequestEmailToken {
    /// Makes a body of what is required.
    pub fn new(client_secret: impl Into<String>, email: impl Into<String>, send_attempt: i64) -> Self {
        Self {
            client_secret: client_secret.into(),
            email: email.into(),
            next_link: None,
            send_attempt,
            id_access_token: None,
            id_server: None,
        }
    }
}

impl fmt::Debug for RequestEmailToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestEmailToken").field("send_attempt", &self.send_attempt).finish_non_exhaustive()
    }
}

impl FromObject for RequestEmailToken {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            client_secret: object.required_string("client_secret")?,
            email: object.required_string("email")?,
            next_link: object.optional_string("next_link")?,
            send_attempt: object.required_integer("send_attempt")?,
            id_access_token: object.ignored_string("id_access_token"),
            id_server: object.ignored_string("id_server"),
        })
    }
}

/// The body of every `…/msisdn/requestToken` of the client API.
#[derive(Clone, Serialize)]
pub struct RequestMsisdnToken {
    /// A secret of the client's own making: 1 to 255 of `0-9a-zA-Z.=_-`.
    pub client_secret: String,
    /// The country that the number is dialled from, two upper-case letters.
    pub country: String,
    /// Where a confirmation page would lead on to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
    /// The phone number to validate.
    pub phone_number: String,
    /// A number to raise for another SMS; with the same number, none is sent.
    pub send_attempt: i64,
    /// An access token for the identity server; a node that validates itself ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_access_token: Option<String>,
    /// An identity server; a node that validates itself ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_server: Option<String>,
}

impl RequestMsisdnToken {
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
            id_access_token: None,
            id_server: None,
        }
    }
}

impl fmt::Debug for RequestMsisdnToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMsisdnToken").field("send_attempt", &self.send_attempt).finish_non_exhaustive()
    }
}

impl FromObject for RequestMsisdnToken {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            client_secret: object.required_string("client_secret")?,
            country: object.required_string("country")?,
            next_link: object.optional_string("next_link")?,
            phone_number: object.required_string("phone_number")?,
            send_attempt: object.required_integer("send_attempt")?,
            id_access_token: object.ignored_string("id_access_token"),
            id_server: object.ignored_string("id_server"),
        })
    }
}

/// The answer of every requestToken of the client API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestTokenResponse {
    /// The session's id.
    pub sid: String,
    /// Where to submit the code that the user typed; absent if the message holds no code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit_url: Option<String>,
}

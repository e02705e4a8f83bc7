//! User-interactive authentication: what a client proves itself with, and what a server asks for.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)

mod terms;

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::{
    error::ErrorCode,
    object::{BodyError, FromObject, Object},
};

pub use self::terms::{Policy, PolicyLink, TermsParams};

/// The stage that asks for the account's password, and the login type of the same name.
pub const PASSWORD: &str = "m.login.password";
/// The stage that asks for a validated e-mail address.
pub const EMAIL_IDENTITY: &str = "m.login.email.identity";
/// The stage that asks for a validated phone number.
pub const MSISDN: &str = "m.login.msisdn";
/// The stage that always succeeds.
pub const DUMMY: &str = "m.login.dummy";
/// The stage that asks for a registration token.
pub const REGISTRATION_TOKEN: &str = "m.login.registration_token";
/// The stage that asks to accept the terms of service.
pub const TERMS: &str = "m.login.terms";

/// `GET`, under `/client/v3`: a page that completes a stage for a client that can't. The query is [`FallbackQuery`].
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#fallback)
pub const FALLBACK: &str = "/auth/{stage}/fallback/web";

/// The query of [`FALLBACK`].
#[derive(Clone, PartialEq, Eq)]
pub struct FallbackQuery {
    /// The session. One that is missing has its own page.
    pub session: Option<String>,
}

impl fmt::Debug for FallbackQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackQuery").finish_non_exhaustive()
    }
}

impl FromObject for FallbackQuery {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self { session: object.optional_string("session")? })
    }
}

/// `auth` in a request: one attempt at one stage, or a look at a session.
///
/// The server reads only the fields of the stage that `type` names. All of them may be absent, because a stage that
/// lacks something fails inside the authentication, with 401, and not as a malformed body.
#[derive(Clone, Default, Serialize)]
pub struct AuthData {
    /// The stage; absent if the client only looks whether the session is complete.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The session, as the server named it in an earlier round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Who it is ([`PASSWORD`]). The legacy fields `user` or `medium` and `address` are read into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<UserIdentifier>,
    /// The password ([`PASSWORD`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The validation session ([`EMAIL_IDENTITY`], [`MSISDN`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threepid_creds: Option<ThreepidCreds>,
    /// The registration token ([`REGISTRATION_TOKEN`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl AuthData {
    /// An attempt at [`DUMMY`].
    pub fn dummy(session: Option<String>) -> Self {
        Self { stage: Some(DUMMY.to_owned()), session, ..Self::default() }
    }

    /// An attempt at [`PASSWORD`].
    pub fn password(
        session: Option<String>,
        identifier: UserIdentifier,
        password: impl Into<String>,
    ) -> Self {
        Self {
            stage: Some(PASSWORD.to_owned()),
            session,
            identifier: Some(identifier),
            password: Some(password.into()),
            ..Self::default()
        }
    }

    /// An attempt at [`EMAIL_IDENTITY`].
    pub fn email_identity(session: Option<String>, creds: ThreepidCreds) -> Self {
        Self {
            stage: Some(EMAIL_IDENTITY.to_owned()),
            session,
            threepid_creds: Some(creds),
            ..Self::default()
        }
    }

    /// An attempt at [`MSISDN`].
    pub fn msisdn(session: Option<String>, creds: ThreepidCreds) -> Self {
        Self { stage: Some(MSISDN.to_owned()), session, threepid_creds: Some(creds), ..Self::default() }
    }

    /// An attempt at [`REGISTRATION_TOKEN`].
    pub fn registration_token(session: Option<String>, token: impl Into<String>) -> Self {
        Self {
            stage: Some(REGISTRATION_TOKEN.to_owned()),
            session,
            token: Some(token.into()),
            ..Self::default()
        }
    }

    /// An attempt at [`TERMS`]: the user accepts the policies that the session showed.
    pub fn terms(session: Option<String>) -> Self {
        Self { stage: Some(TERMS.to_owned()), session, ..Self::default() }
    }

    /// A look whether the session is complete, after a stage outside of the client.
    pub fn session(session: impl Into<String>) -> Self {
        Self { session: Some(session.into()), ..Self::default() }
    }

    /// Takes `auth` out of a body. One that names neither stage nor session, as in the first request of some clients,
    /// counts as absent.
    pub fn take_from(object: &mut Object) -> Result<Option<Self>, BodyError> {
        let auth = object.optional_object("auth")?.map(Self::from_object).transpose()?;
        Ok(auth.filter(|auth| auth.stage.is_some() || auth.session.is_some()))
    }
}

impl fmt::Debug for AuthData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthData").field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl FromObject for AuthData {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        let session = object.optional_string("session")?;
        let stage = object.optional_string("type")?;
        let mut auth = Self { session, ..Self::default() };
        match stage.as_deref() {
            Some(PASSWORD) => {
                auth.password = object.optional_string("password")?;
                auth.identifier = UserIdentifier::take_from(&mut object)?;
            }
            Some(EMAIL_IDENTITY | MSISDN) => {
                let creds = object.optional_object("threepid_creds")?;
                auth.threepid_creds = creds.map(ThreepidCreds::from_object).transpose()?;
            }
            Some(REGISTRATION_TOKEN) => auth.token = object.optional_string("token")?,
            // Stages without fields and stages that nobody knows: the authentication answers for both.
            Some(_) | None => {}
        }
        auth.stage = stage;
        Ok(auth)
    }
}

/// A validation session that proves a 3PID in a stage.
#[derive(Clone, Serialize)]
pub struct ThreepidCreds {
    /// The session's id.
    pub sid: String,
    /// The secret that opened the session.
    pub client_secret: String,
    /// An identity server; accepted and ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_server: Option<String>,
    /// An access token for the identity server; accepted and ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_access_token: Option<String>,
}

impl ThreepidCreds {
    /// The session with this id, which this secret opened.
    pub fn new(sid: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self { sid: sid.into(), client_secret: client_secret.into(), id_server: None, id_access_token: None }
    }
}

impl fmt::Debug for ThreepidCreds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreepidCreds").finish_non_exhaustive()
    }
}

impl FromObject for ThreepidCreds {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            sid: object.required_string("sid")?,
            client_secret: object.required_string("client_secret")?,
            id_server: object.ignored_string("id_server"),
            id_access_token: object.ignored_string("id_access_token"),
        })
    }
}

/// How a user says who they are.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#identifier-types)
#[derive(Clone, PartialEq, Eq)]
pub enum UserIdentifier {
    /// `m.id.user`.
    User {
        /// A user id, or its localpart.
        user: String,
    },
    /// `m.id.thirdparty`.
    ThirdParty {
        /// `email` or `msisdn`.
        medium: String,
        /// The canonical address.
        address: String,
    },
    /// `m.id.phone`.
    Phone {
        /// The country that the number is dialled from, two upper-case letters.
        country: String,
        /// The phone number. The server reads it from `phone`, or else from `number`, which some clients send.
        phone: String,
    },
    /// A type that the server doesn't know.
    Other {
        /// The type.
        identifier_type: String,
    },
}

impl UserIdentifier {
    /// Makes an identifier of a user id or its localpart.
    pub fn user(user: impl Into<String>) -> Self {
        Self::User { user: user.into() }
    }

    /// Takes `identifier`, or else the legacy fields `user` or `medium` and `address`, out of a body.
    pub(crate) fn take_from(object: &mut Object) -> Result<Option<Self>, BodyError> {
        if let Some(identifier) = object.optional_object("identifier")? {
            return Self::from_object(identifier).map(Some);
        }
        if let Some(user) = object.optional_string("user")? {
            return Ok(Some(Self::User { user }));
        }
        let medium = object.optional_string("medium")?;
        let address = object.optional_string("address")?;
        match (medium, address) {
            (Some(medium), Some(address)) => Ok(Some(Self::ThirdParty { medium, address })),
            (Some(_), None) => Err(BodyError::Missing { key: "address" }),
            (None, Some(_)) => Err(BodyError::Missing { key: "medium" }),
            (None, None) => Ok(None),
        }
    }
}

impl fmt::Debug for UserIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserIdentifier").finish_non_exhaustive()
    }
}

impl FromObject for UserIdentifier {
    /// Reads an identifier. Without `type` it is `m.id.thirdparty` if `medium` and `address` are there, as in the
    /// specification's own login example.
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        let identifier_type = match object.optional_string("type")? {
            Some(identifier_type) => identifier_type,
            None if object.contains("medium") && object.contains("address") => "m.id.thirdparty".to_owned(),
            None => return Err(BodyError::Missing { key: "type" }),
        };
        match identifier_type.as_str() {
            "m.id.user" => Ok(Self::User { user: object.required_string("user")? }),
            "m.id.thirdparty" => Ok(Self::ThirdParty {
                medium: object.required_string("medium")?,
                address: object.required_string("address")?,
            }),
            "m.id.phone" => {
                let country = object.required_string("country")?;
                let phone = match object.optional_string("phone")? {
                    Some(phone) => phone,
                    None => object.optional_string("number")?.ok_or(BodyError::Missing { key: "phone" })?,
                };
                Ok(Self::Phone { country, phone })
            }
            _ => Ok(Self::Other { identifier_type }),
        }
    }
}

impl Serialize for UserIdentifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = match self {
            Self::User { user } => json!({"type": "m.id.user", "user": user}),
            Self::ThirdParty { medium, address } => {
                json!({"type": "m.id.thirdparty", "medium": medium, "address": address})
            }
            Self::Phone { country, phone } => {
                json!({"type": "m.id.phone", "country": country, "phone": phone})
            }
            Self::Other { identifier_type } => json!({"type": identifier_type}),
        };
        value.serialize(serializer)
    }
}

/// The body of a 401 that asks for authentication.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UiaInfo {
    /// The ways to succeed.
    pub flows: Vec<UiaFlow>,
    /// What stages need to know, by stage.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// The session that the next round names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The stages that are done, in the order of the flow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completed: Vec<String>,
    /// Why the last attempt at a stage failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errcode: Option<ErrorCode>,
    /// The same for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One way to succeed: stages in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UiaFlow {
    /// The stages.
    #[serde(default)]
    pub stages: Vec<String>,
}

//! `/identity/v2/3pid`: publishing whose an address is, and taking it back.

use axum::{
    Json,
    extract::{FromRequestParts, OriginalUri, State},
    http::{header, request::Parts},
};
use countersign_api::{
    identity::threepid::{BindRequest, UnbindRequest},
    object::{FromObject, Object},
};
use countersign_core::{ClientSecret, Medium, SessionId, ThirdPartyIdentifier, UserId, XMatrix};
use countersign_service::{Associations, BindWish, ProofBySession, SignedRequest, UnbindWish};
use serde_json::{Map, Value, json};

use super::{IdentityAuthenticated, IdentityError, IdentityJson};
use crate::http::{AppState, extract::AnonymousContext};

/// `POST /identity/v2/3pid/bind`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv23pidbind))
///
/// The answer is a signed object, so it is sent exactly as it was signed.
pub(in crate::http) async fn bind(
    State(associations): State<Associations>,
    IdentityAuthenticated(caller): IdentityAuthenticated,
    AnonymousContext(context): AnonymousContext,
    IdentityJson(body): IdentityJson<BindRequest>,
) -> Result<Json<Map<String, Value>>, IdentityError> {
    let wish = BindWish {
        sid: SessionId::parse(&body.sid),
        client_secret: ClientSecret::parse(&body.client_secret)?,
        user_id: UserId::parse(&body.mxid)?,
        language: context.language,
    };
    Ok(Json(associations.bind(&caller, wish).await?.signed))
}

/// `POST /identity/v2/3pid/unbind`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv23pidunbind))
///
/// A homeserver proves itself by its signature, needs no access token, and accepts no terms. Who has the address proves that by
/// a session, and needs both.
pub(in crate::http) async fn unbind(
    State(associations): State<Associations>,
    OriginalUri(uri): OriginalUri,
    AnonymousContext(context): AnonymousContext,
    asker: UnbindAsker,
    IdentityJson(object): IdentityJson<Object>,
) -> Result<Json<Value>, IdentityError> {
    let content = Value::Object(object.clone().into_fields());
    let body = UnbindRequest::from_object(object)?;
    let wish = UnbindWish { user_id: UserId::parse(&body.mxid)?, threepid: threepid(&body)? };
    match (asker, body.sid, body.client_secret) {
        (UnbindAsker::Server(header), _, _) => {
            let (method, network) = ("POST".to_owned(), context.network);
            let uri = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let request = SignedRequest { header, method, uri, content, network };
            associations.unbind_by_signature(&wish, &request).await?;
        }
        (UnbindAsker::User(_), Some(sid), Some(client_secret)) => {
            let client_secret = ClientSecret::parse(&client_secret)?;
            let proof = ProofBySession { sid: SessionId::parse(&sid), client_secret };
            associations.unbind_by_session(&wish, &proof).await?;
        }
        (UnbindAsker::User(_), _, _) => return Err(IdentityError::unproven_unbind()),
    }
    Ok(Json(json!({})))
}

/// Who asks to take an association back.
pub(in crate::http) enum UnbindAsker {
    /// A homeserver, by this signature.
    Server(XMatrix),
    /// A user with an access token, who has accepted the terms.
    User(#[expect(dead_code, reason = "whoever it is, the session proves the address")] UserId),
}

impl FromRequestParts<AppState> for UnbindAsker {
    type Rejection = IdentityError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, IdentityError> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let is_signed =
            |header: &&str| header.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("x-matrix"));
        match header.filter(is_signed) {
            Some(header) => Ok(Self::Server(XMatrix::parse(header)?)),
            None => {
                let IdentityAuthenticated(user_id) =
                    IdentityAuthenticated::from_request_parts(parts, state).await?;
                Ok(Self::User(user_id))
            }
        }
    }
}

/// The address, which some write with a `+` in front.
fn threepid(body: &UnbindRequest) -> Result<ThirdPartyIdentifier, IdentityError> {
    let medium = Medium::parse(&body.threepid.medium)
        .ok_or_else(|| IdentityError::invalid_param("medium must be email or msisdn"))?;
    ThirdPartyIdentifier::from_canonical(medium, &body.threepid.address)
        .ok_or_else(|| IdentityError::invalid_param("address is not an address of this medium"))
}

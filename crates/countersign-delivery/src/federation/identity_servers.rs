//! Identity services that clients name: where an account's address is published, and taken back.

use countersign_core::{DestinationField, IdServer, RequestToSign, ServerName, SigningKey, XMatrix};
use hyper::Method;
use reqwest::Url;
use serde_json::{Map, Value, json};

use super::Federation;
use crate::{
    Secret,
    guard::{Destination, Failure, Request},
    peer::{Answer, PeerError},
};

const VALIDATED: &str = "/_matrix/identity/v2/3pid/getValidated3pid";
const BIND: &str = "/_matrix/identity/v2/3pid/bind";
const UNBIND: &str = "/_matrix/identity/v2/3pid/unbind";

/// Identity services are web servers: their names say where they are.
const PORT: u16 = 443;

/// What an identity service answered.
#[derive(Clone, Debug, PartialEq)]
pub enum IdServerAnswer {
    /// It did so: the whole answer.
    Done(Map<String, Value>),
    /// It refused, in the protocol's words.
    Refused(MatrixError),
    /// It does not know how: 400, 404 or 501, and not in the protocol's words.
    NotSupported,
}

/// An error in the protocol's words.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixError {
    /// Its status.
    pub status: u16,
    /// Its code.
    pub errcode: String,
    /// Its text, for people; may be empty.
    pub error: String,
    /// All of it.
    pub body: Map<String, Value>,
}

/// Who signs a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestSigner<'a> {
    /// The server's name.
    pub origin: &'a ServerName,
    /// One of its keys.
    pub key: &'a SigningKey,
}

impl Federation {
    /// Asks an identity service which address a validation session there has proven
    /// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv23pidgetvalidated3pid)).
    ///
    /// # Errors
    /// When it can't be reached, or its answer is none of the protocol.
    pub async fn validated_threepid(
        &self,
        id_server: &IdServer,
        id_access_token: &Secret,
        sid: &str,
        client_secret: &Secret,
    ) -> Result<IdServerAnswer, PeerError> {
        // Only its query is looked at.
        let mut url = Url::parse("https://localhost").expect("a URL");
        url.query_pairs_mut().extend_pairs([("sid", sid), ("client_secret", client_secret.expose())]);
        let uri = format!("{VALIDATED}?{}", url.query().unwrap_or_default());
        let authorization = format!("Bearer {}", id_access_token.expose());
        let request =
            Request { method: Method::GET, uri: &uri, authorization: Some(&authorization), body: None };
        let call = self.send(id_server, &request);
        read(&self.guard.within_limits(id_server.as_str(), call).await?)
    }

    /// Asks an identity service to publish an address for a user, with the token and the validation session that the user has
    /// there ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv23pidbind)).
    ///
    /// # Errors
    /// When it can't be reached, or its answer is none of the protocol.
    pub async fn bind(
        &self,
        id_server: &IdServer,
        id_access_token: &Secret,
        sid: &str,
        client_secret: &Secret,
        mxid: &str,
    ) -> Result<IdServerAnswer, PeerError> {
        let body = json!({ "sid": sid, "client_secret": client_secret.expose(), "mxid": mxid });
        let authorization = format!("Bearer {}", id_access_token.expose());
        let call = self.post(id_server, BIND, &authorization, &body);
        read(&self.guard.within_limits(id_server.as_str(), call).await?)
    }

    /// Asks an identity service to take an address of a user of ours back
    /// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv23pidunbind)). It is signed first as
    /// Synapse does, the only way that Sydent takes, and if that is not welcome, as the specification has it.
    ///
    /// # Errors
    /// When it can't be reached, or its answer is none of the protocol.
    pub async fn unbind(
        &self,
        id_server: &IdServer,
        medium: &str,
        address: &str,
        mxid: &str,
        signer: RequestSigner<'_>,
    ) -> Result<IdServerAnswer, PeerError> {
        let body = json!({ "mxid": mxid, "threepid": { "medium": medium, "address": address } });
        let request = RequestToSign { method: "POST", uri: UNBIND, content: Some(&body) };
        let signed = |field| {
            let name = id_server.as_server_name();
            let signed = XMatrix::sign(&request, signer.origin, name, field, signer.key);
            signed.expect("text can be signed").to_header()
        };
        let call = async {
            let answer =
                self.post(id_server, UNBIND, &signed(DestinationField::DestinationIs), &body).await?;
            if !matches!(answer.status(), 401 | 403) {
                return Ok(answer);
            }
            self.post(id_server, UNBIND, &signed(DestinationField::Destination), &body).await
        };
        read(&self.guard.within_limits(id_server.as_str(), call).await?)
    }

    async fn post(
        &self,
        id_server: &IdServer,
        uri: &str,
        authorization: &str,
        body: &Value,
    ) -> Result<Answer, Failure> {
        let body = Some(body.to_string().into_bytes());
        let request = Request { method: Method::POST, uri, authorization: Some(authorization), body };
        self.send(id_server, &request).await
    }

    async fn send(&self, id_server: &IdServer, request: &Request<'_>) -> Result<Answer, Failure> {
        let destination = Destination::direct(id_server.as_server_name(), PORT)?;
        self.guard.send(&destination, request).await
    }
}

fn read(answer: &Answer) -> Result<IdServerAnswer, PeerError> {
    if answer.status() == 200 {
        return answer.success().map(IdServerAnswer::Done);
    }
    let body: Option<Map<String, Value>> = serde_json::from_slice(&answer.body).ok();
    let text =
        |body: &Map<String, Value>, member| body.get(member).and_then(Value::as_str).map(str::to_owned);
    let error = body.and_then(|body| {
        Some(MatrixError {
            status: answer.status(),
            errcode: text(&body, "errcode")?,
            error: text(&body, "error").unwrap_or_default(),
            body,
        })
    });
    match (error, answer.status()) {
        // An error has the status of one.
        (Some(error), 400..) => Ok(IdServerAnswer::Refused(error)),
        (None, 400 | 404 | 501) => Ok(IdServerAnswer::NotSupported),
        (Some(_) | None, _) => Err(answer.unexpected()),
    }
}

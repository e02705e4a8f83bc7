//! Handlers of the identity API, one file for each path group.

pub(super) mod account;
mod error;
mod extract;
pub(super) mod lookup;
pub(super) mod pubkey;
pub(super) mod sign_ed25519;
pub(super) mod store_invite;
pub(super) mod terms;
pub(super) mod threepid;
pub(super) mod v1;
pub(super) mod validate_email;
pub(super) mod validate_msisdn;
pub(super) mod validated_threepid;
pub(super) mod versions;

use axum::Json;
use countersign_api::{
    identity::terms::TermsResponse,
    submit_token::{SubmitTokenRequest, SubmitTokenResponse},
};
use countersign_core::{ClientSecret, Medium, SessionId, SubmissionScope, SubmittedToken};
use countersign_service::{self as service, RequestContext, Verifier};
use ipnet::IpNet;

pub(super) use self::{
    error::IdentityError,
    extract::{
        IdentityAuthenticated, IdentityAuthenticatedBeforeTerms, IdentityJson, IdentityObject, IdentityQuery,
        IdentityToken, LookupBody,
    },
};

/// What handlers of the identity API need of the configuration.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// Whether it is served.
    pub api: IdentityApi,
    /// Where its access tokens may stand.
    pub token_place: TokenPlace,
    /// The policies that its users must accept.
    pub terms: TermsResponse,
    /// The largest body of a lookup, in bytes.
    pub max_lookup_body_bytes: usize,
    /// The networks that may use version 1.
    pub v1_sources: Vec<IpNet>,
}

/// Whether the identity API is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityApi {
    /// It is.
    Served,
    /// Its paths are unknown.
    Off,
}

/// Where an access token of the identity API may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// In the header alone.
    Header,
    /// In the query too, as old clients have it.
    HeaderOrQuery,
}

/// Hands a token in at the endpoint of its medium.
async fn submit(
    verifier: &Verifier,
    context: RequestContext,
    medium: Medium,
    body: &SubmitTokenRequest,
) -> Result<Json<SubmitTokenResponse>, IdentityError> {
    let request = service::SubmitTokenRequest {
        context,
        scope: SubmissionScope::Identity(medium),
        sid: SessionId::parse(&body.sid),
        client_secret: ClientSecret::parse(&body.client_secret)?,
        token: SubmittedToken::parse(&body.token)?,
    };
    verifier.submit_token(request).await?;
    Ok(Json(SubmitTokenResponse { success: true }))
}

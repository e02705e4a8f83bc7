//! `/identity/v2/validate/email`: proving an e-mail address to the identity service.

use axum::{Json, extract::State, response::Response};
use countersign_api::{
    identity::{RequestValidationResponse, validate_email::RequestEmailValidation},
    submit_token::{SubmitTokenRequest, SubmitTokenResponse},
};
use countersign_core::{ClientSecret, EmailAddress, Medium, SendAttempt, SessionPurpose};
use countersign_service::{RequestContext, TokenRequest, TokenRequested, Verifier};

use super::{IdentityAuthenticated, IdentityError, IdentityJson, submit};
use crate::http::{extract::AnonymousContext, pages::validated::Visit};

/// `POST /identity/v2/validate/email/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailrequesttoken))
pub(in crate::http) async fn request_token(
    State(verifier): State<Verifier>,
    AnonymousContext(context): AnonymousContext,
    IdentityAuthenticated(caller): IdentityAuthenticated,
    IdentityJson(body): IdentityJson<RequestEmailValidation>,
) -> Result<Json<RequestValidationResponse>, IdentityError> {
    let context = RequestContext { caller: Some(caller), ..context };
    let requested = request(&verifier, context, body).await?;
    Ok(Json(RequestValidationResponse { sid: requested.sid.to_string() }))
}

/// `POST /identity/v2/validate/email/submitToken`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken))
pub(in crate::http) async fn submit_token(
    State(verifier): State<Verifier>,
    AnonymousContext(context): AnonymousContext,
    IdentityAuthenticated(_): IdentityAuthenticated,
    IdentityJson(body): IdentityJson<SubmitTokenRequest>,
) -> Result<Json<SubmitTokenResponse>, IdentityError> {
    submit(&verifier, context, Medium::Email, &body).await
}

/// `GET /identity/v2/validate/email/submitToken`: for a browser, which has no access token. Unlike the pages that our own
/// mails lead to, it validates at once.
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2validateemailsubmittoken))
pub(in crate::http) async fn visit(visit: Visit) -> Response {
    visit.submit(Medium::Email).await
}

/// Nobody looks at the address before it is sure that messages are sent by this medium.
pub(super) async fn request(
    verifier: &Verifier,
    context: RequestContext,
    body: RequestEmailValidation,
) -> Result<TokenRequested, IdentityError> {
    let client_secret = ClientSecret::parse(&body.client_secret)?;
    let next_link = body.next_link.map(|link| verifier.parse_next_link(&link)).transpose()?;
    verifier.require_medium(Medium::Email)?;
    let request = TokenRequest {
        context,
        purpose: SessionPurpose::Identity,
        threepid: EmailAddress::parse(&body.email)?.into(),
        client_secret,
        send_attempt: SendAttempt(body.send_attempt),
        next_link,
    };
    Ok(verifier.request_token(request).await?)
}

//! `/identity/v2/validate/msisdn`: proving a phone number to the identity service.

use axum::{Json, extract::State, response::Response};
use countersign_api::{
    identity::{RequestValidationResponse, validate_msisdn::RequestMsisdnValidation},
    submit_token::{SubmitTokenRequest, SubmitTokenResponse},
};
use countersign_core::{ClientSecret, Medium, Msisdn, SendAttempt, SessionPurpose};
use countersign_service::{RequestContext, TokenRequest, TokenRequested, Verifier};

use super::{IdentityAuthenticated, IdentityError, IdentityJson, submit};
use crate::http::{extract::AnonymousContext, pages::validated::Visit};

/// `POST /identity/v2/validate/msisdn/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validatemsisdnrequesttoken))
pub(in crate::http) async fn request_token(
    State(verifier): State<Verifier>,
    AnonymousContext(context): AnonymousContext,
    IdentityAuthenticated(caller): IdentityAuthenticated,
    IdentityJson(body): IdentityJson<RequestMsisdnValidation>,
) -> Result<Json<RequestValidationResponse>, IdentityError> {
    let context = RequestContext { caller: Some(caller), ..context };
    let requested = request(&verifier, context, body).await?;
    Ok(Json(RequestValidationResponse { sid: requested.sid.to_string() }))
}

/// `POST /identity/v2/validate/msisdn/submitToken`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validatemsisdnsubmittoken))
pub(in crate::http) async fn submit_token(
    State(verifier): State<Verifier>,
    AnonymousContext(context): AnonymousContext,
    IdentityAuthenticated(_): IdentityAuthenticated,
    IdentityJson(body): IdentityJson<SubmitTokenRequest>,
) -> Result<Json<SubmitTokenResponse>, IdentityError> {
    submit(&verifier, context, Medium::Msisdn, &body).await
}

/// `GET /identity/v2/validate/msisdn/submitToken`: for a browser, which has no access token.
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2validatemsisdnsubmittoken))
pub(in crate::http) async fn visit(visit: Visit) -> Response {
    visit.submit(Medium::Msisdn).await
}

/// Nobody looks at the number before it is sure that messages are sent by this medium.
pub(super) async fn request(
    verifier: &Verifier,
    context: RequestContext,
    body: RequestMsisdnValidation,
) -> Result<TokenRequested, IdentityError> {
    let client_secret = ClientSecret::parse(&body.client_secret)?;
    let next_link = body.next_link.map(|link| verifier.parse_next_link(&link)).transpose()?;
    verifier.require_medium(Medium::Msisdn)?;
    let request = TokenRequest {
        context,
        purpose: SessionPurpose::Identity,
        threepid: Msisdn::parse(&body.country, &body.phone_number)?.into(),
        client_secret,
        send_attempt: SendAttempt(body.send_attempt),
        next_link,
    };
    Ok(verifier.request_token(request).await?)
}

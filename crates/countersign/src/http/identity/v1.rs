//! Version 1 of the identity API, as far as homeservers still use it to have addresses proven (docs/identity.md).
//!
//! It knows no access tokens, so it has a listener of its own, for the networks that the operator lists. A homeserver asks for
//! many people: its network is not counted, their addresses are. What the mails of invitations link to is of version 1 too, but for
//! everyone, and so on the main listener (`sign_ed25519.rs`).

use axum::{
    Json, Router,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use countersign_api::{
    identity::{
        RequestValidationResponse, v1,
        validate_email::RequestEmailValidation,
        validate_msisdn::RequestMsisdnValidation,
        validated_threepid::{ValidatedThreepidQuery, ValidatedThreepidResponse},
    },
    object::{BodyError, FromObject, Object},
    submit_token::{SubmitTokenRequest, SubmitTokenResponse},
};
use countersign_core::Medium;
use url::form_urlencoded;

use super::{
    IdentityError, IdentityQuery, submit, validate_email, validate_msisdn, validated_threepid::get_validated,
};
use crate::http::{
    AppState, answer,
    extract::{AnonymousContext, address},
    read::{read_body, read_query},
    routes::with_api_layers,
};

/// Everything that the listener for homeservers serves.
pub fn router(state: AppState) -> Router {
    let api = Router::new()
        .route(v1::EMAIL_REQUEST_TOKEN, post(request_email_token))
        .route(v1::EMAIL_SUBMIT_TOKEN, post(submit_email_token))
        .route(v1::MSISDN_REQUEST_TOKEN, post(request_msisdn_token))
        .route(v1::MSISDN_SUBMIT_TOKEN, post(submit_msisdn_token))
        .route(v1::GET_VALIDATED_3PID, get(get_validated_3pid));
    let routes = Router::new()
        .nest("/_api", api.clone())
        .nest("/_matrix", api)
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(middleware::from_fn_with_state(state.clone(), only_allowed_sources));
    with_api_layers(routes, &state).with_state(state)
}

/// Refuses whoever is not on the operator's list.
async fn only_allowed_sources(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let settings = state.settings();
    let address = address(&request, settings);
    if settings.identity.v1_sources.iter().any(|network| network.contains(&address)) {
        return next.run(request).await;
    }
    IdentityError::forbidden("Version 1 of this identity service is for its homeservers alone")
        .into_response()
}

/// `POST /identity/api/v1/validate/email/requestToken`
async fn request_email_token(
    State(state): State<AppState>,
    AnonymousContext(context): AnonymousContext,
    Body(body): Body<RequestEmailValidation>,
) -> Result<Json<RequestValidationResponse>, IdentityError> {
    let requested = validate_email::request(state.v1_verifier(), context, body).await?;
    Ok(Json(RequestValidationResponse { sid: requested.sid.to_string() }))
}

/// `POST /identity/api/v1/validate/email/submitToken`
async fn submit_email_token(
    State(state): State<AppState>,
    AnonymousContext(context): AnonymousContext,
    Body(body): Body<SubmitTokenRequest>,
) -> Result<Json<SubmitTokenResponse>, IdentityError> {
    submit(state.v1_verifier(), context, Medium::Email, &body).await
}

/// `POST /identity/api/v1/validate/msisdn/requestToken`
async fn request_msisdn_token(
    State(state): State<AppState>,
    AnonymousContext(context): AnonymousContext,
    Body(body): Body<RequestMsisdnValidation>,
) -> Result<Json<RequestValidationResponse>, IdentityError> {
    let requested = validate_msisdn::request(state.v1_verifier(), context, body).await?;
    Ok(Json(RequestValidationResponse { sid: requested.sid.to_string() }))
}

/// `POST /identity/api/v1/validate/msisdn/submitToken`
async fn submit_msisdn_token(
    State(state): State<AppState>,
    AnonymousContext(context): AnonymousContext,
    Body(body): Body<SubmitTokenRequest>,
) -> Result<Json<SubmitTokenResponse>, IdentityError> {
    submit(state.v1_verifier(), context, Medium::Msisdn, &body).await
}

/// `GET /identity/api/v1/3pid/getValidated3pid`
async fn get_validated_3pid(
    State(state): State<AppState>,
    IdentityQuery(query): IdentityQuery<ValidatedThreepidQuery>,
) -> Result<Json<ValidatedThreepidResponse>, IdentityError> {
    get_validated(state.v1_verifier(), &query).await
}

/// A body of JSON, or a form where the content type says so.
struct Body<T>(T);

impl<T: FromObject> FromRequest<AppState> for Body<T> {
    type Rejection = IdentityError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, IdentityError> {
        let is_form = is_form(request.headers());
        let bytes = read_body(request, state, state.settings().max_body_bytes).await?;
        Ok(Self(T::from_object(read_object(&bytes, is_form)?)?))
    }
}

/// Fields of which each stands in the query, or else in a body as [`Body`] takes it, which may be empty.
pub(in crate::http) struct QueryOrBody<T>(pub(in crate::http) T);

impl<T: FromObject> FromRequest<AppState> for QueryOrBody<T> {
    type Rejection = IdentityError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, IdentityError> {
        let is_form = is_form(request.headers());
        let mut object = read_query(request.uri())?;
        let bytes = read_body(request, state, state.settings().max_body_bytes).await?;
        if !bytes.is_empty() {
            object.fill_from(read_object(&bytes, is_form)?);
        }
        Ok(Self(T::from_object(object)?))
    }
}

fn read_object(bytes: &[u8], is_form: bool) -> Result<Object, BodyError> {
    if is_form {
        Ok(Object::from_pairs(form_urlencoded::parse(bytes).into_owned()))
    } else {
        Object::parse(bytes)
    }
}

/// Whether the body is a form. The second spelling is that of version 1's specification.
fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    ["application/x-www-form-urlencoded", "application/x-form-www-urlencoded"]
        .iter()
        .any(|form| essence.eq_ignore_ascii_case(form))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_form_says_that_it_is_one() {
        let is_form_of = |content_type| {
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
            is_form(&headers.into_iter().collect())
        };
        for content_type in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-urlencoded; charset=UTF-8",
            "application/x-form-www-urlencoded",
        ] {
            assert!(is_form_of(content_type), "{content_type}");
        }
        assert!(!is_form_of("application/json") && !is_form(&HeaderMap::new()));
    }
}

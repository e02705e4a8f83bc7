//! Who reads a page, the page's headers, and what comes in by its link and its form.

use std::{convert::Infallible, error::Error, sync::Arc};

use axum::{
    Form,
    extract::{FromRef, FromRequest, FromRequestParts, Query, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use countersign_core::Language;
use countersign_service::Next;
use serde::de::DeserializeOwned;
use url::{Origin, Url};

use super::error::PageError;
use crate::{
    http::extract::language,
    pages::{LinkFields, PageTemplate, Pages},
};

/// What a page shows when not even the page of an error renders.
const LAST_RESORT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Something went wrong</title>\
    <h1>Something went wrong</h1><p>This is a fault of the server, not yours. Try again later.</p></html>";

/// On every page. The token is in its URL: nothing may keep it, send it on, or look at it from outside.
const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Who reads: the pages in their language.
pub(super) struct Reader {
    pages: Arc<Pages>,
    language: Language,
}

impl Reader {
    /// The reader whose browser sent these headers.
    pub(super) fn new(pages: Arc<Pages>, headers: &HeaderMap) -> Self {
        Self { pages, language: language(headers) }
    }

    /// A page whose forms, if any, come back to us.
    pub(super) fn answer<T: PageTemplate>(&self, status: StatusCode, page: &T) -> Response {
        self.answer_with_policy(status, page, &self.policy(""))
    }

    /// A page whose form may be answered by sending the person on: browsers count that as the form's target too.
    pub(super) fn answer_leading_to<T: PageTemplate>(&self, page: &T, next: Option<&Next>) -> Response {
        let source = next.filter(|next| next.trusted).and_then(policy_source).unwrap_or_default();
        self.answer_with_policy(StatusCode::OK, page, &self.policy(&source))
    }

    /// The page whose script may run.
    pub(super) fn answer_with_scripts<T: PageTemplate>(&self, status: StatusCode, page: &T) -> Response {
        let policy = format!("{}; script-src {}", self.policy(""), self.pages.script_sources());
        self.answer_with_policy(status, page, policy.trim_end_matches("; script-src "))
    }

    /// The language that it asks for.
    pub(super) fn language(&self) -> &Language {
        &self.language
    }

    /// A page with a policy of its own.
    pub(super) fn answer_with_policy<T: PageTemplate>(
        &self,
        status: StatusCode,
        page: &T,
        policy: &str,
    ) -> Response {
        let (status, html, language) = match self.pages.render(page, &self.language) {
            Ok(rendered) => (status, rendered.html, rendered.language),
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "A page does not render: {error}");
                (StatusCode::INTERNAL_SERVER_ERROR, LAST_RESORT.to_owned(), "en".to_owned())
            }
        };
        let mut response = (status, HEADERS, html).into_response();
        for (name, value) in
            [(header::CONTENT_SECURITY_POLICY, policy), (header::CONTENT_LANGUAGE, &language)]
        {
            let value =
                HeaderValue::from_str(value).expect("hashes, origins and language tags are visible ASCII");
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn policy(&self, more_form_targets: &str) -> String {
        let styles = self.pages.style_sources();
        let form_targets = format!("'self' {more_form_targets}");
        format!(
            "default-src 'none'; style-src {styles}; form-action {}; frame-ancestors 'none'; base-uri 'none'",
            form_targets.trim_end()
        )
    }
}

impl<S> FromRequestParts<S> for Reader
where
    S: Send + Sync,
    Arc<Pages>: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self::new(FromRef::from_ref(state), &parts.headers))
    }
}

/// What a link holds.
pub(super) struct LinkQuery(pub(super) LinkFields);

impl<S> FromRequestParts<S> for LinkQuery
where
    S: Send + Sync,
    Arc<Pages>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(link)) => Ok(Self(link)),
            Err(rejection) => {
                let reader = Reader::new(FromRef::from_ref(state), &parts.headers);
                Err(PageError::from(rejection).answer(&reader))
            }
        }
    }
}

/// What a form holds.
pub(super) struct PageForm<T>(pub(super) T);

impl<S, T> FromRequest<S> for PageForm<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
    Arc<Pages>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let reader = Reader::new(FromRef::from_ref(state), request.headers());
        match Form::from_request(request, state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(rejection) => Err(PageError::from(rejection).answer(&reader)),
        }
    }
}

/// How a policy names where a link leads: its origin or, into an app, its scheme.
fn policy_source(next: &Next) -> Option<String> {
    let url = Url::parse(&next.url).ok()?;
    match url.origin() {
        origin @ Origin::Tuple(..) => Some(origin.ascii_serialization()),
        Origin::Opaque(_) => Some(format!("{}:", url.scheme())),
    }
}

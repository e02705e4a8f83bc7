//! The identity API's `GET …/submitToken`: a link that validates at once, since its specification demands it. Nothing that we
//! send holds such a link; programs make them of a token that someone typed, as Sydent's mails do.

use std::convert::Infallible;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{Uri, request::Parts},
    response::Response,
};
use countersign_api::{object::FromObject, submit_token::SubmitTokenRequest};
use countersign_core::{ClientSecret, Medium, SessionId, SubmissionScope, SubmittedToken};
use countersign_service::{self as service, Confirmations, Page, RequestContext, SubmitTokenError, Verifier};

use super::{confirm::confirmed, error::PageError, reader::Reader};
use crate::http::{AppState, extract::AnonymousContext, read::read_query};

/// A browser that follows such a link.
pub(in crate::http) struct Visit {
    reader: Reader,
    uri: Uri,
    context: RequestContext,
    verifier: Verifier,
    confirmations: Confirmations,
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let AnonymousContext(context) = AnonymousContext::from_request_parts(parts, state).await?;
        Ok(Self {
            reader: Reader::from_request_parts(parts, state).await?,
            uri: parts.uri.clone(),
            context,
            verifier: state.0.verifier.clone(),
            confirmations: Confirmations::from_ref(state),
        })
    }
}

impl Visit {
    /// Submits the token of the link, and sends the person on as the button of a mail's page does: to where the session's own
    /// `next_link` leads, if the operator lists its host, and never to where the link itself says. Else a page says that the
    /// address is proven, and has the `next_link` as a link.
    pub(in crate::http) async fn submit(self, medium: Medium) -> Response {
        let Some(request) = self.parse(medium) else { return PageError::Malformed.answer(&self.reader) };
        match self.validate(request).await {
            Ok(page) => confirmed(&self.reader, page),
            Err(error) => error.answer(&self.reader),
        }
    }

    fn parse(&self, medium: Medium) -> Option<service::SubmitTokenRequest> {
        let query = SubmitTokenRequest::from_object(read_query(&self.uri).ok()?).ok()?;
        Some(service::SubmitTokenRequest {
            context: self.context.clone(),
            scope: SubmissionScope::Identity(medium),
            sid: SessionId::parse(&query.sid),
            client_secret: ClientSecret::parse(&query.client_secret).ok()?,
            token: SubmittedToken::parse(&query.token).ok()?,
        })
    }

    async fn validate(&self, request: service::SubmitTokenRequest) -> Result<Page, PageError> {
        let sid = request.sid.ok_or(PageError::Unknown)?;
        self.verifier.submit_token(request).await?;
        Ok(self.confirmations.view_validated(sid).await?)
    }
}

impl From<SubmitTokenError> for PageError {
    fn from(error: SubmitTokenError) -> Self {
        use SubmitTokenError as E;
        match &error {
            E::UnknownSession | E::Incorrect => Self::Unknown,
            E::SessionExpired | E::CodeExpired => Self::Expired,
            E::Limited(wait) => Self::Limited(Some(*wait)),
            E::Unreachable(cause) => {
                tracing::warn!(error = cause as &dyn std::error::Error, "Answered a page with 503: {error}");
                Self::Unavailable
            }
            E::Storage(cause) => Self::of_storage(cause),
        }
    }
}

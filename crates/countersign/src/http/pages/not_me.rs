//! `/_countersign/v1/not-me`: "this wasn't me", and its two choices.

use axum::{extract::State, http::StatusCode, response::Response};
use countersign_core::SessionId;
use countersign_service::Confirmations;
use serde::Deserialize;

use super::{
    error::PageError,
    reader::{LinkQuery, PageForm, Reader},
};
use crate::pages::{LinkFields, NotMe, NotMeContext, NotMeDone, NotMeSuppressed, NotMeTooLate};

/// What a button of the page sends.
#[derive(Deserialize)]
pub(super) struct Decision {
    sid: String,
    token: String,
    choice: Choice,
}

/// Which button it was.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice {
    /// End the session.
    End,
    /// No more messages to the address.
    Suppress,
}

/// `GET /_countersign/v1/not-me`: what can be stopped, if it isn't too late. Changes nothing.
pub(super) async fn show(
    State(confirmations): State<Confirmations>,
    reader: Reader,
    LinkQuery(link): LinkQuery,
) -> Response {
    match confirmations.view_not_me(SessionId::parse(&link.sid), &link.token).await {
        Ok(page) if page.validated => {
            reader.answer(StatusCode::OK, &NotMeTooLate(NotMeContext::new(page, link)))
        }
        Ok(page) => reader.answer(StatusCode::OK, &NotMe(NotMeContext::new(page, link))),
        Err(error) => PageError::from(error).answer(&reader),
    }
}

/// `POST /_countersign/v1/not-me`: ends the session, or keeps all further messages from the address.
pub(super) async fn choose(
    State(confirmations): State<Confirmations>,
    reader: Reader,
    PageForm(Decision { sid, token, choice }): PageForm<Decision>,
) -> Response {
    let link = LinkFields { sid, token };
    match choice {
        Choice::End => end(&confirmations, &reader, link).await,
        Choice::Suppress => suppress(&confirmations, &reader, link).await,
    }
}

async fn end(confirmations: &Confirmations, reader: &Reader, link: LinkFields) -> Response {
    match confirmations.not_me(SessionId::parse(&link.sid), &link.token).await {
        Ok(page) if page.validated => {
            reader.answer(StatusCode::OK, &NotMeTooLate(NotMeContext::new(page, link)))
        }
        Ok(page) => reader.answer(StatusCode::OK, &NotMeDone(NotMeContext::new(page, link))),
        Err(error) => PageError::from(error).answer(reader),
    }
}

async fn suppress(confirmations: &Confirmations, reader: &Reader, link: LinkFields) -> Response {
    match confirmations.suppress(SessionId::parse(&link.sid), &link.token).await {
        Ok(page) => reader.answer(StatusCode::OK, &NotMeSuppressed(NotMeContext::new(page, link))),
        Err(error) => PageError::from(error).answer(reader),
    }
}

//! `/_countersign/v1/confirm`: the page behind a mail's link, and its button.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use countersign_core::SessionId;
use countersign_service::{Confirmations, Next, Page, PageState};
use url::Url;

use super::{
    error::PageError,
    reader::{LinkQuery, PageForm, Reader},
};
use crate::pages::{Confirm, ConfirmedPage, LinkFields};

/// `GET /_countersign/v1/confirm`: what the button would do. Changes nothing.
pub(super) async fn show(
    State(confirmations): State<Confirmations>,
    reader: Reader,
    LinkQuery(link): LinkQuery,
) -> Response {
    match confirmations.view(SessionId::parse(&link.sid), &link.token).await {
        Ok(page) => shown(&reader, page, link),
        Err(error) => PageError::from(error).answer(&reader),
    }
}

/// `POST /_countersign/v1/confirm`: the button. Again is a success again.
///
/// The token in the body is the proof, so it does not matter from which page the form came.
pub(super) async fn press(
    State(confirmations): State<Confirmations>,
    reader: Reader,
    PageForm(link): PageForm<LinkFields>,
) -> Response {
    match confirmations.confirm(SessionId::parse(&link.sid), &link.token).await {
        Ok(page) => confirmed(&reader, page),
        Err(error) => PageError::from(error).answer(&reader),
    }
}

fn shown(reader: &Reader, page: Page, link: LinkFields) -> Response {
    match page.state {
        PageState::Open => {
            let next = page.next.clone();
            reader.answer_leading_to(&Confirm::new(page, link), next.as_ref())
        }
        PageState::Validated => reader.answer(StatusCode::OK, &ConfirmedPage::from(page)),
    }
}

/// Sends the person on where the operator trusts the host; else the page offers the link.
pub(super) fn confirmed(reader: &Reader, page: Page) -> Response {
    let location = page.next.as_ref().filter(|next| next.trusted).and_then(location);
    let page = ConfirmedPage::from(page);
    let Some(location) = location else { return reader.answer(StatusCode::OK, &page) };
    let mut response = reader.answer(StatusCode::SEE_OTHER, &page);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The link as a header: other scripts than Latin are percent-encoded, as a browser would.
fn location(next: &Next) -> Option<HeaderValue> {
    let url = Url::parse(&next.url).ok()?;
    HeaderValue::from_str(url.as_str()).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::HeaderMap;
    use countersign_core::{ServerName, SessionPurpose, Timestamp};

    use super::*;
    use crate::pages::Pages;

    fn reader() -> Reader {
        let pages = Pages::load(None, &ServerName::parse("example.org").unwrap()).unwrap();
        Reader::new(Arc::new(pages), &HeaderMap::new())
    }

    fn page(next: Option<Next>) -> Page {
        Page {
            purpose: SessionPurpose::ResetPassword,
            masked_address: "a…@e….com".to_owned(),
            requested_at: Timestamp::from_millis(0),
            requested_by: None,
            next,
            state: PageState::Open,
        }
    }

    fn next(url: &str, trusted: bool) -> Option<Next> {
        let host = Url::parse(url).unwrap().host_str().map(str::to_owned);
        Some(Next { url: url.to_owned(), host, trusted })
    }

    fn link() -> LinkFields {
        LinkFields { sid: "s".to_owned(), token: "t".to_owned() }
    }

    fn form_action(next: Option<Next>) -> String {
        let response = shown(&reader(), page(next), link());
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        policy.split("; ").find_map(|part| part.strip_prefix("form-action ")).unwrap().to_owned()
    }

    #[test]
    fn only_a_trusted_host_is_gone_to_without_a_click() {
        let trusted = confirmed(&reader(), page(next("https://app.example.org/ü?sid=1", true)));
        assert_eq!(trusted.status(), StatusCode::SEE_OTHER);
        assert_eq!(trusted.headers()["location"], "https://app.example.org/%C3%BC?sid=1");
        for next in [None, next("https://app.example.org/", false), next("com.example.app:/x", false)] {
            let response = confirmed(&reader(), page(next));
            assert_eq!(response.status(), StatusCode::OK);
            assert!(!response.headers().contains_key("location"));
        }
    }

    #[test]
    fn the_form_may_lead_to_a_trusted_origin_and_to_no_other() {
        assert_eq!(form_action(None), "'self'");
        assert_eq!(form_action(next("https://app.example.org/x?y#z", false)), "'self'");
        assert_eq!(
            form_action(next("https://app.example.org/x?y#z", true)),
            "'self' https://app.example.org"
        );
        assert_eq!(form_action(next("http://localhost:3000/", true)), "'self' http://localhost:3000");
        assert_eq!(form_action(next("com.example.app://app/x", true)), "'self' com.example.app:");
    }

    #[test]
    fn a_link_whose_button_was_pressed_shows_the_success_again() {
        let validated = Page { state: PageState::Validated, ..page(next("https://app.example.org/", true)) };
        let response = shown(&reader(), validated, link());
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("location"), "a GET sends nobody on");
    }
}

//! `/inbox`: what `countersign dev` would have sent, as a page and as JSON.
//!
//! It shows links and codes, so it answers only to a loopback name in the Host header: a page of another site that
//! points its own name at 127.0.0.1 is refused (DNS rebinding), and nothing has CORS headers.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{FromRef, FromRequestParts, Query, State},
    http::{StatusCode, header, request::Parts, uri::Authority},
    response::{IntoResponse, Response},
    routing::get,
};
use countersign_service::{Inbox, InboxEntry};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::reader::Reader;
use crate::pages::{INBOX_SCRIPT, InboxPage, Pages};

/// Shorter than a request may take.
const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// A frame inherits it, and the mails in the frames bring styles of their own: so these can't go by hash.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; \
    form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// The development inbox. To be mounted in `countersign dev` only, without CORS.
pub(in crate::http) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Option<Inbox>: FromRef<S>,
    Arc<Pages>: FromRef<S>,
    CancellationToken: FromRef<S>,
{
    Router::new()
        .route("/inbox", get(show))
        .route("/inbox/messages", get(list_messages))
        .route("/inbox/inbox.js", get(script))
}

/// The inbox, asked by a loopback name.
struct LoopbackInbox(Inbox);

impl<S> FromRequestParts<S> for LoopbackInbox
where
    S: Send + Sync,
    Option<Inbox>: FromRef<S>,
{
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Some(inbox) = Option::<Inbox>::from_ref(state) else {
            return Err((StatusCode::NOT_FOUND, "There is no inbox\n"));
        };
        if !asks_loopback(parts) {
            return Err((StatusCode::FORBIDDEN, "The inbox answers only to localhost\n"));
        }
        Ok(Self(inbox))
    }
}

/// Which messages a tool wants.
#[derive(Deserialize)]
struct MessagesQuery {
    /// Those after the one with this sequence number.
    #[serde(default)]
    since: u64,
    /// How many seconds to wait for one, if there is none.
    #[serde(default)]
    wait: u64,
}

/// What a tool gets.
#[derive(Serialize)]
struct Messages {
    /// Oldest first.
    messages: Vec<InboxEntry>,
    /// The `since` to ask with next.
    next: u64,
}

/// `GET /inbox`
async fn show(LoopbackInbox(inbox): LoopbackInbox, reader: Reader) -> Response {
    reader.answer_with_policy(StatusCode::OK, &InboxPage::new(inbox.list()), POLICY)
}

/// `GET /inbox/messages?since=N&wait=SECONDS`: waits until there is a message after number N, or for as long as told.
///
/// An N that the inbox has not reached is from before it began anew, and means all messages.
async fn list_messages(
    LoopbackInbox(inbox): LoopbackInbox,
    State(shutdown): State<CancellationToken>,
    Query(MessagesQuery { since, wait }): Query<MessagesQuery>,
) -> Response {
    let mut latest = inbox.changed();
    let since = if *latest.borrow() < since { 0 } else { since };
    tokio::select! {
        _ = latest.wait_for(|latest| since < *latest) => {}
        () = tokio::time::sleep(Duration::from_secs(wait).min(LONGEST_WAIT)) => {}
        () = shutdown.cancelled() => {}
    }
    let messages = inbox.messages_since(since);
    let next = messages.last().map_or(since, |entry| entry.sequence);
    ([(header::CACHE_CONTROL, "no-store"), NO_SNIFF, SAME_ORIGIN], Json(Messages { messages, next }))
        .into_response()
}

/// `GET /inbox/inbox.js`
async fn script() -> Response {
    let kind = (header::CONTENT_TYPE, "text/javascript; charset=utf-8");
    ([kind, (header::CACHE_CONTROL, "no-store"), NO_SNIFF, SAME_ORIGIN], INBOX_SCRIPT).into_response()
}

const NO_SNIFF: (header::HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");
const SAME_ORIGIN: (header::HeaderName, &str) =
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");

/// Whether the request names this machine: `localhost`, 127.0.0.0/8 or `[::1]`, at any port.
fn asks_loopback(parts: &Parts) -> bool {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

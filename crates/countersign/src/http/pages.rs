//! The pages behind a mail's links, those of authentication, and the development inbox. All their answers are HTML, errors too.
//!
//! A GET proves nothing and changes nothing: mail scanners follow links. Only a button's POST does (docs/decisions/0007).

mod confirm;
mod error;
pub(super) mod fallback;
pub(super) mod inbox;
mod not_me;
mod reader;
pub(super) mod validated;

use std::sync::Arc;

use axum::{Router, extract::FromRef, routing::get};
use countersign_service::Confirmations;

pub(super) use self::error::errors_as_pages;
use crate::pages::Pages;

/// The pages behind a mail's links. To be mounted without CORS.
pub(super) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Confirmations: FromRef<S>,
    Arc<Pages>: FromRef<S>,
{
    let not_allowed = error::method_not_allowed;
    Router::new()
        .route("/_countersign/v1/confirm", get(confirm::show).post(confirm::press).fallback(not_allowed))
        .route("/_countersign/v1/not-me", get(not_me::show).post(not_me::choose).fallback(not_allowed))
}

#[cfg(test)]
mod tests;

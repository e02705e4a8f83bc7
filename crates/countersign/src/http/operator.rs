//! The operator's listener: health.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use countersign_service::{Health, NotReady};
use serde_json::json;

use super::{AppState, answer};

/// The routes of the operator's listener.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .with_state(state)
}

/// `GET /health/live`: the process runs.
async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "live" }))
}

/// `GET /health/ready`: the database reads and writes. Says how much waits in the outbox; 503 and why if it doesn't.
async fn ready(State(health): State<Health>) -> Response {
    match health.ready().await {
        Ok(readiness) => {
            let outbox = json!({
                "waiting": readiness.outbox.waiting,
                "oldest_created_at": readiness.outbox.oldest_created_at.map(|at| at.as_millis()),
            });
            Json(json!({ "status": "ready", "outbox": outbox })).into_response()
        }
        Err(error) => {
            let cause = &error as &dyn std::error::Error;
            // An outage was told to the log when it began, and this is asked again and again.
            match &error {
                NotReady::Storage(failure) if !failure.is_outage() => {
                    tracing::error!(error = cause, "Not ready: {error}");
                }
                NotReady::Storage(_) | NotReady::TooSlow => {
                    tracing::debug!(error = cause, "Not ready: {error}");
                }
            }
            let body = json!({ "status": "not ready", "reason": error.to_string() });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

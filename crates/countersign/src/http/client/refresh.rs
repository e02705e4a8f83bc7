//! `/refresh`.

use axum::{Json, extract::State};
use countersign_api::client::refresh::{RefreshRequest, RefreshResponse};
use countersign_service::{Accounts, IssuedToken};

use super::{ClientError, MatrixJson};
use crate::http::extract::Context;

/// `POST /refresh` ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh))
pub(in crate::http) async fn refresh(
    State(accounts): State<Accounts>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<RefreshRequest>,
) -> Result<Json<RefreshResponse>, ClientError> {
    let issued = accounts.refresh(&body.refresh_token, context.network).await?;
    let expires_in_ms = expires_in_ms(&issued);
    Ok(Json(RefreshResponse {
        access_token: issued.access_token.to_string(),
        refresh_token: issued.refresh_token.map(|token| token.to_string()),
        expires_in_ms,
    }))
}

/// The `expires_in_ms` of an answer with an access token.
pub(super) fn expires_in_ms(issued: &IssuedToken) -> Option<u64> {
    issued.expires_in.map(|lifetime| u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX))
}

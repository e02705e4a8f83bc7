//! `/logout` and `/logout/all`.

use axum::{Json, extract::State};
use countersign_api::client::Empty;
use countersign_service::Accounts;

use super::{Authenticated, ClientError, MatrixObject};

/// `POST /logout` ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout))
pub(in crate::http) async fn log_out(
    State(accounts): State<Accounts>,
    Authenticated(caller): Authenticated,
    _body: MatrixObject,
) -> Result<Json<Empty>, ClientError> {
    accounts.log_out(&caller).await?;
    Ok(Json(Empty {}))
}

/// `POST /logout/all` ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall))
pub(in crate::http) async fn log_out_all(
    State(accounts): State<Accounts>,
    Authenticated(caller): Authenticated,
    _body: MatrixObject,
) -> Result<Json<Empty>, ClientError> {
    accounts.log_out_all(&caller.localpart).await?;
    Ok(Json(Empty {}))
}

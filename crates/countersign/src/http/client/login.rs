//! `/login`.

use axum::{Json, extract::State, http::StatusCode};
use countersign_api::{
    client::login::{LoginFlow, LoginFlowsResponse, LoginRequest, LoginResponse},
    error::ErrorCode,
    uia::PASSWORD,
};
use countersign_service::{Accounts, LogInRequest, LoggedIn, NewDevice, WithRefresh};
use zeroize::Zeroizing;

use super::{ClientError, MatrixJson, refresh::expires_in_ms, uia::account_identifier};
use crate::http::extract::Context;

/// `GET /login` ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login))
pub(in crate::http) async fn get_login_flows() -> Json<LoginFlowsResponse> {
    Json(LoginFlowsResponse { flows: vec![LoginFlow { login_type: PASSWORD.to_owned() }] })
}

/// `POST /login` ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login))
pub(in crate::http) async fn log_in(
    State(accounts): State<Accounts>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<LoginRequest>,
) -> Result<Json<LoginResponse>, ClientError> {
    if body.login_type != PASSWORD {
        let error = "This login type is not supported";
        return Err(ClientError::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, error));
    }
    let identifier = body.identifier.ok_or_else(|| ClientError::missing_param("identifier"))?;
    let password = body.password.ok_or_else(|| ClientError::missing_param("password"))?;
    let request = LogInRequest {
        context,
        identifier: account_identifier(identifier)?,
        password: Zeroizing::new(password),
        device: NewDevice::parse(body.device_id.as_deref(), body.initial_device_display_name)?,
        refresh: WithRefresh::of(body.refresh_token),
    };
    let LoggedIn { user_id, login } = accounts.log_in(request).await?;
    let expires_in_ms = expires_in_ms(&login);
    Ok(Json(LoginResponse {
        user_id: user_id.to_string(),
        access_token: login.access_token.to_string(),
        device_id: login.device_id.as_str().to_owned(),
        refresh_token: login.refresh_token.map(|token| token.to_string()),
        expires_in_ms,
    }))
}

//! `/login`.

use axum::{Json, extract::State, http::StatusCode};
use countersign_api::{
    client::login::{LoginFlow, LoginFlowsResponse, LoginRequest, LoginResponse},
    error::ErrorCode,
    uia::PASSWORD,
};
use countersign_service::{Accounts, LogInRequest, NewDevice};
use zeroize::Zeroizing;

use super::{ClientError, MatrixJson, uia::account_identifier};
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
    };
    let logged_in = accounts.log_in(request).await?;
    Ok(Json(LoginResponse {
        user_id: logged_in.user_id.to_string(),
        access_token: logged_in.login.access_token.to_string(),
        device_id: logged_in.login.device_id.as_str().to_owned(),
        refresh_token: None,
        expires_in_ms: None,
    }))
}

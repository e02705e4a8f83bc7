//! `/register` and `/register/available`.

use axum::{Json, extract::State};
use countersign_api::client::register::{
    AvailabilityQuery, AvailabilityResponse, RegisterQuery, RegisterRequest, RegisterResponse,
};
use countersign_core::{Flow, UiaOperation};
use countersign_service::{self as service, Accounts, NewDevice, Uia};
use zeroize::Zeroizing;

use super::{
    ClientError, MatrixJson, MatrixQuery,
    uia::{Operation, authenticate},
};
use crate::http::{AppState, Registration, extract::Context};

/// `GET /register/available`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable))
pub(in crate::http) async fn check_availability(
    State(state): State<AppState>,
    State(accounts): State<Accounts>,
    Context(context): Context,
    MatrixQuery(query): MatrixQuery<AvailabilityQuery>,
) -> Result<Json<AvailabilityResponse>, ClientError> {
    open_flows(&state)?;
    accounts.check_username_for(context.network, &query.username, None).await?;
    Ok(Json(AvailabilityResponse { available: true }))
}

/// `POST /register` ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register))
pub(in crate::http) async fn register(
    State(state): State<AppState>,
    State(accounts): State<Accounts>,
    State(uia): State<Uia>,
    Context(context): Context,
    MatrixQuery(query): MatrixQuery<RegisterQuery>,
    MatrixJson(body): MatrixJson<RegisterRequest>,
) -> Result<Json<RegisterResponse>, ClientError> {
    check_kind(query.kind.as_deref())?;
    let flows = open_flows(&state)?;
    let device = NewDevice::parse(body.device_id.as_deref(), body.initial_device_display_name)?;
    body.password.as_deref().map(|password| accounts.check_new_password(password)).transpose()?;
    let session = body.auth.as_ref().and_then(|auth| auth.session.as_deref());
    let localpart = match &body.username {
        Some(username) => Some(accounts.check_username_for(context.network, username, session).await?),
        None => None,
    };
    let operation = Operation {
        network: context.network,
        operation: UiaOperation::Register,
        flows,
        localpart: None,
        target: None,
    };
    let uia_session = authenticate(&uia, body.auth, operation).await?;
    // Only now: a first request without a password still learns the flows.
    let password = body.password.ok_or_else(|| ClientError::missing_param("password"))?;
    let request = service::RegisterRequest {
        context,
        localpart,
        password: Zeroizing::new(password),
        device: (body.inhibit_login != Some(true)).then_some(device),
        uia_session,
    };
    let registered = accounts.register(request).await?;
    let (access_token, device_id) = registered
        .login
        .map(|login| (login.access_token.to_string(), login.device_id.as_str().to_owned()))
        .unzip();
    Ok(Json(RegisterResponse {
        user_id: registered.user_id.to_string(),
        access_token,
        device_id,
        refresh_token: None,
        expires_in_ms: None,
    }))
}

fn check_kind(kind: Option<&str>) -> Result<(), ClientError> {
    match kind {
        None | Some("user") => Ok(()),
        Some("guest") => Err(ClientError::forbidden("This server has no guest accounts")),
        Some(_) => Err(ClientError::invalid_param("kind must be user or guest")),
    }
}

fn open_flows(state: &AppState) -> Result<Vec<Flow>, ClientError> {
    match &state.settings().registration {
        Registration::Open(flows) => Ok(flows.clone()),
        Registration::Closed => Err(ClientError::forbidden("Registration is closed on this server")),
    }
}

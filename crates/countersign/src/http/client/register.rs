//! `/register` and `/register/available`.

use axum::{Json, extract::State};
use countersign_api::{
    client::register::{
        AvailabilityQuery, AvailabilityResponse, RegisterQuery, RegisterRequest, RegisterResponse,
    },
    object::{FromObject, Object},
};
use countersign_core::{Localpart, UiaOperation};
use countersign_service::{
    self as service, Accounts, NewAccount, NewDevice, NewPassword, RequestContext, UiaRun, UiaWish,
    WithRefresh,
};
use zeroize::Zeroizing;

use super::{ClientError, MatrixJson, MatrixQuery, refresh::expires_in_ms, uia};
use crate::http::{AppState, PasswordNeeded, Registration, extract::Context};

/// `GET /register/available`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable))
pub(in crate::http) async fn check_availability(
    State(state): State<AppState>,
    State(accounts): State<Accounts>,
    Context(context): Context,
    MatrixQuery(query): MatrixQuery<AvailabilityQuery>,
) -> Result<Json<AvailabilityResponse>, ClientError> {
    require_open(&state)?;
    accounts.check_username_for(context.network, &query.username, None).await?;
    Ok(Json(AvailabilityResponse { available: true }))
}

/// `POST /register` ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register))
pub(in crate::http) async fn register(
    State(state): State<AppState>,
    State(accounts): State<Accounts>,
    Context(context): Context,
    MatrixQuery(query): MatrixQuery<RegisterQuery>,
    MatrixJson(mut body): MatrixJson<Object>,
) -> Result<Json<RegisterResponse>, ClientError> {
    check_kind(query.kind.as_deref())?;
    let password_needed = require_open(&state)?;
    let run = uia::begin(&state, UiaOperation::Register, None, &mut body).await?;
    let body = RegisterRequest::from_object(body)?;
    let localpart = localpart(&accounts, &context, &run, body.username.as_deref()).await?;
    let device = NewDevice::parse(body.device_id.as_deref(), body.initial_device_display_name)?;
    let password = body.password.map(Zeroizing::new);
    if let Some(password) = &password {
        accounts.check_new_password(password, localpart.as_ref())?;
    }
    let wish = UiaWish { target: None, new_password: password.clone(), network: context.network };
    let proof = uia::authenticate(&state, run, wish).await?;
    let password = NewPassword::of(password, proof.password_hash.as_deref());
    // Only now: a first request without a password still learns the flows.
    if let (NewPassword::None, PasswordNeeded::Yes) = (&password, password_needed) {
        return Err(ClientError::missing_param("password"));
    }
    let request = service::RegisterRequest {
        context,
        localpart,
        password,
        device: (body.inhibit_login != Some(true)).then_some(device),
        refresh: WithRefresh::of(body.refresh_token),
        proof,
    };
    Ok(Json(registered(accounts.register(request).await?)))
}

fn registered(NewAccount { user_id, login }: NewAccount) -> RegisterResponse {
    let user_id = user_id.to_string();
    let Some(login) = login else {
        return RegisterResponse {
            user_id,
            access_token: None,
            device_id: None,
            refresh_token: None,
            expires_in_ms: None,
        };
    };
    RegisterResponse {
        user_id,
        access_token: Some(login.access_token.to_string()),
        device_id: Some(login.device_id.as_str().to_owned()),
        refresh_token: login.refresh_token.as_ref().map(|token| token.to_string()),
        expires_in_ms: expires_in_ms(&login),
    }
}

/// The wanted name, checked. A later round with the name of the first is not charged for asking again: clients ask until
/// a link is clicked. Whether it is free still decides itself when the account is made.
async fn localpart(
    accounts: &Accounts,
    context: &RequestContext,
    run: &UiaRun,
    username: Option<&str>,
) -> Result<Option<Localpart>, ClientError> {
    let Some(username) = username else { return Ok(None) };
    let earlier = match run.params() {
        Some(params) => RegisterRequest::from_object(Object::parse(params.as_bytes())?)?.username,
        None => None,
    };
    let localpart = if earlier.as_deref() == Some(username) {
        accounts.parse_username(username)?
    } else {
        accounts.check_username_for(context.network, username, run.registered()).await?
    };
    Ok(Some(localpart))
}

fn check_kind(kind: Option<&str>) -> Result<(), ClientError> {
    match kind {
        None | Some("user") => Ok(()),
        Some("guest") => Err(ClientError::forbidden("This server has no guest accounts")),
        Some(_) => Err(ClientError::invalid_param("kind must be user or guest")),
    }
}

/// Refuses everybody where registration is closed.
pub(super) fn require_open(state: &AppState) -> Result<PasswordNeeded, ClientError> {
    match state.settings().registration {
        Registration::Open(password_needed) => Ok(password_needed),
        Registration::Closed => Err(ClientError::forbidden("Registration is closed on this server")),
    }
}

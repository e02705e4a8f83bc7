//! `/account/password`: a new password, for who knows the old one or proves an address of the account.

use axum::{Json, extract::State};
use countersign_api::{
    client::{Empty, password::ChangePasswordRequest},
    object::{FromObject, Object},
};
use countersign_core::UiaOperation;
use countersign_service::{Accounts, ChangePassword, LogOutDevices, NewPassword, Notices, UiaWish};
use zeroize::Zeroizing;

use super::{ClientError, MatrixJson, MaybeAuthenticated, uia};
use crate::http::{AppState, Offer, extract::Context};

/// `POST /account/password`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword))
pub(in crate::http) async fn change_password(
    State(state): State<AppState>,
    State(accounts): State<Accounts>,
    State(notices): State<Notices>,
    MaybeAuthenticated(caller): MaybeAuthenticated,
    Context(context): Context,
    MatrixJson(mut body): MatrixJson<Object>,
) -> Result<Json<Empty>, ClientError> {
    ClientError::unless_offered(state.settings(), Offer::PasswordChanges)?;
    let localpart = caller.as_ref().map(|caller| caller.localpart.clone());
    let run = uia::begin(&state, UiaOperation::ChangePassword, localpart.clone(), &mut body).await?;
    let body = ChangePasswordRequest::from_object(body)?;
    let password = body.new_password.map(Zeroizing::new);
    if let Some(password) = &password {
        accounts.check_new_password(password, localpart.as_ref())?;
    }
    let wish = UiaWish { target: None, new_password: password.clone(), network: context.network };
    let proof = uia::authenticate(&state, run, wish).await?;
    let logs_out = body.logout_devices != Some(false);
    let change = ChangePassword {
        context,
        caller,
        new_password: NewPassword::of(password, proof.password_hash.as_deref()),
        log_out_devices: if logs_out { LogOutDevices::Others } else { LogOutDevices::None },
        proof,
    };
    accounts.change_password(change, &notices).await?;
    Ok(Json(Empty {}))
}

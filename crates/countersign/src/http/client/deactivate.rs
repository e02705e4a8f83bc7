//! `/account/deactivate`: the end of an account.

use axum::{Json, extract::State};
use countersign_api::{
    client::{
        deactivate::{DeactivateRequest, DeactivateResponse},
        threepid::UnbindResult,
    },
    object::{FromObject, Object},
};
use countersign_core::UiaOperation;
use countersign_service::{Accounts, Deactivate, Notices, UiaWish};

use super::{ClientError, MatrixJson, MaybeAuthenticated, uia};
use crate::http::{AppState, Offer, extract::Context};

/// `POST /account/deactivate`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate))
///
/// Nothing of the account was bound at an identity server, so there is nothing to unbind: `success`. What users wrote is
/// none of this server's data, so there is nothing more to erase either.
pub(in crate::http) async fn deactivate(
    State(state): State<AppState>,
    State(accounts): State<Accounts>,
    State(notices): State<Notices>,
    MaybeAuthenticated(caller): MaybeAuthenticated,
    Context(context): Context,
    MatrixJson(mut body): MatrixJson<Object>,
) -> Result<Json<DeactivateResponse>, ClientError> {
    ClientError::unless_offered(state.settings(), Offer::Deactivation)?;
    let localpart = caller.map(|caller| caller.localpart);
    let run = uia::begin(&state, UiaOperation::Deactivate, localpart.clone(), &mut body).await?;
    DeactivateRequest::from_object(body)?;
    let wish = UiaWish { target: None, new_password: None, network: context.network };
    let proof = uia::authenticate(&state, run, wish).await?;
    // Without an access token the only flow has a password, which proves an account.
    let localpart = localpart.or_else(|| proof.account.clone()).ok_or_else(ClientError::missing_token)?;
    accounts.deactivate(Deactivate { context, localpart, proof }, &notices).await?;
    Ok(Json(DeactivateResponse { id_server_unbind_result: UnbindResult::Success }))
}

//! `/account/deactivate`: the end of an account.

use axum::{Json, extract::State};
use countersign_api::{
    client::deactivate::{DeactivateRequest, DeactivateResponse},
    object::{FromObject, Object},
};
use countersign_core::{IdServer, UiaOperation};
use countersign_service::{Deactivate, UiaWish};

use super::{ClientError, MatrixJson, MaybeAuthenticated, threepid::unbind_result, uia};
use crate::http::{AppParts, AppState, Offer, extract::Context};

/// `POST /account/deactivate`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate))
///
/// What the account published is taken back afterwards; an identity server that fails stops nothing and is asked again later.
/// What users wrote is none of this server's data, so there is nothing more to erase.
pub(in crate::http) async fn deactivate(
    State(state): State<AppState>,
    MaybeAuthenticated(caller): MaybeAuthenticated,
    Context(context): Context,
    MatrixJson(mut body): MatrixJson<Object>,
) -> Result<Json<DeactivateResponse>, ClientError> {
    ClientError::unless_offered(state.settings(), Offer::Deactivation)?;
    let localpart = caller.map(|caller| caller.localpart);
    let run = uia::begin(&state, UiaOperation::Deactivate, localpart.clone(), &mut body).await?;
    let id_server = DeactivateRequest::from_object(body)?.id_server;
    let id_server = id_server.as_deref().map(IdServer::parse).transpose()?;
    let wish = UiaWish { target: None, new_password: None, network: context.network };
    let proof = uia::authenticate(&state, run, wish).await?;
    // Without an access token the only flow has a password, which proves an account.
    let localpart = localpart.or_else(|| proof.account.clone()).ok_or_else(ClientError::missing_token)?;
    let AppParts { accounts, notices, threepids, bound_threepids, .. } = &*state.0;
    let listed = threepids.list(&localpart).await?;
    let addresses: Vec<_> = listed.into_iter().map(|listed| listed.threepid).collect();
    if let Some(id_server) = id_server {
        bound_threepids.remember(&localpart, &addresses, &id_server).await?;
    }
    accounts.deactivate(Deactivate { context, localpart: localpart.clone(), proof }, notices).await?;
    let unbound = bound_threepids.take_everything_back(&localpart, &addresses).await;
    Ok(Json(DeactivateResponse { id_server_unbind_result: unbind_result(unbound) }))
}

//! `/account/3pid`: the addresses of an account.

use axum::{Json, extract::State};
use countersign_api::{
    client::{
        Empty,
        threepid::{
            AddThreepidDirectlyRequest, AddThreepidRequest, BindThreepidRequest, DeleteThreepidRequest,
            DeleteThreepidResponse, Threepid, ThreepidsResponse, UnbindResult,
        },
    },
    object::{FromObject, Object},
};
use countersign_core::{ClientSecret, IdServer, Medium, SessionId, ThirdPartyIdentifier, UiaOperation};
use countersign_service::{self as service, AccountThreepids, BindElsewhere, BoundThreepids, UiaWish};
use zeroize::Zeroizing;

use super::{Authenticated, ClientError, MatrixJson, uia};
use crate::http::{AppState, Offer, answer::not_found, extract::Context};

/// `GET /account/3pid` ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid))
pub(in crate::http) async fn get_account_3pids(
    State(threepids): State<AccountThreepids>,
    Authenticated(caller): Authenticated,
) -> Result<Json<ThreepidsResponse>, ClientError> {
    let listed = threepids.list(&caller.localpart).await?;
    let threepids = listed
        .into_iter()
        .map(|listed| Threepid {
            medium: listed.threepid.medium().as_str().to_owned(),
            address: listed.threepid.address().to_owned(),
            validated_at: listed.validated_at.as_millis(),
            added_at: listed.added_at.as_millis(),
        })
        .collect();
    Ok(Json(ThreepidsResponse { threepids }))
}

/// `POST /account/3pid`, deprecated
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pid))
///
/// The specification calls it an equal of `/account/3pid/bind`; servers make it an `add` without a password. So it is off
/// unless the operator wants it.
pub(in crate::http) async fn post_3pids(
    State(state): State<AppState>,
    State(threepids): State<AccountThreepids>,
    Authenticated(caller): Authenticated,
    Context(context): Context,
    MatrixJson(body): MatrixJson<Object>,
) -> Result<Json<Empty>, ClientError> {
    if !state.settings().offers.includes(Offer::DeprecatedAdd) {
        return Err(not_found().await.into());
    }
    ClientError::unless_offered(state.settings(), Offer::ThreepidChanges)?;
    let creds = AddThreepidDirectlyRequest::from_object(body)?.three_pid_creds;
    let (sid, client_secret) = (SessionId::parse(&creds.sid), ClientSecret::parse(&creds.client_secret)?);
    let added = threepids.add_directly(&caller.localpart, sid, &client_secret, &context).await;
    added.map_err(ClientError::of_direct_add)?;
    Ok(Json(Empty {}))
}

/// `POST /account/3pid/add`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd))
///
/// The session is looked at after authentication, so that its refusal is never a 401 with flows.
pub(in crate::http) async fn add_3pid(
    State(threepids): State<AccountThreepids>,
    State(state): State<AppState>,
    Authenticated(caller): Authenticated,
    Context(context): Context,
    MatrixJson(mut body): MatrixJson<Object>,
) -> Result<Json<Empty>, ClientError> {
    ClientError::unless_offered(state.settings(), Offer::ThreepidChanges)?;
    let run =
        uia::begin(&state, UiaOperation::AddThreepid, Some(caller.localpart.clone()), &mut body).await?;
    let body = AddThreepidRequest::from_object(body)?;
    let (sid, client_secret) = body.session()?;
    let (sid, client_secret) = (SessionId::parse(sid), ClientSecret::parse(client_secret)?);
    let target = Some(threepids.uia_target(sid.as_ref(), &client_secret));
    let wish = UiaWish { target, new_password: None, network: context.network };
    let proof = uia::authenticate(&state, run, wish).await?;
    threepids.add(&caller.localpart, sid, &client_secret, &proof, &context).await?;
    Ok(Json(Empty {}))
}

/// `POST /account/3pid/bind`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind))
pub(in crate::http) async fn bind_3pid(
    State(bound): State<BoundThreepids>,
    Authenticated(caller): Authenticated,
    Context(context): Context,
    MatrixJson(body): MatrixJson<BindThreepidRequest>,
) -> Result<Json<Empty>, ClientError> {
    let wish = BindElsewhere {
        id_server: IdServer::parse(&body.id_server)?,
        id_access_token: Zeroizing::new(body.id_access_token),
        client_secret: ClientSecret::parse(&body.client_secret)?,
        sid: body.sid,
        language: context.language,
    };
    bound.bind(&caller.localpart, wish).await?;
    Ok(Json(Empty {}))
}

/// `POST /account/3pid/delete`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete))
///
/// What an identity server refuses to take back stays on the account too, so that its user can try again.
pub(in crate::http) async fn delete_3pid_from_account(
    State(state): State<AppState>,
    State(threepids): State<AccountThreepids>,
    State(bound): State<BoundThreepids>,
    Authenticated(caller): Authenticated,
    Context(context): Context,
    MatrixJson(body): MatrixJson<DeleteThreepidRequest>,
) -> Result<Json<DeleteThreepidResponse>, ClientError> {
    ClientError::unless_offered(state.settings(), Offer::ThreepidChanges)?;
    let (threepid, id_server) = parse_unbind(&body.medium, &body.address, body.id_server.as_deref())?;
    let unbound = bound.unbind(&caller.localpart, &threepid, id_server).await?;
    threepids.delete(&caller.localpart, &threepid, &context).await?;
    Ok(Json(DeleteThreepidResponse { id_server_unbind_result: unbind_result(unbound) }))
}

/// `POST /account/3pid/unbind`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidunbind))
pub(in crate::http) async fn unbind_3pid(
    State(bound): State<BoundThreepids>,
    Authenticated(caller): Authenticated,
    MatrixJson(body): MatrixJson<DeleteThreepidRequest>,
) -> Result<Json<DeleteThreepidResponse>, ClientError> {
    let (threepid, id_server) = parse_unbind(&body.medium, &body.address, body.id_server.as_deref())?;
    let unbound = bound.unbind(&caller.localpart, &threepid, id_server).await?;
    Ok(Json(DeleteThreepidResponse { id_server_unbind_result: unbind_result(unbound) }))
}

fn parse_unbind(
    medium: &str,
    address: &str,
    id_server: Option<&str>,
) -> Result<(ThirdPartyIdentifier, Option<IdServer>), ClientError> {
    let medium =
        Medium::parse(medium).ok_or_else(|| ClientError::invalid_param("medium must be email or msisdn"))?;
    let threepid = ThirdPartyIdentifier::from_canonical(medium, address)
        .ok_or_else(|| ClientError::invalid_param("address is not an address of this medium"))?;
    Ok((threepid, id_server.map(IdServer::parse).transpose()?))
}

/// What became of associations, as the wire has it.
pub(super) fn unbind_result(result: service::UnbindResult) -> UnbindResult {
    match result {
        service::UnbindResult::Success => UnbindResult::Success,
        service::UnbindResult::NoSupport => UnbindResult::NoSupport,
    }
}

//! `/account/3pid`: asking for a token, and the addresses of an account.

use axum::{Json, extract::State};
use countersign_api::client::{
    Empty,
    threepid::{
        AddThreepidRequest, DeleteThreepidRequest, DeleteThreepidResponse, RequestEmailToken,
        RequestMsisdnToken, RequestTokenResponse, Threepid, ThreepidsResponse, UnbindResult,
    },
};
use countersign_core::{
    ClientSecret, EmailAddress, Medium, Msisdn, SendAttempt, SessionId, SessionPurpose, Stage,
    ThirdPartyIdentifier, UiaOperation,
};
use countersign_service::{AccountThreepids, TokenRequest, TokenRequested, Uia, Verifier};

use super::{
    Authenticated, ClientError, MatrixJson,
    uia::{Operation, authenticate},
};
use crate::http::extract::Context;

/// `POST /account/3pid/email/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken))
pub(in crate::http) async fn request_token_to_3pid_email(
    State(verifier): State<Verifier>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<RequestEmailToken>,
) -> Result<Json<RequestTokenResponse>, ClientError> {
    let client_secret = ClientSecret::parse(&body.client_secret)?;
    let next_link = body.next_link.as_deref().map(|link| verifier.parse_next_link(link)).transpose()?;
    verifier.require_medium(Medium::Email)?;
    let request = TokenRequest {
        context,
        purpose: SessionPurpose::AddThreepid,
        threepid: EmailAddress::parse(&body.email)?.into(),
        client_secret,
        send_attempt: SendAttempt(body.send_attempt),
        next_link,
    };
    Ok(Json(requested(verifier.request_token(request).await?)))
}

/// `POST /account/3pid/msisdn/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken))
pub(in crate::http) async fn request_token_to_3pid_msisdn(
    State(verifier): State<Verifier>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<RequestMsisdnToken>,
) -> Result<Json<RequestTokenResponse>, ClientError> {
    let client_secret = ClientSecret::parse(&body.client_secret)?;
    let next_link = body.next_link.as_deref().map(|link| verifier.parse_next_link(link)).transpose()?;
    verifier.require_medium(Medium::Msisdn)?;
    let request = TokenRequest {
        context,
        purpose: SessionPurpose::AddThreepid,
        threepid: Msisdn::parse(&body.country, &body.phone_number)?.into(),
        client_secret,
        send_attempt: SendAttempt(body.send_attempt),
        next_link,
    };
    Ok(Json(requested(verifier.request_token(request).await?)))
}

fn requested(requested: TokenRequested) -> RequestTokenResponse {
    RequestTokenResponse { sid: requested.sid.to_string(), submit_url: requested.submit_url }
}

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

/// `POST /account/3pid/add`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd))
///
/// The session is looked at after authentication, so that its refusal is never a 401 with flows.
pub(in crate::http) async fn add_3pid(
    State(threepids): State<AccountThreepids>,
    State(uia): State<Uia>,
    Context(context): Context,
    Authenticated(caller): Authenticated,
    MatrixJson(body): MatrixJson<AddThreepidRequest>,
) -> Result<Json<Empty>, ClientError> {
    let (sid, client_secret) = body.session()?;
    let (sid, client_secret) = (SessionId::parse(sid), ClientSecret::parse(client_secret)?);
    let operation = Operation {
        network: context.network,
        operation: UiaOperation::AddThreepid,
        flows: vec![vec![Stage::Password]],
        localpart: Some(caller.localpart.clone()),
        target: Some(threepids.uia_target(sid.as_ref(), &client_secret)),
    };
    authenticate(&uia, body.auth, operation).await?;
    threepids.add(&caller.localpart, sid, &client_secret).await?;
    Ok(Json(Empty {}))
}

/// `POST /account/3pid/delete`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete))
///
/// Nothing was bound at an identity server, so there is nothing to unbind: `no-support`.
pub(in crate::http) async fn delete_3pid_from_account(
    State(threepids): State<AccountThreepids>,
    Authenticated(caller): Authenticated,
    MatrixJson(body): MatrixJson<DeleteThreepidRequest>,
) -> Result<Json<DeleteThreepidResponse>, ClientError> {
    let medium = Medium::parse(&body.medium)
        .ok_or_else(|| ClientError::invalid_param("medium must be email or msisdn"))?;
    let threepid = ThirdPartyIdentifier::from_canonical(medium, &body.address)
        .ok_or_else(|| ClientError::invalid_param("address is not an address of this medium"))?;
    threepids.delete(&caller.localpart, &threepid).await?;
    Ok(Json(DeleteThreepidResponse { id_server_unbind_result: UnbindResult::NoSupport }))
}

//! `/_countersign/v1/submit_token`: the `submit_url`, where a client hands in a code.

use axum::{Json, extract::State};
use countersign_api::submit_token::{SubmitTokenRequest, SubmitTokenResponse};
use countersign_core::{ClientSecret, SessionId, SubmittedToken};
use countersign_service::{self as service, Verifier};

use super::{
    client::{ClientError, MatrixJson},
    extract::Context,
};

/// `POST /_countersign/v1/submit_token`, in the shape of the identity service's `submitToken`
/// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken))
pub(super) async fn submit_token(
    State(verifier): State<Verifier>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<SubmitTokenRequest>,
) -> Result<Json<SubmitTokenResponse>, ClientError> {
    let request = service::SubmitTokenRequest {
        context,
        sid: SessionId::parse(&body.sid),
        client_secret: ClientSecret::parse(&body.client_secret)?,
        token: SubmittedToken::parse(&body.token)?,
    };
    verifier.submit_token(request).await?;
    Ok(Json(SubmitTokenResponse { success: true }))
}

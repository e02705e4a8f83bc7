//! `/_countersign/v1/submit_token`: the `submit_url`, where a client hands in a code.

use axum::{Json, extract::State, http::StatusCode};
use countersign_api::{
    error::ErrorCode,
    submit_token::{SubmitTokenRequest, SubmitTokenResponse},
};
use countersign_core::{ClientSecret, SessionId, SubmissionScope, SubmittedToken};
use countersign_service::{self as service, SubmitTokenError, Verifier};

use super::{
    answer::ErrorAnswer,
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
        scope: SubmissionScope::Node,
        sid: SessionId::parse(&body.sid),
        client_secret: ClientSecret::parse(&body.client_secret)?,
        token: SubmittedToken::parse(&body.token)?,
    };
    verifier.submit_token(request).await?;
    Ok(Json(SubmitTokenResponse { success: true }))
}

/// The same in all APIs.
impl From<SubmitTokenError> for ErrorAnswer {
    fn from(error: SubmitTokenError) -> Self {
        use SubmitTokenError as E;
        let bad_request = |errcode, error: &str| Self::new(StatusCode::BAD_REQUEST, errcode, error);
        match error {
            E::UnknownSession => bad_request(
                ErrorCode::InvalidParam,
                "There is no such session, or the client secret is wrong",
            ),
            E::Incorrect => bad_request(ErrorCode::TokenIncorrect, "The token is wrong"),
            E::SessionExpired => bad_request(
                ErrorCode::SessionExpired,
                "The validation session has expired or was ended: ask for a new token",
            ),
            E::CodeExpired => {
                let error = "The code is right but too old: ask for a new message with a higher send_attempt";
                bad_request(ErrorCode::SessionExpired, error).with_extra("resend", true.into())
            }
            E::Limited(retry_after) => Self::limited(retry_after),
            E::Unreachable(_) => Self::bad_gateway(&error),
            E::Storage(cause) => Self::storage(&cause),
        }
    }
}

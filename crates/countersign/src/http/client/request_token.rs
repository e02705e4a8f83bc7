//! The six `…/requestToken`: to register, to add an address to an account, to reset a password; by mail and by SMS.
//!
//! They differ in what the session may prove, and so in who may have the address already.

use axum::{Json, extract::State};
use countersign_api::client::request_token::{RequestEmailToken, RequestMsisdnToken, RequestTokenResponse};
use countersign_core::{
    ClientSecret, EmailAddress, Medium, Msisdn, SendAttempt, SessionPurpose, ThirdPartyIdentifier,
};
use countersign_service::{RequestContext, TokenRequest};

use super::{ClientError, MatrixJson};
use crate::http::{AppState, HttpSettings, Offer, Registration, extract::Context};

type Answer = Result<Json<RequestTokenResponse>, ClientError>;

/// `POST /register/email/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken))
pub(in crate::http) async fn request_token_to_register_email(
    State(state): State<AppState>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<RequestEmailToken>,
) -> Answer {
    by_email(&state, context, SessionPurpose::Register, body).await
}

/// `POST /register/msisdn/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registermsisdnrequesttoken))
pub(in crate::http) async fn request_token_to_register_msisdn(
    State(state): State<AppState>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<RequestMsisdnToken>,
) -> Answer {
    by_msisdn(&state, context, SessionPurpose::Register, body).await
}

/// `POST /account/3pid/email/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken))
pub(in crate::http) async fn request_token_to_3pid_email(
    State(state): State<AppState>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<RequestEmailToken>,
) -> Answer {
    by_email(&state, context, SessionPurpose::AddThreepid, body).await
}

/// `POST /account/3pid/msisdn/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken))
pub(in crate::http) async fn request_token_to_3pid_msisdn(
    State(state): State<AppState>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<RequestMsisdnToken>,
) -> Answer {
    by_msisdn(&state, context, SessionPurpose::AddThreepid, body).await
}

/// `POST /account/password/email/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken))
pub(in crate::http) async fn request_token_to_reset_password_email(
    State(state): State<AppState>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<RequestEmailToken>,
) -> Answer {
    by_email(&state, context, SessionPurpose::ResetPassword, body).await
}

/// `POST /account/password/msisdn/requestToken`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordmsisdnrequesttoken))
pub(in crate::http) async fn request_token_to_reset_password_msisdn(
    State(state): State<AppState>,
    Context(context): Context,
    MatrixJson(body): MatrixJson<RequestMsisdnToken>,
) -> Answer {
    by_msisdn(&state, context, SessionPurpose::ResetPassword, body).await
}

async fn by_email(
    state: &AppState,
    context: RequestContext,
    purpose: SessionPurpose,
    body: RequestEmailToken,
) -> Answer {
    let client_secret = ClientSecret::parse(&body.client_secret)?;
    let wish = Wish { context, purpose, client_secret, send_attempt: body.send_attempt };
    wish.send(state, body.next_link, Medium::Email, || Ok(EmailAddress::parse(&body.email)?.into())).await
}

async fn by_msisdn(
    state: &AppState,
    context: RequestContext,
    purpose: SessionPurpose,
    body: RequestMsisdnToken,
) -> Answer {
    let client_secret = ClientSecret::parse(&body.client_secret)?;
    let wish = Wish { context, purpose, client_secret, send_attempt: body.send_attempt };
    let parse = || Ok(Msisdn::parse(&body.country, &body.phone_number)?.into());
    wish.send(state, body.next_link, Medium::Msisdn, parse).await
}

/// What a request of either medium wishes.
struct Wish {
    context: RequestContext,
    purpose: SessionPurpose,
    client_secret: ClientSecret,
    send_attempt: i64,
}

impl Wish {
    /// Nobody looks at the address before it is sure that the server does this at all, by this medium.
    async fn send(
        self,
        state: &AppState,
        next_link: Option<String>,
        medium: Medium,
        parse: impl FnOnce() -> Result<ThirdPartyIdentifier, ClientError>,
    ) -> Answer {
        let verifier = &state.0.verifier;
        let next_link = next_link.map(|link| verifier.parse_next_link(&link)).transpose()?;
        require_offered(state.settings(), self.purpose)?;
        verifier.require_medium(medium)?;
        let request = TokenRequest {
            context: self.context,
            purpose: self.purpose,
            threepid: parse()?,
            client_secret: self.client_secret,
            send_attempt: SendAttempt(self.send_attempt),
            next_link,
        };
        let requested = verifier.request_token(request).await?;
        Ok(Json(RequestTokenResponse { sid: requested.sid.to_string(), submit_url: requested.submit_url }))
    }
}

/// Refuses what the operator has switched off.
fn require_offered(settings: &HttpSettings, purpose: SessionPurpose) -> Result<(), ClientError> {
    match purpose {
        SessionPurpose::Register => match settings.registration {
            Registration::Open(_) => Ok(()),
            Registration::Closed => Err(ClientError::switched_off()),
        },
        SessionPurpose::AddThreepid => ClientError::unless_offered(settings, Offer::ThreepidChanges),
        SessionPurpose::ResetPassword => ClientError::unless_offered(settings, Offer::PasswordChanges),
        // The client API has no requests for these.
        SessionPurpose::Identity | SessionPurpose::Verify => Err(ClientError::switched_off()),
    }
}

//! The pages of `m.login.email.identity` and `m.login.msisdn`: an address, then the code or link that came to it.

use axum::{http::StatusCode, response::Response};
use countersign_core::{
    ClientSecret, EmailAddress, Msisdn, SendAttempt, SessionId, Stage, SubmissionScope, SubmittedToken,
    ThirdPartyIdentifier,
};
use countersign_service::{StageAttempt, StageState, SubmitTokenRequest, TokenRequest, TokenRequested};
use serde::Deserialize;

use super::{Failure, StageForm, Visit};
use crate::pages::{FallbackEmail, FallbackMsisdn, FallbackThreepid, SentMessage, ThreepidProblem};

/// The longest number of messages that a page asks for. The limits of an address end earlier.
const MAX_ATTEMPTS: u32 = 1000;

/// Which button it was.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// Send a message, or another one.
    Ask,
    /// The code was typed, or the link was opened.
    Check,
}

/// The page that asks for the address.
pub(super) fn first_page(visit: &Visit) -> Response {
    Typed { address: None, sent: None }.page(visit, StatusCode::OK, None)
}

/// A button of the page. What is wrong with an address or a code is told on it.
pub(super) async fn press(visit: &Visit, form: StageForm) -> Result<Response, Failure> {
    let step = form.step.unwrap_or(Step::Ask);
    let typed = Typed::of(&form);
    let view = visit.view().await?;
    if view.state == StageState::Completed {
        return Ok(visit.done());
    }
    let outcome = match step {
        Step::Ask => typed.ask(visit, view.operation.threepid_purpose()).await,
        Step::Check => typed.check(visit, form.code.as_deref()).await,
    };
    match outcome {
        Err(Failure::Threepid(problem)) => Ok(typed.page(visit, StatusCode::BAD_REQUEST, Some(problem))),
        outcome => outcome,
    }
}

/// What the form holds.
struct Typed {
    address: Option<String>,
    sent: Option<SentMessage>,
}

impl Typed {
    fn of(form: &StageForm) -> Self {
        let sent = match (&form.sid, &form.client_secret) {
            (Some(sid), Some(client_secret)) => Some(SentMessage {
                sid: sid.clone(),
                client_secret: client_secret.clone(),
                attempt: form.attempt.as_deref().and_then(|attempt| attempt.parse().ok()).unwrap_or(1),
                has_code: form.has_code.as_deref() == Some("yes"),
            }),
            (Some(_) | None, _) => None,
        };
        Self { address: form.address.clone(), sent }
    }

    fn page(&self, visit: &Visit, status: StatusCode, problem: Option<ThreepidProblem>) -> Response {
        let page = FallbackThreepid {
            address: self.address.clone(),
            sent: self.sent.clone(),
            problem,
            session: visit.session.clone(),
        };
        match visit.stage {
            Stage::Msisdn => visit.reader.answer(status, &FallbackMsisdn(page)),
            _ => visit.reader.answer(status, &FallbackEmail(page)),
        }
    }

    /// Sends a message. Another one goes to the same session, with the next number.
    async fn ask(
        &self,
        visit: &Visit,
        purpose: countersign_core::SessionPurpose,
    ) -> Result<Response, Failure> {
        let threepid = self.threepid(visit.stage)?;
        let (client_secret, attempt) = match &self.sent {
            Some(sent) => (parse_secret(&sent.client_secret)?, sent.attempt.saturating_add(1)),
            None => (visit.state.uia().new_client_secret(), 1),
        };
        let attempt = attempt.min(MAX_ATTEMPTS);
        let request = TokenRequest {
            context: visit.context.clone(),
            purpose,
            threepid,
            client_secret: client_secret.clone(),
            send_attempt: SendAttempt(attempt.into()),
            next_link: None,
        };
        let TokenRequested { sid, submit_url } = visit.state.verifier().request_token(request).await?;
        let sent = SentMessage {
            sid: sid.to_string(),
            client_secret: client_secret.expose().to_owned(),
            attempt,
            has_code: submit_url.is_some(),
        };
        let asked = Self { address: self.address.clone(), sent: Some(sent) };
        Ok(asked.page(visit, StatusCode::OK, None))
    }

    /// Hands in the code, if one was typed, and completes the stage if the address is proven by then.
    async fn check(&self, visit: &Visit, code: Option<&str>) -> Result<Response, Failure> {
        let sent = self.sent.as_ref().ok_or(Failure::Gone)?;
        let (sid, client_secret) = (SessionId::parse(&sent.sid), parse_secret(&sent.client_secret)?);
        if let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) {
            let token =
                SubmittedToken::parse(code).map_err(|_| Failure::Threepid(ThreepidProblem::WrongCode))?;
            let client_secret = client_secret.clone();
            let context = visit.context.clone();
            let request =
                SubmitTokenRequest { context, scope: SubmissionScope::Node, sid, client_secret, token };
            visit.state.verifier().submit_token(request).await?;
        }
        visit.attempt(StageAttempt::Threepid { stage: visit.stage, sid, client_secret }).await
    }

    fn threepid(&self, stage: Stage) -> Result<ThirdPartyIdentifier, Failure> {
        let invalid = || Failure::Threepid(ThreepidProblem::Invalid);
        let typed = self.address.as_deref().map(str::trim).ok_or_else(invalid)?;
        if stage == Stage::EmailIdentity {
            return Ok(EmailAddress::parse(typed).map_err(|_| invalid())?.into());
        }
        // With the country code in front, it does not matter where it is dialed from.
        let number = if typed.starts_with('+') { typed.to_owned() } else { format!("+{typed}") };
        Ok(Msisdn::parse("US", &number).map_err(|_| invalid())?.into())
    }
}

/// The secret is in the form as we wrote it, unless someone changed it.
fn parse_secret(text: &str) -> Result<ClientSecret, Failure> {
    ClientSecret::parse(text).map_err(|_| Failure::Gone)
}

//! `/client/v3/auth/{stage}/fallback/web`: pages that complete a stage, for clients that don't know it
//! ([spec](https://spec.matrix.org/v1.19/client-server-api/#fallback)).
//!
//! Whoever has the id of the authentication session may; it is as good as a password until the session is over. The last
//! page tells the client by a script, the only one on a page.

mod failure;
mod threepid;

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderName, HeaderValue, StatusCode},
    response::Response,
    routing::get,
};
use countersign_api::uia::{FALLBACK, PolicyLink};
use countersign_core::{Language, Stage};
use countersign_service::{PageOutcome, RequestContext, StageAttempt, StageState, StageView};
use serde::Deserialize;

use self::failure::Failure;
use super::{
    error,
    reader::{PageForm, Reader},
};
use crate::{
    http::{AppState, extract::Context},
    pages::{
        FallbackDone, FallbackDummy, FallbackRegistrationToken, FallbackTerms, PolicyToAccept, StageSession,
    },
};

/// The pages of stages, under both prefixes and versions. To be mounted without CORS.
pub(in crate::http) fn router() -> Router<AppState> {
    let paths = ["/_api", "/_matrix"]
        .into_iter()
        .flat_map(|prefix| ["v3", "r0"].map(|version| format!("{prefix}/client/{version}{FALLBACK}")));
    paths.fold(Router::new(), |router, path| {
        router.route(&path, get(show).post(press).fallback(error::method_not_allowed))
    })
}

/// Lets the window that opened a page hear from it: other pages of ours have no opener, so this goes around all answers.
pub(in crate::http) async fn keep_opener(mut response: Response) -> Response {
    let policy = HeaderName::from_static("cross-origin-opener-policy");
    response.headers_mut().insert(policy, HeaderValue::from_static("unsafe-none"));
    response
}

/// The query of a page.
#[derive(Deserialize)]
pub(super) struct StageQuery {
    session: String,
}

/// What the forms of all stages send.
#[derive(Deserialize)]
pub(super) struct StageForm {
    #[serde(flatten)]
    session: StageSession,
    token: Option<String>,
    step: Option<threepid::Step>,
    address: Option<String>,
    sid: Option<String>,
    client_secret: Option<String>,
    attempt: Option<String>,
    has_code: Option<String>,
    code: Option<String>,
}

/// Someone at a stage.
struct Visit {
    state: AppState,
    context: RequestContext,
    reader: Reader,
    stage: Stage,
    session: StageSession,
}

/// `GET …/auth/{stage}/fallback/web`: the page of a stage, or what tells that it is done. Changes nothing.
pub(super) async fn show(
    State(state): State<AppState>,
    Context(context): Context,
    reader: Reader,
    stage: Result<Path<String>, PathRejection>,
    query: Result<Query<StageQuery>, QueryRejection>,
) -> Response {
    let Some(stage) = parse_stage(stage) else { return Failure::NoSuchStage.answer(&reader) };
    let Ok(Query(StageQuery { session })) = query else { return Failure::Gone.answer(&reader) };
    let visit = Visit { state, context, reader, stage, session: StageSession { session } };
    match visit.view().await {
        Ok(StageView { state: StageState::Completed, .. }) => visit.done(),
        Ok(_) => visit.page(),
        Err(failure) => failure.answer(&visit.reader),
    }
}

/// `POST …/auth/{stage}/fallback/web`: a button of the page.
pub(super) async fn press(
    State(state): State<AppState>,
    Context(context): Context,
    reader: Reader,
    stage: Result<Path<String>, PathRejection>,
    PageForm(form): PageForm<StageForm>,
) -> Response {
    let Some(stage) = parse_stage(stage) else { return Failure::NoSuchStage.answer(&reader) };
    let visit = Visit { state, context, reader, stage, session: form.session.clone() };
    let pressed = match stage {
        Stage::Dummy => visit.attempt(StageAttempt::Dummy).await,
        Stage::Terms => visit.attempt(StageAttempt::Terms).await,
        Stage::RegistrationToken => {
            let token = form.token.unwrap_or_default();
            visit.attempt(StageAttempt::RegistrationToken(token.trim().to_owned().into())).await
        }
        Stage::EmailIdentity | Stage::Msisdn => threepid::press(&visit, form).await,
        Stage::Password => Err(Failure::NoSuchStage),
    };
    pressed.unwrap_or_else(|failure| match failure {
        Failure::WrongToken => visit.token_page(StatusCode::BAD_REQUEST),
        failure => failure.answer(&visit.reader),
    })
}

/// The stage of that name. What is not UTF-8 names none.
fn parse_stage(stage: Result<Path<String>, PathRejection>) -> Option<Stage> {
    stage.ok().and_then(|Path(stage)| Stage::parse(&stage))
}

impl Visit {
    /// The stage as it stands, if this page can do something about it.
    async fn view(&self) -> Result<StageView, Failure> {
        let view = self.state.uia().view_stage(&self.session.session, self.stage).await?;
        match view.state {
            StageState::Open | StageState::Completed => Ok(view),
            StageState::Refused(_) => Err(Failure::Gone),
        }
    }

    /// The page of a stage that is open.
    fn page(&self) -> Response {
        let session = self.session.clone();
        match self.stage {
            Stage::Dummy => self.reader.answer(StatusCode::OK, &FallbackDummy(session)),
            Stage::Terms => {
                let policies = policies(&self.state, self.reader.language());
                self.reader.answer(StatusCode::OK, &FallbackTerms { policies, session })
            }
            Stage::RegistrationToken => self.token_page(StatusCode::OK),
            Stage::EmailIdentity | Stage::Msisdn => threepid::first_page(self),
            Stage::Password => Failure::NoSuchStage.answer(&self.reader),
        }
    }

    fn token_page(&self, status: StatusCode) -> Response {
        let refused = status != StatusCode::OK;
        let page = FallbackRegistrationToken { refused, session: self.session.clone() };
        self.reader.answer(status, &page)
    }

    async fn attempt(&self, attempt: StageAttempt) -> Result<Response, Failure> {
        let session = &self.session.session;
        match self.state.uia().attempt_on_page(session, attempt, self.context.network).await? {
            PageOutcome::Completed => Ok(self.done()),
            PageOutcome::Failed(failure) => Err(failure.into()),
        }
    }

    /// The page that tells the client. Its script is the only one that its policy allows.
    fn done(&self) -> Response {
        self.reader.answer_with_scripts(StatusCode::OK, &FallbackDone {})
    }
}

/// The policies, each in the reader's language, or else in English, or else in its first.
fn policies(state: &AppState, language: &Language) -> Vec<PolicyToAccept> {
    let policies = &state.settings().terms.policies;
    let shown = policies.values().filter_map(|policy| {
        let link = nearest(&policy.links, language)?;
        let (name, url, version) = (link.name.clone(), link.url.clone(), policy.version.clone());
        Some(PolicyToAccept { name, url, version })
    });
    shown.collect()
}

fn nearest<'a>(links: &'a BTreeMap<String, PolicyLink>, language: &Language) -> Option<&'a PolicyLink> {
    let of =
        |wanted: &str| links.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(wanted)).map(|(_, link)| link);
    let primary = language.as_str().split('-').next().unwrap_or_default();
    of(language.as_str()).or_else(|| of(primary)).or_else(|| of("en")).or_else(|| links.values().next())
}

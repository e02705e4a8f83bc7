//! User-interactive authentication between the wire and the use case.
//!
//! A handler reads its body in three moves: [`begin`] takes `auth` out and adds what an earlier round said, the handler
//! parses and checks what is there then, and [`authenticate`] lets it go on or answers what is missing.

use countersign_api::{
    error::ErrorCode,
    object::Object,
    uia::{self, AuthData, ThreepidCreds, UiaFlow, UiaInfo, UserIdentifier},
};
use countersign_core::{
    ClientSecret, Localpart, Medium, Msisdn, SessionId, Stage, ThirdPartyIdentifier, UiaOperation,
};
use countersign_service::{
    AccountIdentifier, Challenge, StageAttempt, StageFailure, UiaBegin, UiaOutcome, UiaProof, UiaRun, UiaWish,
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::ClientError;
use crate::http::{AppState, HttpSettings, answer::ErrorAnswer};

/// What a session remembers of its first request: what handlers read and check before the session is stored, and no
/// password.
const KEPT_PARAMS: [&str; 9] = [
    "username",
    "device_id",
    "initial_device_display_name",
    "inhibit_login",
    "refresh_token",
    "sid",
    "client_secret",
    "logout_devices",
    "erase",
];

/// Takes `auth` out of a body, finds or begins its session, and adds to the body what an earlier round said.
pub(super) async fn begin(
    state: &AppState,
    operation: UiaOperation,
    caller: Option<Localpart>,
    body: &mut Object,
) -> Result<UiaRun, ClientError> {
    let (session, attempt) = match AuthData::take_from(body)? {
        Some(auth) => (auth.session.clone(), attempt(auth)?),
        None => (None, None),
    };
    let params = kept_params(body);
    let run = state.uia().begin(UiaBegin { operation, caller, session, attempt, params }).await?;
    if let Some(earlier) = run.params() {
        body.fill_from(Object::parse(earlier.as_bytes())?);
    }
    Ok(run)
}

/// Lets the request go on, or answers what it still needs.
pub(super) async fn authenticate(
    state: &AppState,
    run: UiaRun,
    wish: UiaWish,
) -> Result<UiaProof, ClientError> {
    match state.uia().authenticate(run, wish).await? {
        UiaOutcome::Authenticated(proof) => Ok(proof),
        UiaOutcome::Challenge(challenge) => Err(ErrorAnswer::uia(info(challenge, state.settings())).into()),
    }
}

fn kept_params(body: &Object) -> Zeroizing<String> {
    let mut fields = body.clone().into_fields();
    fields.retain(|name, value| KEPT_PARAMS.contains(&name.as_str()) && !value.is_null());
    Zeroizing::new(Value::Object(fields).to_string())
}

fn attempt(auth: AuthData) -> Result<Option<StageAttempt>, ClientError> {
    let Some(name) = auth.stage.as_deref() else { return Ok(None) };
    let Some(stage) = Stage::parse(name) else { return Ok(Some(StageAttempt::Unknown)) };
    Ok(Some(match stage {
        Stage::Dummy => StageAttempt::Dummy,
        Stage::Terms => StageAttempt::Terms,
        Stage::RegistrationToken => auth
            .token
            .map_or(StageAttempt::Incomplete(stage), |token| StageAttempt::RegistrationToken(token.into())),
        Stage::EmailIdentity | Stage::Msisdn => match auth.threepid_creds {
            Some(creds) => threepid_attempt(stage, &creds)?,
            None => StageAttempt::Incomplete(stage),
        },
        Stage::Password => match (auth.identifier, auth.password) {
            (Some(identifier), Some(password)) => {
                let identifier = account_identifier(identifier)?;
                StageAttempt::Password { identifier, password: Zeroizing::new(password) }
            }
            (Some(_) | None, _) => StageAttempt::Incomplete(stage),
        },
    }))
}

/// `id_server` and its token are ignored: a client never chooses where validation happens.
fn threepid_attempt(stage: Stage, creds: &ThreepidCreds) -> Result<StageAttempt, ClientError> {
    let client_secret = ClientSecret::parse(&creds.client_secret)?;
    Ok(StageAttempt::Threepid { stage, sid: SessionId::parse(&creds.sid), client_secret })
}

/// What an account is named by. An address that can't be one names nobody, which is not an error of its own: it would
/// tell wrong addresses from wrong passwords.
pub(super) fn account_identifier(identifier: UserIdentifier) -> Result<AccountIdentifier, ClientError> {
    let nobody = || AccountIdentifier::User(String::new());
    Ok(match identifier {
        UserIdentifier::User { user } => AccountIdentifier::User(user),
        UserIdentifier::ThirdParty { medium, address } => {
            let medium =
                Medium::parse(&medium).ok_or_else(|| ClientError::invalid_param("medium is unknown"))?;
            let threepid = ThirdPartyIdentifier::from_canonical(medium, &address);
            threepid.map_or_else(nobody, AccountIdentifier::Threepid)
        }
        UserIdentifier::Phone { country, phone } => Msisdn::parse(&country, &phone)
            .map_or_else(|_| nobody(), |msisdn| AccountIdentifier::Threepid(msisdn.into())),
        UserIdentifier::Other { .. } => {
            return Err(ClientError::invalid_param("identifier has a type that this server does not know"));
        }
    })
}

fn info(challenge: Challenge, settings: &HttpSettings) -> UiaInfo {
    let names = |stages: &[Stage]| stages.iter().map(|stage| stage.as_str().to_owned()).collect::<Vec<_>>();
    let errcode = challenge.failure.map(|failure| match failure {
        StageFailure::NotOffered => ErrorCode::Unrecognized,
        StageFailure::Incomplete => ErrorCode::MissingParam,
        StageFailure::Unproven | StageFailure::TokenInvalid => ErrorCode::Unauthorized,
        StageFailure::OutOfOrder | StageFailure::Forbidden | StageFailure::TermsNotShown => {
            ErrorCode::Forbidden
        }
    });
    let mut params = Map::new();
    if challenge.flows.iter().any(|flow| flow.contains(&Stage::Terms)) {
        let terms = serde_json::to_value(&settings.terms).expect("policies are maps of strings");
        params.insert(uia::TERMS.to_owned(), terms);
    }
    UiaInfo {
        flows: challenge.flows.iter().map(|flow| UiaFlow { stages: names(flow) }).collect(),
        params,
        session: Some(challenge.session),
        completed: names(&challenge.completed),
        errcode,
        error: challenge.failure.map(|failure| failure.to_string()),
    }
}

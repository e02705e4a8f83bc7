//! User-interactive authentication between the wire and the use case.

use countersign_api::{
    error::ErrorCode,
    uia::{self, AuthData, UiaFlow, UiaInfo, UserIdentifier},
};
use countersign_core::{
    ClientNetwork, Flow, Localpart, Medium, Msisdn, Stage, ThirdPartyIdentifier, UiaOperation,
    UiaSessionHash, UiaTargetHash,
};
use countersign_service::{
    AccountIdentifier, Challenge, StageAttempt, StageFailure, Uia, UiaOutcome, UiaRequest,
};
use zeroize::Zeroizing;

use super::ClientError;
use crate::http::answer::ErrorAnswer;

/// What a request authenticates, and how it may.
pub(super) struct Operation {
    pub(super) network: ClientNetwork,
    pub(super) operation: UiaOperation,
    pub(super) flows: Vec<Flow>,
    pub(super) localpart: Option<Localpart>,
    pub(super) target: Option<UiaTargetHash>,
}

/// Lets the request go on, or answers what it still needs.
pub(super) async fn authenticate(
    uia: &Uia,
    auth: Option<AuthData>,
    operation: Operation,
) -> Result<Option<UiaSessionHash>, ClientError> {
    let (session, attempt) = match auth {
        Some(auth) => (auth.session.clone(), attempt(auth)?),
        None => (None, None),
    };
    let Operation { network, operation, flows, localpart, target } = operation;
    match uia
        .authenticate(UiaRequest { operation, flows, localpart, target, network, session, attempt })
        .await?
    {
        UiaOutcome::Authenticated(session) => Ok(session),
        UiaOutcome::Challenge(challenge) => Err(ErrorAnswer::uia(info(challenge)).into()),
    }
}

fn attempt(auth: AuthData) -> Result<Option<StageAttempt>, ClientError> {
    match auth.stage.as_deref() {
        None => Ok(None),
        Some(uia::DUMMY) => Ok(Some(StageAttempt::Dummy)),
        Some(uia::PASSWORD) => {
            let (Some(identifier), Some(password)) = (auth.identifier, auth.password) else {
                return Ok(Some(StageAttempt::IncompletePassword));
            };
            let identifier = account_identifier(identifier)?;
            Ok(Some(StageAttempt::Password { identifier, password: Zeroizing::new(password) }))
        }
        Some(_) => Ok(Some(StageAttempt::Unknown)),
    }
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

fn info(challenge: Challenge) -> UiaInfo {
    let names = |stages: &[Stage]| stages.iter().map(|stage| stage.as_str().to_owned()).collect::<Vec<_>>();
    let errcode = challenge.failure.map(|failure| match failure {
        StageFailure::NotOffered => ErrorCode::Unrecognized,
        StageFailure::Incomplete => ErrorCode::MissingParam,
        StageFailure::OutOfOrder | StageFailure::Forbidden => ErrorCode::Forbidden,
    });
    UiaInfo {
        flows: challenge.flows.iter().map(|flow| UiaFlow { stages: names(flow) }).collect(),
        params: serde_json::Map::new(),
        session: Some(challenge.session),
        completed: names(&challenge.completed),
        errcode,
        error: challenge.failure.map(|failure| failure.to_string()),
    }
}

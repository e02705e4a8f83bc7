//! User-interactive authentication: walks the flow of stages that a node asks for.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)

use std::fmt;

use countersign_api::uia::{self, AuthData, ThreepidCreds, UiaFlow, UiaInfo, UserIdentifier};

use crate::error::Error;

/// What a user can prove themselves with, for the stages of a flow. `m.login.dummy` needs nothing.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Who they are and their password, for `m.login.password`.
    pub password: Option<(UserIdentifier, String)>,
    /// A validation session, for `m.login.email.identity`.
    pub email: Option<ThreepidCreds>,
    /// A validation session, for `m.login.msisdn`.
    pub msisdn: Option<ThreepidCreds>,
    /// A token, for `m.login.registration_token`.
    pub registration_token: Option<String>,
    /// Whether they accept the policies, for `m.login.terms`. [`Error::uia`] of a walk that ends there names them.
    pub accept_terms: bool,
    /// The session of an earlier walk, to go on with where it ended: from its [`Error::uia`].
    pub session: Option<String>,
}

impl Credentials {
    /// A password alone.
    pub fn password(identifier: UserIdentifier, password: impl Into<String>) -> Self {
        Self { password: Some((identifier, password.into())), ..Self::default() }
    }

    /// A validation session of an e-mail address alone.
    pub fn email(sid: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self { email: Some(ThreepidCreds::new(sid, client_secret)), ..Self::default() }
    }

    /// A validation session of a phone number alone.
    pub fn msisdn(sid: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self { msisdn: Some(ThreepidCreds::new(sid, client_secret)), ..Self::default() }
    }

    /// An attempt at a stage, if they are enough for it.
    fn attempt(&self, stage: &str, session: Option<String>) -> Option<AuthData> {
        match stage {
            uia::PASSWORD => {
                let (identifier, password) = self.password.clone()?;
                Some(AuthData::password(session, identifier, password))
            }
            uia::EMAIL_IDENTITY => Some(AuthData::email_identity(session, self.email.clone()?)),
            uia::MSISDN => Some(AuthData::msisdn(session, self.msisdn.clone()?)),
            uia::REGISTRATION_TOKEN => {
                Some(AuthData::registration_token(session, self.registration_token.clone()?))
            }
            uia::TERMS => self.accept_terms.then(|| AuthData::terms(session)),
            uia::DUMMY => Some(AuthData::dummy(session)),
            _ => None,
        }
    }

    /// The next stage of the first flow that they can go to the end of.
    fn next_attempt(&self, info: &UiaInfo) -> Option<AuthData> {
        let can_finish = |flow: &&UiaFlow| {
            let left = flow.stages.strip_prefix(info.completed.as_slice());
            left.is_some_and(|left| {
                !left.is_empty() && left.iter().all(|stage| self.attempt(stage, None).is_some())
            })
        };
        let flow = info.flows.iter().find(can_finish)?;
        self.attempt(&flow.stages[info.completed.len()], info.session.clone())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Sends a request round by round, each with the next stage of the first flow that the credentials can go to the end of.
///
/// Ends with the request's success, or with the first error that is no question for a further stage: a stage that failed, or
/// none that the credentials are enough for. Such an error keeps its [`Error::uia`], so that a caller can go on.
pub async fn walk<T, F>(
    credentials: &Credentials,
    mut request: impl FnMut(Option<AuthData>) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut auth = credentials.session.as_deref().map(AuthData::session);
    let mut completed = None;
    loop {
        let error = match request(auth).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let Some(info) = error.uia() else { return Err(error) };
        // A node that counts no stage would be asked for ever.
        let has_moved = completed.is_none_or(|completed| completed < info.completed.len());
        if info.errcode.is_some() || !has_moved {
            return Err(error);
        }
        let Some(next) = credentials.next_attempt(info) else { return Err(error) };
        completed = Some(info.completed.len());
        auth = Some(next);
    }
}

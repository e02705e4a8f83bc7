//! User-interactive authentication: flows, stages and their sessions
//! ([spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)).

#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use thiserror::Error;

use crate::{
    Localpart, Medium, RegistrationTokenHash, Sealed, SessionId, SessionPurpose, TermsVersion, Timestamp,
    UiaSessionHash, UiaTargetHash,
};

/// How long a session waits for its next stage.
pub const UIA_SESSION_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// One step of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// `m.login.password`
    Password,
    /// `m.login.email.identity`
    EmailIdentity,
    /// `m.login.msisdn`
    Msisdn,
    /// `m.login.registration_token`
    RegistrationToken,
    /// `m.login.terms`
    Terms,
    /// `m.login.dummy`
    Dummy,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 6] = [
        Self::Password,
        Self::EmailIdentity,
        Self::Msisdn,
        Self::RegistrationToken,
        Self::Terms,
        Self::Dummy,
    ];

    /// The name on the wire, in the configuration and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "m.login.password",
            Self::EmailIdentity => "m.login.email.identity",
            Self::Msisdn => "m.login.msisdn",
            Self::RegistrationToken => "m.login.registration_token",
            Self::Terms => "m.login.terms",
            Self::Dummy => "m.login.dummy",
        }
    }

    /// The stage of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }

    /// The kind of address that it proves, if it does.
    pub const fn medium(self) -> Option<Medium> {
        match self {
            Self::EmailIdentity => Some(Medium::Email),
            Self::Msisdn => Some(Medium::Msisdn),
            Self::Password | Self::RegistrationToken | Self::Terms | Self::Dummy => None,
        }
    }
}

/// Stages to complete, in order.
pub type Flow = Vec<Stage>;

/// Ends each flow that another one begins with by `m.login.dummy`, so that a client can say that it wants to stop there
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#dummy-auth)).
pub fn distinct_flows(flows: Vec<Flow>) -> Vec<Flow> {
    let begins_another = |flow: &Flow| {
        let longer = |other: &&Flow| flow.len() < other.len() && other.starts_with(flow);
        !flow.is_empty() && !flow.contains(&Stage::Dummy) && flows.iter().any(|other| longer(&other))
    };
    let mut distinct: Vec<Flow> = Vec::with_capacity(flows.len());
    for flow in &flows {
        let dummy = begins_another(flow).then_some(Stage::Dummy);
        let flow: Flow = flow.iter().copied().chain(dummy).collect();
        if !distinct.contains(&flow) {
            distinct.push(flow);
        }
    }
    distinct
}

/// What a session authenticates, independent of prefix and version. A session never counts for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UiaOperation {
    /// `POST /register`
    Register,
    /// `POST /account/3pid/add`
    AddThreepid,
    /// `POST /account/password`
    ChangePassword,
    /// `POST /account/deactivate`
    Deactivate,
}

impl UiaOperation {
    /// Every operation.
    pub const ALL: [Self; 4] = [Self::Register, Self::AddThreepid, Self::ChangePassword, Self::Deactivate];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "POST /register",
            Self::AddThreepid => "POST /account/3pid/add",
            Self::ChangePassword => "POST /account/password",
            Self::Deactivate => "POST /account/deactivate",
        }
    }

    /// The operation of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }

    /// The purpose of the validation sessions that count for its stages: an address that is to come to a new account, or
    /// one that an account has.
    pub const fn threepid_purpose(self) -> SessionPurpose {
        match self {
            Self::Register => SessionPurpose::Register,
            Self::AddThreepid | Self::ChangePassword | Self::Deactivate => SessionPurpose::ResetPassword,
        }
    }
}

/// What completing a stage proved, beside that it is done.
#[derive(Clone, PartialEq, Eq)]
pub enum StageProof {
    /// Nothing more.
    Nothing,
    /// The password of an account here. The stage counts only if it still is.
    Password {
        /// The account.
        localpart: Localpart,
        /// The PHC string that it was compared with.
        compared: String,
    },
    /// The validation session that proved an address. It is consumed by what the authentication allows.
    Threepid(SessionId),
    /// The registration token of which it holds a use.
    RegistrationToken(RegistrationTokenHash),
}

impl fmt::Debug for StageProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Password { .. } => "Password(..)",
            Self::Threepid(_) => "Threepid(..)",
            Self::RegistrationToken(_) => "RegistrationToken(..)",
        })
    }
}

/// A client's way through a flow.
#[derive(Clone, PartialEq, Eq)]
pub struct UiaSession {
    /// Its id, to look up.
    pub id_hash: UiaSessionHash,
    /// What it authenticates.
    pub operation: UiaOperation,
    /// The account whose access token began it.
    pub localpart: Option<Localpart>,
    /// What it is to change, as its first request said.
    pub target: Option<UiaTargetHash>,
    /// Stages done, in the order of their flow.
    pub completed: Vec<Stage>,
    /// When it began.
    pub created_at: Timestamp,
    /// The last moment at which it counts.
    pub expires_at: Timestamp,
    /// The account that it made. It makes one.
    pub registered: Option<Localpart>,
    /// The account that it proved to speak for, where no access token began it.
    pub proven: Option<Localpart>,
    /// The validation session that proved an e-mail address.
    pub email_sid: Option<SessionId>,
    /// The validation session that proved a phone number.
    pub msisdn_sid: Option<SessionId>,
    /// The registration token of which it holds a use until it is finished or expires.
    pub registration_token: Option<RegistrationTokenHash>,
    /// The policies that its client was shown.
    pub shown_terms: Vec<TermsVersion>,
    /// What its first request said, without secrets.
    pub sealed_params: Option<Sealed>,
    /// The new password that its first request named, as a PHC string.
    pub password_hash: Option<String>,
    /// When what it authenticates took place. It does so once; who asks again is told the same.
    pub finished_at: Option<Timestamp>,
}

impl fmt::Debug for UiaSession {
    /// Shows nothing that anyone could use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UiaSession")
            .field("operation", &self.operation)
            .field("completed", &self.completed)
            .field("expires_at", &self.expires_at)
            .field("finished_at", &self.finished_at)
            .finish_non_exhaustive()
    }
}

/// Whether a request may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UiaProgress {
    /// A flow is complete.
    Done,
    /// More stages are needed.
    Needed,
}

/// Why a request does not fit its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UiaMismatch {
    /// Unknown or expired.
    #[error("The authentication session is unknown or has expired")]
    Unknown,
    /// It authenticates something else, for someone else, or with another target.
    #[error("The authentication session belongs to another request")]
    Foreign,
}

/// Why a stage is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StageRefusal {
    /// It is in no flow.
    #[error("This authentication stage is not offered here")]
    NotOffered,
    /// Another stage comes first.
    #[error("Another authentication stage comes first")]
    OutOfOrder,
}

impl UiaSession {
    /// A new session without any stage done, and without a target.
    pub fn begin(
        id_hash: UiaSessionHash,
        operation: UiaOperation,
        localpart: Option<Localpart>,
        now: Timestamp,
    ) -> Self {
        let expires_at = now.after(UIA_SESSION_LIFETIME);
        Self {
            id_hash,
            operation,
            localpart,
            target: None,
            completed: Vec::new(),
            created_at: now,
            expires_at,
            registered: None,
            proven: None,
            email_sid: None,
            msisdn_sid: None,
            registration_token: None,
            shown_terms: Vec::new(),
            sealed_params: None,
            password_hash: None,
            finished_at: None,
        }
    }

    /// Checks that a stored session is the one for this request.
    ///
    /// # Errors
    /// When there is none that counts, or it is bound to something else.
    pub fn check(
        session: Option<Self>,
        operation: UiaOperation,
        localpart: Option<&Localpart>,
        target: Option<&UiaTargetHash>,
        now: Timestamp,
    ) -> Result<Self, UiaMismatch> {
        let session = session.filter(|session| now <= session.expires_at).ok_or(UiaMismatch::Unknown)?;
        let fits = session.operation == operation
            && session.localpart.as_ref() == localpart
            && session.target.as_ref() == target;
        if fits { Ok(session) } else { Err(UiaMismatch::Foreign) }
    }

    /// Whether some flow is complete. One that had its effect was, though others may be asked for since.
    pub fn progress(&self, flows: &[Flow]) -> UiaProgress {
        let complete = flows.iter().any(|flow| !flow.is_empty() && *flow == self.completed);
        if complete || self.finished_at.is_some() { UiaProgress::Done } else { UiaProgress::Needed }
    }

    /// Whether `stage` is done already, so that it must not be checked again.
    pub fn has_completed(&self, stage: Stage) -> bool {
        self.completed.contains(&stage)
    }

    /// Whether `stage` may be tried now: it continues a flow in order.
    ///
    /// # Errors
    /// When no flow has it, or none has it next.
    pub fn may_try(&self, stage: Stage, flows: &[Flow]) -> Result<(), StageRefusal> {
        if !flows.iter().any(|flow| flow.contains(&stage)) {
            return Err(StageRefusal::NotOffered);
        }
        let next =
            |flow: &Flow| flow.strip_prefix(self.completed.as_slice()).and_then(|rest| rest.first().copied());
        if flows.iter().any(|flow| next(flow) == Some(stage)) {
            Ok(())
        } else {
            Err(StageRefusal::OutOfOrder)
        }
    }

    /// The session with one more stage done, and what that proved. Doing it twice changes nothing: the first proof stays.
    #[must_use]
    pub fn complete(&self, stage: Stage, proof: &StageProof) -> Self {
        let mut session = self.clone();
        if session.has_completed(stage) {
            return session;
        }
        session.completed.push(stage);
        match proof {
            StageProof::Nothing => {}
            StageProof::Password { localpart, .. } => {
                session.proven = session.localpart.is_none().then(|| localpart.clone());
            }
            StageProof::Threepid(sid) => match stage.medium() {
                Some(Medium::Email) => session.email_sid = Some(*sid),
                Some(Medium::Msisdn) => session.msisdn_sid = Some(*sid),
                None => {}
            },
            StageProof::RegistrationToken(token) => session.registration_token = Some(*token),
        }
        session
    }

    /// The session after what it authenticates took place.
    #[must_use]
    pub fn finish(&self, now: Timestamp) -> Self {
        Self { finished_at: Some(self.finished_at.unwrap_or(now)), ..self.clone() }
    }

    /// The same, where that was done to an existing account.
    #[must_use]
    pub fn finish_for(&self, localpart: &Localpart, now: Timestamp) -> Self {
        let proven = self.localpart.is_none().then(|| localpart.clone());
        Self { proven, ..self.finish(now) }
    }

    /// The validation sessions that its stages count on.
    pub fn sids(&self) -> Vec<SessionId> {
        self.email_sid.into_iter().chain(self.msisdn_sid).collect()
    }
}

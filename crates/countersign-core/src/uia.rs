//! User-interactive authentication: flows, stages and their sessions
//! ([spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)).

use std::time::Duration;

use thiserror::Error;

use crate::{Localpart, Timestamp, UiaSessionHash, UiaTargetHash};

/// How long a session waits for its next stage.
pub const UIA_SESSION_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// One step of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// `m.login.password`
    Password,
    /// `m.login.dummy`
    Dummy,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 2] = [Self::Password, Self::Dummy];

    /// The name on the wire, in the configuration and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "m.login.password",
            Self::Dummy => "m.login.dummy",
        }
    }

    /// The stage of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

/// Stages to complete, in order.
pub type Flow = Vec<Stage>;

/// What a session authenticates, independent of prefix and version. A session never counts for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UiaOperation {
    /// `POST /register`
    Register,
    /// `POST /account/3pid/add`
    AddThreepid,
}

impl UiaOperation {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "POST /register",
            Self::AddThreepid => "POST /account/3pid/add",
        }
    }

    /// The operation of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Register, Self::AddThreepid].into_iter().find(|operation| operation.as_str() == name)
    }
}

/// A client's way through a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Whether some flow is complete.
    pub fn progress(&self, flows: &[Flow]) -> UiaProgress {
        let done = flows.iter().any(|flow| !flow.is_empty() && *flow == self.completed);
        if done { UiaProgress::Done } else { UiaProgress::Needed }
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

    /// The session with one more stage done. Doing it twice changes nothing.
    #[must_use]
    pub fn complete(&self, stage: Stage) -> Self {
        let mut session = self.clone();
        if !session.has_completed(stage) {
            session.completed.push(stage);
        }
        session
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn session() -> UiaSession {
        UiaSession::begin(UiaSessionHash::from_bytes([7; 32]), UiaOperation::Register, None, NOW)
    }

    #[test]
    fn stages_count_in_the_order_of_a_flow_only() {
        let flows = [vec![Stage::Password, Stage::Dummy]];
        assert_eq!(session().may_try(Stage::Dummy, &flows), Err(StageRefusal::OutOfOrder));
        let first = session().complete(Stage::Password);
        assert_eq!(first.progress(&flows), UiaProgress::Needed);
        assert_eq!(first.may_try(Stage::Dummy, &flows), Ok(()));
        assert_eq!(first.complete(Stage::Dummy).progress(&flows), UiaProgress::Done);
    }

    #[test]
    fn a_stage_outside_all_flows_is_not_offered() {
        assert_eq!(session().may_try(Stage::Password, &[vec![Stage::Dummy]]), Err(StageRefusal::NotOffered));
    }

    #[test]
    fn nothing_is_complete_without_a_stage() {
        assert_eq!(session().progress(&[]), UiaProgress::Needed);
        assert_eq!(session().progress(&[vec![]]), UiaProgress::Needed);
        assert_eq!(session().progress(&[vec![Stage::Dummy]]), UiaProgress::Needed);
    }

    #[test]
    fn a_stage_done_twice_counts_once() {
        let flows = [vec![Stage::Dummy], vec![Stage::Password, Stage::Dummy]];
        let done = session().complete(Stage::Dummy);
        assert!(done.has_completed(Stage::Dummy) && !done.has_completed(Stage::Password));
        assert_eq!(done.complete(Stage::Dummy), done);
        assert_eq!(done.progress(&flows), UiaProgress::Done);
        assert_eq!(session().may_try(Stage::Password, &flows), Ok(()));
    }

    #[test]
    fn names_read_back() {
        for stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.as_str()), Some(stage));
        }
        for operation in [UiaOperation::Register, UiaOperation::AddThreepid] {
            assert_eq!(UiaOperation::parse(operation.as_str()), Some(operation));
        }
    }

    #[test]
    fn a_session_counts_for_its_own_operation_and_account_only() {
        let server = crate::ServerName::parse("example.org").unwrap();
        let alice = Localpart::parse("alice", &server).unwrap();
        let check =
            |session, operation, who| UiaSession::check(session, operation, who, None, NOW).map(|_| ());
        assert_eq!(check(Some(session()), UiaOperation::Register, None), Ok(()));
        assert_eq!(check(Some(session()), UiaOperation::AddThreepid, None), Err(UiaMismatch::Foreign));
        assert_eq!(check(Some(session()), UiaOperation::Register, Some(&alice)), Err(UiaMismatch::Foreign));
        assert_eq!(check(None, UiaOperation::Register, None), Err(UiaMismatch::Unknown));
        let late = NOW.after(UIA_SESSION_LIFETIME).after(Duration::from_millis(1));
        let expired = UiaSession::check(Some(session()), UiaOperation::Register, None, None, late);
        assert_eq!(expired, Err(UiaMismatch::Unknown));
    }

    #[test]
    fn a_session_counts_for_its_own_target_only() {
        let (own, other) = (UiaTargetHash::from_bytes([1; 32]), UiaTargetHash::from_bytes([2; 32]));
        let bound = UiaSession { target: Some(own), ..session() };
        let check = |session: &UiaSession, target| {
            UiaSession::check(Some(session.clone()), UiaOperation::Register, None, target, NOW).map(|_| ())
        };
        assert_eq!(check(&bound, Some(&own)), Ok(()));
        for target in [Some(&other), None] {
            assert_eq!(check(&bound, target), Err(UiaMismatch::Foreign));
        }
        assert_eq!(check(&session(), Some(&own)), Err(UiaMismatch::Foreign));
    }
}

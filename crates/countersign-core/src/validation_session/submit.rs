//! A token comes back: by `submit_url`, or by the button of the mail link's page.

use std::{fmt, sync::Arc, time::Duration};

use super::{CodePolicy, EndReason, Ended, ValidationSession};
use crate::{
    BudgetKey, BudgetKind, BudgetUpdate, Charge, ClientSecretHash, Keyring, Limited, Medium, Rate, SessionId,
    SessionPurpose, SubjectHash, SubmittedToken, Timestamp, budget,
};

/// Which sessions an endpoint takes tokens for. One of another is unknown to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionScope {
    /// Those that the client API opens, of any medium.
    Node,
    /// Those that the identity API opens, of one medium.
    Identity(Medium),
}

impl SubmissionScope {
    /// Whether it takes tokens for this session.
    pub fn includes(self, session: &ValidationSession) -> bool {
        use SessionPurpose::{AddThreepid, Identity, Register, ResetPassword, Verify};
        match (self, session.purpose) {
            (Self::Node, Register | AddThreepid | ResetPassword | Verify) => true,
            (Self::Identity(medium), Identity) => session.medium == medium,
            (Self::Node, Identity) | (Self::Identity(_), Register | AddThreepid | ResetPassword | Verify) => {
                false
            }
        }
    }
}

/// A token handed in with `sid` and client secret.
#[derive(Clone, Debug)]
pub struct TokenSubmission {
    /// Where it was handed in.
    pub scope: SubmissionScope,
    /// The session.
    pub sid: SessionId,
    /// The client secret.
    pub client_secret_hash: ClientSecretHash,
    /// The token.
    pub token: SubmittedToken,
    /// What the session's tokens are derived with.
    pub keyring: Arc<Keyring>,
    /// Which sessions have codes, and for how long.
    pub codes: CodePolicy,
    /// How long the session lives once it is validated.
    pub session_lifetime: Duration,
    /// After how many wrong tokens a session is ended.
    pub misses_per_session: u32,
    /// How many wrong tokens an address may have; `None` where limits are off.
    pub misses_per_address: Option<Rate>,
    /// The network that it comes from, and how many wrong tokens that may have; `None` where limits are off.
    pub misses_per_network: Option<(SubjectHash, Rate)>,
}

impl TokenSubmission {
    /// What a wrong token for this session costs.
    pub fn charges(&self, session: &ValidationSession) -> Vec<Charge> {
        let charge = |kind, subject, rate| Charge { key: BudgetKey { kind, subject }, rate };
        let address = self
            .misses_per_address
            .map(|rate| charge(BudgetKind::AddressMisses, session.address_hash.into(), rate));
        let network =
            self.misses_per_network.map(|(subject, rate)| charge(BudgetKind::NetworkMisses, subject, rate));
        address.into_iter().chain(network).collect()
    }
}

/// The answer to a submission, and what must be saved before it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitDecision {
    /// What the client hears.
    pub answer: Submitted,
    /// The session's new row.
    pub session: Option<ValidationSession>,
    /// Budgets to save.
    pub budgets: Vec<BudgetUpdate>,
}

/// What a submission leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The address is proven, now or before.
    Validated,
    /// The token is wrong.
    Incorrect,
    /// There is no such session, or the client secret is not its.
    Unknown,
    /// The session's time is over, or it was ended.
    Expired,
    /// The code is right but too old; a new message will help.
    CodeExpired,
    /// Too many wrong tokens. Nothing was compared.
    Limited(Limited),
}

impl ValidationSession {
    /// Compares a token. `full_at` holds, for each of [`TokenSubmission::charges`], when that budget is full again, if
    /// it has a row.
    pub fn submit(
        session: Option<&Self>,
        submission: &TokenSubmission,
        full_at: &[Option<Timestamp>],
        now: Timestamp,
    ) -> SubmitDecision {
        // Before anything else, so that a wrong secret tells nothing about the session.
        let Some(session) = session
            .filter(|session| submission.scope.includes(session))
            .filter(|session| session.client_secret_hash == submission.client_secret_hash)
        else {
            return SubmitDecision::unchanged(Submitted::Unknown);
        };
        if session.ended.is_some() || session.is_expired(now) {
            return SubmitDecision::unchanged(Submitted::Expired);
        }
        let charged = budget::charge(&submission.charges(session), full_at, now);
        if let (SubmittedToken::Code(_), Err(limited)) = (&submission.token, &charged) {
            return SubmitDecision::unchanged(Submitted::Limited(*limited));
        }
        match session.compare(submission, now) {
            Comparison::Right if session.validated_at.is_some() => {
                SubmitDecision::unchanged(Submitted::Validated)
            }
            Comparison::Right => SubmitDecision {
                session: Some(session.validated(submission.session_lifetime, now)),
                ..SubmitDecision::unchanged(Submitted::Validated)
            },
            Comparison::RightButOld => SubmitDecision::unchanged(Submitted::CodeExpired),
            Comparison::Wrong => SubmitDecision {
                answer: Submitted::Incorrect,
                session: session.missed(submission.misses_per_session, now),
                budgets: charged.unwrap_or_default(),
            },
        }
    }

    fn compare(&self, submission: &TokenSubmission, now: Timestamp) -> Comparison {
        let (right, old) = match &submission.token {
            SubmittedToken::Link(token) => {
                (self.link_token(&submission.keyring).is_some_and(|link| link.matches(token)), false)
            }
            SubmittedToken::Code(token) => {
                let sent =
                    self.code_began_at.filter(|_| submission.codes.sends_code(self.medium, self.purpose));
                let right = self.typed_code(&submission.keyring).is_some_and(|code| code.matches(token));
                let old = sent.is_some_and(|began| began.after(submission.codes.lifetime(self.medium)) < now);
                (right && sent.is_some(), old && self.validated_at.is_none())
            }
        };
        match (right && !self.decoy, old) {
            (false, _) => Comparison::Wrong,
            (true, true) => Comparison::RightButOld,
            (true, false) => Comparison::Right,
        }
    }

    /// Counts a wrong token. A validated session has nothing left to guess.
    fn missed(&self, allowed: u32, now: Timestamp) -> Option<Self> {
        if self.validated_at.is_some() {
            return None;
        }
        let misses = self.misses.saturating_add(1);
        let ended = (allowed <= misses).then_some(Ended { at: now, reason: EndReason::Guessed });
        Some(Self { misses, ended, ..self.clone() })
    }
}

enum Comparison {
    Right,
    RightButOld,
    Wrong,
}

impl SubmitDecision {
    fn unchanged(answer: Submitted) -> Self {
        Self { answer, session: None, budgets: Vec::new() }
    }
}

/// The button of the mail link's page was pressed.
#[derive(Clone)]
pub struct Confirmation {
    /// The session.
    pub sid: SessionId,
    /// What the link holds as its token.
    pub token: String,
    /// What the session's tokens are derived with.
    pub keyring: Arc<Keyring>,
    /// How long the session lives once it is validated.
    pub session_lifetime: Duration,
}

impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmation").field("sid", &self.sid).finish_non_exhaustive()
    }
}

/// The answer to a confirmation, and what must be saved before it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmDecision {
    /// What the person sees.
    pub answer: Confirmed,
    /// The session's new row.
    pub session: Option<ValidationSession>,
}

/// What a confirmation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The address is proven, now or before.
    Validated,
    /// There is no such session, or the token is not its.
    Unknown,
    /// The session's time is over, or it was ended.
    Expired,
}

impl ValidationSession {
    /// Validates by a link token alone. Never counts a guess: 256 bits need no counting, and a stranger must not be
    /// able to end a session.
    pub fn confirm(session: Option<&Self>, confirmation: &Confirmation, now: Timestamp) -> ConfirmDecision {
        let unchanged = |answer| ConfirmDecision { answer, session: None };
        let Some(session) =
            session.filter(|session| session.has_link_token(&confirmation.token, &confirmation.keyring))
        else {
            return unchanged(Confirmed::Unknown);
        };
        if session.ended.is_some() || session.is_expired(now) {
            return unchanged(Confirmed::Expired);
        }
        if session.validated_at.is_some() {
            return unchanged(Confirmed::Validated);
        }
        let validated = session.validated(confirmation.session_lifetime, now);
        ConfirmDecision { answer: Confirmed::Validated, session: Some(validated) }
    }
}

#[cfg(test)]
mod tests;

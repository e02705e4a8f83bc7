//! The owner of the address says: this wasn't me.

use std::sync::Arc;

use super::{EndReason, Ended, ValidationSession};
use crate::{AddressHash, Keyring, SessionId, Timestamp};

/// The "this wasn't me" page was answered.
#[derive(Clone, Debug)]
pub struct NotMe {
    /// The session.
    pub sid: SessionId,
    /// What the link holds as its token.
    pub token: String,
    /// What the session's tokens are derived with.
    pub keyring: Arc<Keyring>,
}

/// What the owner's word leads to, and what must be saved before they hear so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotMeDecision {
    /// The session is ended: save this row.
    End(ValidationSession),
    /// It was ended or expired before: nothing to save.
    Over,
    /// It is too late: the address was validated already.
    Validated,
    /// There is no such session, or the token is not its.
    Unknown,
}

impl ValidationSession {
    /// Ends a session by the word of its address's owner, if it isn't validated yet.
    pub fn not_me(session: Option<&Self>, not_me: &NotMe, now: Timestamp) -> NotMeDecision {
        let Some(session) = session.filter(|session| session.has_not_me_token(&not_me.token, &not_me.keyring)) else {
            return NotMeDecision::Unknown;
        };
        if session.validated_at.is_some() {
            return NotMeDecision::Validated;
        }
        if session.ended.is_some() || session.is_expired(now) {
            return NotMeDecision::Over;
        }
        let ended = Some(Ended { at: now, reason: EndReason::NotMe });
        NotMeDecision::End(Self { ended, ..session.clone() })
    }

    /// The address that gets no more messages, if the token is right. In whatever state the session is: the wish is
    /// about the address.
    pub fn suppression(session: Option<&Self>, not_me: &NotMe) -> Option<AddressHash> {
        let session = session.filter(|session| session.has_not_me_token(&not_me.token, &not_me.keyring))?;
        Some(session.address_hash)
    }
}

//! The owner of the address says: this wasn't me.

use std::{fmt, sync::Arc};

use super::{EndReason, Ended, ValidationSession};
use crate::{AddressHash, Keyring, SessionId, Timestamp};

/// The "this wasn't me" page was answered.
#[derive(Clone)]
pub struct NotMe {
    /// The session.
    pub sid: SessionId,
    /// What the link holds as its token.
    pub token: String,
    /// What the session's tokens are derived with.
    pub keyring: Arc<Keyring>,
}

impl fmt::Debug for NotMe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotMe").field("sid", &self.sid).finish_non_exhaustive()
    }
}

/// What the owner's word leads to, and what must be saved before they hear so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "short-lived, and the large variant is the usual one")]
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
        let Some(session) =
            session.filter(|session| session.has_not_me_token(&not_me.token, &not_me.keyring))
        else {
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

#[cfg(test)]
mod tests {
    use super::{super::test_data::*, *};
    use crate::{Medium, ValidationRequest};

    fn decide(session: &ValidationSession, token: &str, now: Timestamp) -> NotMeDecision {
        ValidationSession::not_me(Some(session), &not_me(token), now)
    }

    #[test]
    fn the_owner_ends_a_session_that_is_not_validated_yet() {
        let session = ValidationSession { misses: 4, ..sent(&request()) };
        // A decoy's notice has the link too.
        for session in [session.clone(), ValidationSession { decoy: true, ..session }] {
            let ended = Some(Ended { at: session.expires_at, reason: EndReason::NotMe });
            let decision = decide(&session, &not_me_token(&session), session.expires_at);
            assert_eq!(decision, NotMeDecision::End(ValidationSession { ended, ..session }));
        }
    }

    #[test]
    fn there_is_nothing_to_end_once_it_is_validated_or_over() {
        let session = sent(&request());
        let token = not_me_token(&session);
        assert_eq!(decide(&validated(&request()), &token, NOW), NotMeDecision::Validated);
        assert_eq!(decide(&session, &token, session.expires_at.after(TICK)), NotMeDecision::Over);
        let NotMeDecision::End(ended) = decide(&session, &token, NOW) else { panic!("not ended") };
        assert_eq!(decide(&ended, &token, NOW), NotMeDecision::Over);
    }

    #[test]
    fn only_the_right_token_of_a_session_that_sent_mail_counts() {
        let mailed = sent(&request());
        let sms = sent(&ValidationRequest { medium: Medium::Msisdn, ..request() });
        for (what, session, token) in [
            ("link token", &mailed, link_token(&mailed)),
            ("code", &mailed, typed_code(&mailed)),
            ("empty", &mailed, String::new()),
            ("nothing sent yet", &opened(&request()), not_me_token(&mailed)),
            ("SMS", &sms, not_me_token(&sms)),
        ] {
            assert_eq!(decide(session, &token, NOW), NotMeDecision::Unknown, "{what}");
            assert_eq!(ValidationSession::suppression(Some(session), &not_me(&token)), None, "{what}");
        }
        assert_eq!(ValidationSession::not_me(None, &not_me("x"), NOW), NotMeDecision::Unknown);
        assert_eq!(ValidationSession::suppression(None, &not_me("x")), None);
    }

    #[test]
    fn an_address_can_be_suppressed_in_whatever_state_its_session_is() {
        let session = sent(&request());
        let ended = Some(Ended { at: NOW, reason: EndReason::NotMe });
        for session in [
            session.clone(),
            validated(&request()),
            ValidationSession { decoy: true, ..session.clone() },
            ValidationSession { ended, ..session.clone() },
            ValidationSession { expires_at: NOW.before(TICK), ..session },
        ] {
            let wish = not_me(&not_me_token(&session));
            assert_eq!(ValidationSession::suppression(Some(&session), &wish), Some(session.address_hash));
        }
    }

    #[test]
    fn debug_output_shows_no_token() {
        let secret = not_me_token(&sent(&request()));
        assert!(!format!("{:?}", not_me(&secret)).contains(&secret));
    }
}

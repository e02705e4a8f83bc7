//! A message is about to be written: does it still make sense, and with which code?

use super::{CodePolicy, ValidationSession};
use crate::{CodeGeneration, DropReason, GiveUpReason, OutboxMessage, SendAttempt, Timestamp};

/// What to do with a message whose turn has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "short-lived, and the large variant is the usual one")]
pub enum BeginSend {
    /// Save this session, write the message from it, send it.
    Send(ValidationSession),
    /// It isn't needed any more.
    Drop(DropReason),
    /// It will never make sense again.
    GiveUp(GiveUpReason),
}

impl ValidationSession {
    /// Decides whether a message goes out, and begins a new generation of the code unless the current one has more than
    /// half its life before it. So a message that waited in the queue still carries a fresh code, there is never more
    /// than one that works, and none works longer than its life.
    pub fn begin_send(&self, message: &OutboxMessage, codes: &CodePolicy, now: Timestamp) -> BeginSend {
        if self.ended.is_some() {
            return BeginSend::Drop(DropReason::Ended);
        }
        if self.validated_at.is_some() {
            return BeginSend::Drop(DropReason::Validated);
        }
        if self.is_expired(now) {
            return BeginSend::GiveUp(GiveUpReason::Expired);
        }
        if self.send_attempt.is_some_and(|latest| message.send_attempt < latest) {
            return BeginSend::Drop(DropReason::Superseded);
        }
        let half_life = codes.lifetime(self.medium) / 2;
        if self.code_began_at.is_some_and(|began| now < began.after(half_life)) {
            return BeginSend::Send(self.clone());
        }
        let code_generation = CodeGeneration(self.code_generation.0.saturating_add(1));
        BeginSend::Send(Self { code_generation, code_began_at: Some(now), ..self.clone() })
    }

    /// The session after one of its messages was given up, when `remaining` is the highest attempt among those that
    /// were delivered or still wait. With none left, the next request sends whatever its number.
    #[must_use]
    pub fn after_giving_up(&self, remaining: Option<SendAttempt>) -> Self {
        Self { send_attempt: remaining, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::test_data::*, *};
    use crate::{EndReason, Ended, Medium, ValidationRequest};

    fn begin(session: &ValidationSession, attempt: i64, now: Timestamp) -> BeginSend {
        session.begin_send(&message(session, SendAttempt(attempt)), &codes(), now)
    }

    #[test]
    fn messages_that_make_no_sense_any_more_are_not_sent() {
        let open = ValidationSession { send_attempt: attempt(2), ..opened(&request()) };
        let ended = Some(Ended { at: NOW, reason: EndReason::Guessed });
        let late = open.expires_at.after(TICK);
        let validated = validated(&request());
        for (what, session, number, now, expected) in [
            (
                "ended",
                &ValidationSession { ended, ..open.clone() },
                2,
                NOW,
                BeginSend::Drop(DropReason::Ended),
            ),
            ("validated", &validated, 1, NOW, BeginSend::Drop(DropReason::Validated)),
            ("validated long ago", &validated, 1, late, BeginSend::Drop(DropReason::Validated)),
            ("superseded", &open, 1, NOW, BeginSend::Drop(DropReason::Superseded)),
            ("expired", &open, 2, late, BeginSend::GiveUp(GiveUpReason::Expired)),
        ] {
            assert_eq!(begin(session, number, now), expected, "{what}");
        }
        assert!(
            matches!(begin(&open, 2, open.expires_at), BeginSend::Send(_)),
            "the last moment still counts"
        );
        let given_up = open.after_giving_up(None);
        assert!(matches!(begin(&given_up, 1, NOW), BeginSend::Send(_)), "nothing supersedes it");
    }

    #[test]
    fn a_generation_begins_when_half_the_life_of_the_one_before_is_over() {
        let sms = ValidationRequest { medium: Medium::Msisdn, ..request() };
        for (request, life) in [(request(), EMAIL_CODE_LIFE), (sms, SMS_CODE_LIFE)] {
            let half = NOW.after(life / 2);
            let first = send(&opened(&request), SendAttempt(1), NOW);
            assert_eq!((first.code_generation, first.code_began_at), (CodeGeneration(1), Some(NOW)));
            // Before that, a repeat carries the same code and does not lengthen its life.
            assert_eq!(send(&first, SendAttempt(1), half.before(TICK)), first);
            let second = send(&first, SendAttempt(1), half);
            assert_eq!((second.code_generation, second.code_began_at), (CodeGeneration(2), Some(half)));
            assert_ne!(typed_code(&first), typed_code(&second));
            assert_eq!(
                ValidationSession { code_generation: CodeGeneration(1), code_began_at: Some(NOW), ..second },
                first
            );
        }
    }

    #[test]
    fn giving_up_changes_the_attempt_only() {
        let session = sent(&request());
        for remaining in [None, attempt(-1)] {
            let expected = ValidationSession { send_attempt: remaining, ..session.clone() };
            assert_eq!(session.after_giving_up(remaining), expected);
        }
    }
}

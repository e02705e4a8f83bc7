//! A message is about to be written: does it still make sense, and with which code?

use super::{CodePolicy, ValidationSession};
use crate::{CodeGeneration, DropReason, GiveUpReason, OutboxMessage, SendAttempt, Timestamp};

/// What to do with a message whose turn has come.
#[derive(Clone, Debug, PartialEq, Eq)]
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

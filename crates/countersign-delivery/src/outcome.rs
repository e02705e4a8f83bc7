//! What became of one attempt to hand a message over.

use std::time::Duration;

/// Says that the next hop took the message over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The status that the next hop gave, such as `250 2.0.0` or `202`, without its text.
    pub reply: String,
}

/// Says why the next hop did not take the message over.
///
/// A reason names the stage and the status, never the server's own text, which may repeat the
/// address or the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The same message may be accepted later.
    #[error("not accepted for now: {reason}")]
    Transient {
        /// The stage and what happened at it.
        reason: String,
        /// The shortest wait that the next hop asked for.
        retry_after: Option<Duration>,
    },
    /// The same message will never be accepted.
    #[error("refused: {reason}")]
    Permanent {
        /// The stage and what happened at it.
        reason: String,
    },
}

impl SendError {
    pub(crate) fn transient(reason: impl Into<String>) -> Self {
        Self::Transient { reason: reason.into(), retry_after: None }
    }

    pub(crate) fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent { reason: reason.into() }
    }
}

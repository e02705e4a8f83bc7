//! Validation sessions.

use std::time::Duration;

use async_trait::async_trait;
use countersign_core::{
    Confirmation, Confirmed, Localpart, NotMe, NotMeDecision, Requested, ServerName, SessionId, Submitted,
    Timestamp, TokenSubmission, UserId, ValidationRequest, ValidationSession,
};

use crate::StorageError;

/// Validation sessions and what is owed for them.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Applies `request` to the session that its key names, or opens one; charges the limits; queues the message that it
    /// owes. Decided by [`ValidationSession::request`].
    ///
    /// Concurrent calls with one key behave as if one came after the other. A message that is queued supersedes those of
    /// its session that wait without a lease. A repeat writes nothing.
    async fn request_validation(
        &self,
        request: ValidationRequest,
        now: Timestamp,
    ) -> Result<Requested, StorageError>;

    /// Compares a token and counts a miss. Decided by [`ValidationSession::submit`].
    ///
    /// Concurrent misses all count.
    async fn submit_token(
        &self,
        submission: TokenSubmission,
        now: Timestamp,
    ) -> Result<Submitted, StorageError>;

    /// Validates by a link token alone. Decided by [`ValidationSession::confirm`].
    async fn confirm(&self, confirmation: Confirmation, now: Timestamp) -> Result<Confirmed, StorageError>;

    /// Ends a session by the word of its address's owner. Decided by [`ValidationSession::not_me`]; the session in the
    /// answer is saved.
    async fn not_me(&self, not_me: NotMe, now: Timestamp) -> Result<NotMeDecision, StorageError>;

    /// Keeps that another service validated the session's address, decided by [`ValidationSession::validated_elsewhere`].
    /// Answers whether it is validated then; again changes nothing.
    async fn mark_validated(
        &self,
        sid: SessionId,
        validated_at: Timestamp,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<bool, StorageError>;

    /// The session with that id, in whatever state, as of the last operation that returned.
    async fn find_session(&self, sid: SessionId) -> Result<Option<ValidationSession>, StorageError>;
}

/// The user of that id, as a column holds it.
pub(crate) fn parse_user_id(text: &str) -> Option<UserId> {
    let (localpart, server_name) = text.strip_prefix('@')?.split_once(':')?;
    let server_name = ServerName::parse(server_name).ok()?;
    Some(UserId::new(&Localpart::from_stored(localpart.to_owned()), &server_name))
}

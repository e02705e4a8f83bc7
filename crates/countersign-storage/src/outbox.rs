//! Messages that are owed.

use async_trait::async_trait;
use countersign_core::{
    Carrier, CodePolicy, GiveUpReason, LeaseId, LeasedMessage, MessageId, MessageOutcome, Timestamp,
};

use crate::StorageError;

/// A worker's request for messages.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// Names this hold on them.
    pub lease_id: LeaseId,
    /// The carrier that the worker serves.
    pub carrier: Carrier,
    /// How many at most.
    pub limit: usize,
    /// When the hold ends, unless the message is finished before.
    pub leased_until: Timestamp,
    /// How long codes live.
    pub codes: CodePolicy,
}

/// How many messages wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Not finished, leased ones included.
    pub waiting: u64,
    /// When the oldest of them was asked for.
    pub oldest_created_at: Option<Timestamp>,
}

/// A message that is over and done with, as `message_history` holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedMessage {
    /// Its row's id.
    pub id: MessageId,
    /// How it ended.
    pub outcome: MessageOutcome,
    /// What the other side said, without address or token.
    pub reason: Option<String>,
    /// How often sending was begun.
    pub tries: u32,
    /// When it ended.
    pub finished_at: Timestamp,
}

/// Messages that are owed.
///
/// Delivery is at least once: a lease that ran out hands its messages to the next worker. A lease is stale once someone
/// else took the message over or it was finished or given back; one that merely ran out still counts.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// Takes up to `limit` messages that are due (`not_before <= now`) and not leased, or whose lease ran out
    /// (`leased_until < now`), oldest `not_before` first.
    ///
    /// For each, `ValidationSession::begin_send` decides: those to send are leased, their session is saved, `tries` counts
    /// one more; the others are finished, and giving up recomputes the session's attempt as [`give_up`](Self::give_up)
    /// does. So an empty answer does not mean that nothing was due: it means that nothing is to be sent.
    async fn lease(&self, request: LeaseRequest, now: Timestamp) -> Result<Vec<LeasedMessage>, StorageError>;

    /// Finishes a message as delivered. `false`, and no change, if the lease is stale.
    async fn mark_delivered(
        &self,
        id: MessageId,
        lease_id: LeaseId,
        now: Timestamp,
    ) -> Result<bool, StorageError>;

    /// Gives a message back, to be tried again at `not_before`. `false`, and no change, if the lease is stale.
    async fn retry_at(
        &self,
        id: MessageId,
        lease_id: LeaseId,
        not_before: Timestamp,
    ) -> Result<bool, StorageError>;

    /// Finishes a message as given up, and recomputes its session's attempt in the same operation: the highest among
    /// those that were delivered or still wait (`ValidationSession::after_giving_up`). `false`, and no change, if the
    /// lease is stale.
    async fn give_up(
        &self,
        id: MessageId,
        lease_id: LeaseId,
        reason: GiveUpReason,
        said: Option<String>,
        now: Timestamp,
    ) -> Result<bool, StorageError>;

    /// The first moment at which `lease` would find a message for that carrier: one is due, or its lease has run out.
    /// `None` if none waits.
    async fn next_due_at(&self, carrier: Carrier) -> Result<Option<Timestamp>, StorageError>;

    /// How many messages wait.
    async fn count_outbox(&self) -> Result<OutboxCounts, StorageError>;

    /// How a message ended; `None` while it waits, or once it is forgotten.
    async fn find_finished_message(&self, id: MessageId) -> Result<Option<FinishedMessage>, StorageError>;
}

/// The outcome of that name, if there is one.
pub(crate) fn parse_outcome(name: &str) -> Option<MessageOutcome> {
    use countersign_core::{DropReason as D, GiveUpReason as G, MessageOutcome as O};
    let all = [
        O::Delivered,
        O::Dropped(D::Validated),
        O::Dropped(D::Ended),
        O::Dropped(D::Superseded),
        O::GivenUp(G::Refused),
        O::GivenUp(G::Expired),
        O::GivenUp(G::Unreadable),
    ];
    all.into_iter().find(|outcome| outcome.as_str() == name)
}

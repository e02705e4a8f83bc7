//! Associations of the identity service: bind, unbind, look up.

use async_trait::async_trait;
use countersign_core::{
    AddressHash, Association, Bind, LookupKey, LookupPepper, NotValidated, Timestamp, UserId,
};

use crate::StorageError;

/// What a bind led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The association is published.
    Done {
        /// The association.
        association: Association,
        /// Whether a message to the user's homeserver was queued, since invitations wait.
        queued: bool,
    },
    /// The session does not prove its address.
    Refused(NotValidated),
    /// Another pepper came meanwhile. Whoever calls makes the keys anew.
    PeppersChanged,
}

/// Associations of the identity service. An address has one at most.
#[async_trait]
pub trait AssociationStore: Send + Sync {
    /// Binds a session's address to a user, decided by `ValidationSession::bind`, in place of the user that it was bound to
    /// before, with its lookup keys (`wanted_keys`); queues the message to the user's homeserver if invitations for the address
    /// were not handed over yet. All of it or nothing. Of two at once, the later one stays.
    async fn bind(&self, bind: Bind, now: Timestamp) -> Result<Bound, StorageError>;

    /// Deletes the association of an address with a user, and its lookup keys. `false`, and no change, if the address is
    /// bound to nobody or to someone else.
    async fn unbind(&self, address: AddressHash, user_id: &UserId) -> Result<bool, StorageError>;

    /// The association of an address.
    async fn find_association(&self, address: AddressHash) -> Result<Option<Association>, StorageError>;

    /// The users whose addresses have these keys under the current pepper. `None` if that is another one.
    async fn lookup(
        &self,
        pepper: &LookupPepper,
        keys: Vec<LookupKey>,
    ) -> Result<Option<Vec<(LookupKey, UserId)>>, StorageError>;

    /// The users to whom these addresses are bound. `None` if the current pepper is another one.
    async fn lookup_addresses(
        &self,
        pepper: &LookupPepper,
        addresses: Vec<AddressHash>,
    ) -> Result<Option<Vec<(AddressHash, UserId)>>, StorageError>;

    /// Up to `limit` associations in the order of their address hashes, beginning behind `after`.
    async fn list_associations(
        &self,
        after: Option<AddressHash>,
        limit: usize,
    ) -> Result<Vec<Association>, StorageError>;
}

//! Associations of the identity service: bind, unbind, look up.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{
    AddressHash, Association, Bind, LookupFilter, LookupKey, LookupKeySource, LookupPepper, NotValidated,
    Timestamp, UserId,
};

use crate::StorageError;

/// What a bind led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The association is published.
    Done {
        /// The association.
        association: Association,
        /// Whether one more message to the user's homeserver was queued, since invitations wait.
        queued: bool,
    },
    /// The session does not prove its address.
    Refused(NotValidated),
    /// Another pepper came meanwhile. Whoever calls makes the keys anew.
    PeppersChanged,
}

/// Keys of all peppers, with their numbers, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedKeys {
    /// Who gave the numbers.
    pub source: LookupKeySource,
    /// The keys.
    pub keys: Vec<(i64, LookupKey)>,
}

/// What a lookup under the current pepper found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedUp {
    /// The keys that are somebody's, and whose.
    pub users: Vec<(LookupKey, UserId)>,
    /// Whether there are keys that the filter doesn't have.
    pub filter_is_behind: bool,
}

/// How many keys that the filter doesn't have yet a lookup reads, so that it need not look for all that it was given.
pub(crate) const LATER_KEYS: usize = 200;

/// The keys to look for, sorted, each once: those that the filter may contain or that came later; all, if more came later than
/// were read, or if the filter is of another source.
pub(crate) fn sift(keys: &[LookupKey], filter: &LookupFilter, later: NumberedKeys) -> Vec<LookupKey> {
    let mut keys = if later.source == filter.source() && later.keys.len() <= LATER_KEYS {
        let mut later: Vec<_> = later.keys.into_iter().map(|(_, key)| key).collect();
        later.sort_unstable();
        let is_wanted = |key: &&LookupKey| filter.may_contain(key) || later.binary_search(key).is_ok();
        keys.iter().filter(is_wanted).copied().collect()
    } else {
        keys.to_vec()
    };
    // In the order of the index: neighbors lie on one page.
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Associations of the identity service. An address has one at most.
#[async_trait]
pub trait AssociationStore: Send + Sync {
    /// Binds a session's address to a user, decided by `ValidationSession::bind`, in place of the user that it was bound to
    /// before, with its lookup keys (`wanted_keys`); queues the message to the user's homeserver if invitations for the address
    /// were not handed over yet, unless one to that user waits already. One that is being sent does not count: it may have missed
    /// an invitation. All of it or nothing. Of two at once, the later one stays.
    async fn bind(&self, bind: Bind, now: Timestamp) -> Result<Bound, StorageError>;

    /// Deletes the association of an address with a user, and its lookup keys. `false`, and no change, if the address is
    /// bound to nobody or to someone else.
    async fn unbind(&self, address: AddressHash, user_id: &UserId) -> Result<bool, StorageError>;

    /// The association of an address.
    async fn find_association(&self, address: AddressHash) -> Result<Option<Association>, StorageError>;

    /// The users whose addresses have these keys under the current pepper. `None` if that is another one. The filter spares it
    /// the search for most keys that are not there; keys that it doesn't have yet are found all the same, if it was made from
    /// [`list_lookup_keys`](Self::list_lookup_keys) of this database.
    async fn lookup(
        &self,
        pepper: &LookupPepper,
        keys: Vec<LookupKey>,
        filter: &Arc<LookupFilter>,
    ) -> Result<Option<LookedUp>, StorageError>;

    /// Up to `limit` keys, beginning behind number `after`. A key that is added later has a larger number than all that the same
    /// source ever answered.
    async fn list_lookup_keys(&self, after: i64, limit: usize) -> Result<NumberedKeys, StorageError>;

    /// How many keys there are, of all peppers.
    async fn count_lookup_keys(&self) -> Result<usize, StorageError>;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> LookupKey {
        LookupKey::from_bytes([byte; 32])
    }

    #[test]
    fn keys_to_look_for_are_those_in_the_filter_and_those_that_came_later() {
        let source = LookupKeySource(1);
        let filter = LookupFilter::new(source, 10);
        filter.add(&[(1, key(1)), (2, key(2))]);
        let asked = vec![key(9), key(4), key(2), key(4)];
        let later = |source, bytes: Vec<u8>| {
            let keys = bytes.into_iter().map(|byte| (i64::from(byte), key(byte))).collect();
            NumberedKeys { source, keys }
        };
        assert_eq!(sift(&asked, &filter, later(source, vec![])), [key(2)]);
        assert_eq!(sift(&asked, &filter, later(source, vec![7, 4, 3])), [key(2), key(4)]);
        let all = [key(2), key(4), key(9)];
        assert_eq!(sift(&asked, &filter, later(source, vec![3; LATER_KEYS + 1])), all);
        assert_eq!(sift(&asked, &filter, later(LookupKeySource(2), vec![])), all);
    }
}

//! What the node remembers of a bind that it carried out at an identity server, so that it can be taken back there.

use crate::{AddressHash, Localpart, Medium, Sealed, Timestamp};

/// An address that a user of this node bound at an identity server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedBind {
    /// The account.
    pub localpart: Localpart,
    /// The kind of address.
    pub medium: Medium,
    /// The address, to look up.
    pub address_hash: AddressHash,
    /// The address, to read.
    pub sealed_address: Sealed,
    /// The identity server: a hostname, with a port if it is not 443.
    pub id_server: String,
    /// When.
    pub bound_at: Timestamp,
}

//! Bytes that only the holder of a master key can read.

use std::fmt;

/// An encrypted value as a column holds it: format, key id, nonce, ciphertext and tag.
///
/// Made and opened by [`Keyring`](crate::Keyring), bound to its column and row.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// The value with these bytes, as read back from the database. Opening it finds out whether they are any good.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// The column that a sealed value belongs to. A value moved to another column or row does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedColumn {
    /// `validation_sessions.sealed_address`; the row is the `sid`.
    SessionAddress,
    /// `validation_sessions.sealed_next_link`; the row is the session key, since the `sid` is not known when it is sealed.
    SessionNextLink,
    /// `account_threepids.sealed_address`; the row is the address hash.
    AccountThreepidAddress,
    /// `index_keys.sealed_key`; there is one row.
    IndexKey,
}

impl SealedColumn {
    /// The name that the associated data begins with. Never changed once released.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::SessionAddress => "validation_sessions.sealed_address",
            Self::SessionNextLink => "validation_sessions.sealed_next_link",
            Self::AccountThreepidAddress => "account_threepids.sealed_address",
            Self::IndexKey => "index_keys.sealed_key",
        }
    }
}

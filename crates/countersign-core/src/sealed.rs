//! Bytes that only the holder of a master key can read.

use std::fmt;

use crate::MasterKeyId;

/// First byte of every sealed value, so that a later format can be told from this one.
const SEALED_FORMAT: u8 = 1;

/// The length of the nonce in a sealed value.
pub(crate) const SEALED_NONCE_LENGTH: usize = 24;

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

    /// Whether its header names this key. That it opens with it is not said.
    pub fn is_sealed_with(&self, id: &MasterKeyId) -> bool {
        self.parts().is_some_and(|(named, _, _)| named == *id)
    }

    pub(crate) fn from_parts(id: &MasterKeyId, nonce: &[u8; SEALED_NONCE_LENGTH], cipher: &[u8]) -> Self {
        let id = id.as_str().as_bytes();
        let length = u8::try_from(id.len()).expect("a key id has at most 32 characters");
        Self([[SEALED_FORMAT, length].as_slice(), id, nonce, cipher].concat())
    }

    /// Key id, nonce and ciphertext with tag. `None` if this isn't a sealed value.
    pub(crate) fn parts(&self) -> Option<(MasterKeyId, [u8; SEALED_NONCE_LENGTH], &[u8])> {
        let (&[format, length], rest) = self.0.split_first_chunk()?;
        if format != SEALED_FORMAT {
            return None;
        }
        let (id, rest) = rest.split_at_checked(length.into())?;
        let id = MasterKeyId::parse(str::from_utf8(id).ok()?).ok()?;
        let (nonce, cipher) = rest.split_first_chunk()?;
        Some((id, *nonce, cipher))
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
    /// `uia_sessions.sealed_params`; the row is the hash of the session's id.
    UiaParams,
    /// `registration_tokens.sealed_token`; the row is the token's hash.
    RegistrationToken,
    /// `delegated_sessions.sealed_remote`; the row is the `sid`.
    DelegatedSession,
    /// `associations.sealed_address`; the row is the address hash.
    AssociationAddress,
    /// `recorded_binds.sealed_address`; the row is the address hash.
    RecordedBindAddress,
    /// `invitations.sealed_details`; the row is the token's hash.
    Invitation,
    /// `signing_keys.sealed_seed`; the row is the key's id.
    SigningKey,
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
            Self::UiaParams => "uia_sessions.sealed_params",
            Self::RegistrationToken => "registration_tokens.sealed_token",
            Self::DelegatedSession => "delegated_sessions.sealed_remote",
            Self::AssociationAddress => "associations.sealed_address",
            Self::RecordedBindAddress => "recorded_binds.sealed_address",
            Self::Invitation => "invitations.sealed_details",
            Self::SigningKey => "signing_keys.sealed_seed",
            Self::IndexKey => "index_keys.sealed_key",
        }
    }
}

//! Keyed hashes: how the database finds a thing without holding it.
//!
//! Each is an HMAC-SHA-256 under the index key, with a label of its own, made by [`Keyring`](crate::Keyring).

use std::fmt;

use subtle::ConstantTimeEq;

/// Defines one kind of keyed hash, so that two kinds can't be mixed up.
macro_rules! keyed_hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, PartialOrd, Ord, Hash)]
        #[expect(clippy::derived_hash_with_manual_eq, reason = "both look at all bytes; only the time differs")]
        pub struct $name([u8; 32]);

        impl $name {
            /// The hash with these bytes, as read back from the database.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes to store or look up.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl PartialEq for $name {
            /// Compares in constant time.
            fn eq(&self, other: &Self) -> bool {
                self.0.ct_eq(&other.0).into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

keyed_hash! {
    /// Names a medium and a canonical address.
    AddressHash
}
keyed_hash! {
    /// Names a purpose, an address and a client secret: the key of a validation session.
    SessionKey
}
keyed_hash! {
    /// Stands for a client secret.
    ClientSecretHash
}
keyed_hash! {
    /// Stands for an access token of the client API.
    AccessTokenHash
}
keyed_hash! {
    /// Stands for a refresh token of the client API.
    RefreshTokenHash
}
keyed_hash! {
    /// Stands for a token that lets people register.
    RegistrationTokenHash
}
keyed_hash! {
    /// Stands for a token that proves a user to another service.
    OpenIdTokenHash
}
keyed_hash! {
    /// Stands for an access token of the identity API.
    IdentityTokenHash
}
keyed_hash! {
    /// Stands for the token of an invitation.
    InvitationTokenHash
}
keyed_hash! {
    /// Finds an association by what a client hashed: an address, its medium and a pepper.
    LookupKey
}
keyed_hash! {
    /// Stands for the id of a session of user-interactive authentication.
    UiaSessionHash
}
keyed_hash! {
    /// Stands for what a session of user-interactive authentication is to change.
    UiaTargetHash
}
keyed_hash! {
    /// Names whom a budget belongs to: an address, a network, an account.
    SubjectHash
}

impl From<AddressHash> for SubjectHash {
    fn from(hash: AddressHash) -> Self {
        Self(hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_equal_when_all_bytes_are_and_never_shown() {
        let hash = AddressHash::from_bytes([7; 32]);
        assert_eq!(hash, AddressHash::from_bytes(*hash.as_bytes()));
        for index in 0..32 {
            let mut bytes = [7; 32];
            bytes[index] ^= 1;
            assert_ne!(hash, AddressHash::from_bytes(bytes));
        }
        assert_eq!(format!("{hash:?}"), "AddressHash(..)");
    }
}

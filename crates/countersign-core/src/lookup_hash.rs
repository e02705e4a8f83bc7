//! The hash under which people are looked up at an identity service.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::ThirdPartyIdentifier;

/// What an identity service has mixed into every digest: 1 to 255 of `0-9a-zA-Z`. Not a secret: every caller of the
/// service is told.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#hashing)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LookupPepper(String);

impl LookupPepper {
    /// Parses what was sent or stored.
    ///
    /// # Errors
    /// When it is empty, too long or has other characters. The specification says no more than "string"; the proposal
    /// behind it names these characters, and with a space in it a digest could stand for two addresses.
    pub fn parse(text: &str) -> Result<Self, InvalidLookupPepper> {
        if (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidLookupPepper)
        }
    }

    /// The pepper as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text that is no pepper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a lookup pepper must be 1 to 255 of the characters 0-9a-zA-Z")]
pub struct InvalidLookupPepper;

/// The `sha256` digest of an address under a pepper. Never printed: who knows the pepper finds a phone number by its
/// digest in minutes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupDigest([u8; 32]);

impl LookupDigest {
    /// Reads a digest as it stands on the wire. `None` if none is written so: such an entry stands for nobody.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        // Decoding is strict, so that a digest has one spelling only.
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Self(bytes))
    }

    /// The digest as it stands on the wire: url-safe base64 without padding.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LookupDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookupDigest(..)")
    }
}

/// Hashes a canonical address as all identity services do: SHA-256 over address, medium and pepper, in this order, with
/// a space between two.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#hashing)
pub fn lookup_digest(threepid: &ThirdPartyIdentifier, pepper: &LookupPepper) -> LookupDigest {
    let mut hasher = Sha256::new();
    for part in [threepid.address(), " ", threepid.medium().as_str(), " ", pepper.as_str()] {
        hasher.update(part);
    }
    LookupDigest(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Medium;

    fn digest(medium: Medium, address: &str, pepper: &str) -> LookupDigest {
        let threepid = ThirdPartyIdentifier::from_canonical(medium, address).unwrap();
        lookup_digest(&threepid, &LookupPepper::parse(pepper).unwrap())
    }

    #[test]
    fn digests_are_those_of_the_specification() {
        let vectors = [
            (Medium::Email, "alice@example.com", "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc"),
            (Medium::Email, "bob@example.com", "LJwSazmv46n0hlMlsb_iYxI0_HXEqy_yj6Jm636cdT8"),
            (Medium::Msisdn, "18005552067", "nlo35_T5fzSGZzJApqu8lgIudJvmOQtDaHtr-I4rU7I"),
            (Medium::Email, "strauss@example.com", "Wvo9OL_UvrDZsRecvnhshdTeilXXGbhk0J5l5rX55Ok"),
        ];
        for (medium, address, expected) in vectors {
            let digest = digest(medium, address, "matrixrocks");
            assert_eq!(digest.encode(), expected, "{address}");
            assert_eq!(LookupDigest::parse(expected), Some(digest), "{address}");
        }
    }

    #[test]
    fn another_pepper_makes_another_digest() {
        let digest = |pepper| digest(Medium::Email, "alice@example.com", pepper);
        assert_ne!(digest("matrixrocks"), digest("matrixrock"));
    }

    #[test]
    fn a_pepper_is_letters_and_digits() {
        for good in ["a", "matrixrocks", "0Z", &"x".repeat(255)] {
            assert_eq!(LookupPepper::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\n", "ä", "a_b", "a-b", "٣", &"x".repeat(256)] {
            assert_eq!(LookupPepper::parse(bad), Err(InvalidLookupPepper), "{bad:?}");
        }
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let good = "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc";
        let others = [
            "",
            "alice@example.com",
            &good[..42],
            &format!("{good}="),
            &format!("{good}A"),
            &good.replace("Uc", "Ud"),
            "nlo35/T5fzSGZzJApqu8lgIudJvmOQtDaHtr+I4rU7I",
        ];
        for other in others {
            assert_eq!(LookupDigest::parse(other), None, "{other}");
        }
    }

    #[test]
    fn debug_shows_no_digest() {
        assert_eq!(format!("{:?}", LookupDigest::from_bytes([7; 32])), "LookupDigest(..)");
    }

    proptest! {
        #[test]
        fn every_digest_reads_back(bytes: [u8; 32]) {
            let digest = LookupDigest::from_bytes(bytes);
            prop_assert_eq!(LookupDigest::parse(&digest.encode()), Some(digest));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = LookupDigest::parse(&text);
            let _ = LookupPepper::parse(&text);
        }
    }
}

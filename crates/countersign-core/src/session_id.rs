//! The id of a validation session.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::Random;

/// A `sid`: 128 random bits, written as 22 characters of base64url. Not a secret, but not guessable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// A new random one.
    pub fn generate(random: &dyn Random) -> Self {
        Self(random.bytes())
    }

    /// The id that a client names. `None` if we never write ids so: an ill-formed `sid` is an unknown session.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Self(bytes))
    }

    /// The id with these bytes, as read back from the database.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store or look up.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_reads_back_and_fits_the_grammar(bytes: [u8; 16]) {
            let text = SessionId::from_bytes(bytes).to_string();
            prop_assert_eq!(SessionId::parse(&text), Some(SessionId::from_bytes(bytes)));
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".=_-".contains(&byte)));
        }

        #[test]
        fn other_text_is_an_unknown_session(text in "\\PC{0,40}") {
            if let Some(sid) = SessionId::parse(&text) {
                prop_assert_eq!(sid.to_string(), text);
            }
        }
    }
}

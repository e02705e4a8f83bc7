//! The id of a validation session.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Random, Timestamp};

/// The time in milliseconds, then the random part.
const LENGTH: usize = 6 + 16;
/// What that is in base64.
const TEXT_LENGTH: usize = LENGTH.div_ceil(3) * 4;

/// A `sid`: the time in milliseconds and 128 random bits, written as 30 characters of base64url. Not a secret, but not
/// guessable. The time stands first so that new ones lie together in an index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; LENGTH]);

impl SessionId {
    /// A new one.
    pub fn generate(now: Timestamp, random: &dyn Random) -> Self {
        let [_, _, time @ ..] = now.as_millis().to_be_bytes();
        let mut bytes = [0; LENGTH];
        bytes[..6].copy_from_slice(&time);
        random.fill(&mut bytes[6..]);
        Self(bytes)
    }

    /// The id that a client names. `None` if we never write ids so: an ill-formed `sid` is an unknown session.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; LENGTH];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Self(bytes))
    }

    /// The id with these bytes, as read back from the database.
    pub const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes to store or look up.
    pub const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_LENGTH];
        let length = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
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
    use crate::validation_session::test_data::CountingRandom;

    #[test]
    fn later_ids_come_later_and_two_of_one_moment_differ() {
        let random = CountingRandom::default();
        let at = |millis| SessionId::generate(Timestamp::from_millis(millis), &random);
        let (first, second, later) = (at(1_795_262_400_000), at(1_795_262_400_000), at(1_795_262_400_001));
        assert_ne!(first, second);
        assert!(first.as_bytes() < later.as_bytes() && second.as_bytes() < later.as_bytes());
    }

    proptest! {
        #[test]
        fn every_id_reads_back_and_fits_the_grammar(bytes: [u8; LENGTH]) {
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

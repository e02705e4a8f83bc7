//! Tokens that let people register
//! ([spec](https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration)).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{Random, RegistrationTokenHash, Sealed, Timestamp};

/// The longest token that the specification allows.
const TOKEN_MAX_LENGTH: usize = 64;

/// A registration token as an operator hands it out: 1 to 64 of `0-9A-Za-z._~-`.
#[derive(Clone)]
pub struct RegistrationTokenText(Zeroizing<String>);

impl RegistrationTokenText {
    /// Parses what someone typed.
    ///
    /// # Errors
    /// When it is empty, too long or has other characters.
    pub fn parse(text: &str) -> Result<Self, InvalidRegistrationToken> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
        let good = (1..=TOKEN_MAX_LENGTH).contains(&text.len()) && text.bytes().all(fits);
        if good { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidRegistrationToken) }
    }

    /// A new random one: 96 bits, which nobody guesses, as 16 characters, which a person can type.
    pub fn generate(random: &dyn Random) -> Self {
        let bytes = Zeroizing::new(random.bytes::<12>());
        // A leading dash would be read as an option on a command line.
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes).replace(['-', '_'], ".")))
    }

    /// The token as text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RegistrationTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistrationTokenText(..)")
    }
}

/// Text that is no registration token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a registration token is 1 to 64 of 0-9a-zA-Z._~-")]
pub struct InvalidRegistrationToken;

/// A registration token and how far it is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationToken {
    /// The token, to look up.
    pub token_hash: RegistrationTokenHash,
    /// The token, to read.
    pub sealed_token: Sealed,
    /// How many may register with it; `None`: anyone.
    pub uses_allowed: Option<u32>,
    /// How many did.
    pub completed: u32,
    /// The last moment at which it is good; `None`: for ever.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl RegistrationToken {
    /// Whether one more may begin to register, when `pending` have begun and are not done.
    pub fn has_use_left(&self, pending: u32, now: Timestamp) -> bool {
        let unexpired = self.expires_at.is_none_or(|expires_at| now <= expires_at);
        let used = self.completed.saturating_add(pending);
        unexpired && self.uses_allowed.is_none_or(|allowed| used < allowed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::validation_session::test_data::CountingRandom;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    #[test]
    fn tokens_follow_the_grammar() {
        for good in ["a", "A0._~-", &"z".repeat(64)] {
            assert_eq!(RegistrationTokenText::parse(good).unwrap().expose(), good);
        }
        for bad in ["", " a", "a b", "ä", "a+b", &"z".repeat(65)] {
            assert!(RegistrationTokenText::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn new_tokens_differ_and_are_easy_to_hand_on() {
        let random = CountingRandom::default();
        let tokens: std::collections::HashSet<String> =
            (0..100).map(|_| RegistrationTokenText::generate(&random).expose().to_owned()).collect();
        assert_eq!(tokens.len(), 100);
        for token in tokens {
            assert_eq!(token.len(), 16);
            assert!(RegistrationTokenText::parse(&token).is_ok() && !token.contains(['-', '_']), "{token}");
        }
    }

    #[test]
    fn pending_and_completed_uses_both_count() {
        let token = |uses_allowed, completed| RegistrationToken {
            token_hash: RegistrationTokenHash::from_bytes([1; 32]),
            sealed_token: Sealed::from_bytes(Vec::new()),
            uses_allowed,
            completed,
            expires_at: Some(NOW),
            created_at: NOW,
        };
        for (allowed, completed, pending, left) in [
            (None, u32::MAX, u32::MAX, true),
            (Some(0), 0, 0, false),
            (Some(1), 0, 0, true),
            (Some(1), 1, 0, false),
            (Some(1), 0, 1, false),
            (Some(3), 1, 1, true),
            (Some(3), 1, 2, false),
            (Some(u32::MAX), u32::MAX, 1, false),
        ] {
            assert_eq!(token(allowed, completed).has_use_left(pending, NOW), left, "{allowed:?} {completed}");
        }
        assert!(!token(None, 0).has_use_left(0, NOW.after(Duration::from_millis(1))));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,80}") {
            if let Ok(token) = RegistrationTokenText::parse(&text) {
                prop_assert_eq!(token.expose(), text);
            }
        }
    }
}

//! The secret by which a client names its validation attempt.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// A client secret: 1 to 255 of `0-9a-zA-Z.=_-` ([spec]). Never printed.
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken
#[derive(Clone)]
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// Parses what a client sent.
    ///
    /// # Errors
    /// When it is empty, too long or has other characters.
    pub fn parse(text: &str) -> Result<Self, InvalidClientSecret> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'=' | b'_' | b'-');
        if (1..=255).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(InvalidClientSecret)
        }
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

/// Text that is no client secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("client_secret must be 1 to 255 of the characters 0-9a-zA-Z.=_-")]
pub struct InvalidClientSecret;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn grammar_is_anchored_at_both_ends() {
        for good in ["a", "monkeys_are_GREAT", "0.=_-", &"x".repeat(255)] {
            assert!(ClientSecret::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\n", "\na", "ä", "a/b", "a+b", "a\0", "٣", &"x".repeat(256)] {
            assert!(ClientSecret::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn parse_takes_exactly_the_grammar(text in "\\PC{0,300}") {
            let fits = (1..=255).contains(&text.len())
                && text.chars().all(|c| "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.=_-".contains(c));
            prop_assert_eq!(ClientSecret::parse(&text).is_ok(), fits);
        }
    }
}

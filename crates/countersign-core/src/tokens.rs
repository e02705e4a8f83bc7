//! Validation tokens, derived rather than stored (docs/decisions/0004).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{SessionId, TokenKey};

/// The longest validation token that the specification allows, in Unicode code points.
const TOKEN_MAX_CHARS: usize = 255;

/// The token in a mail's link: 32 bytes as base64url. Lives as long as its session, the same in every message.
#[derive(Clone)]
pub struct LinkToken(Zeroizing<String>);

/// The token in a mail's "this wasn't me" link.
#[derive(Clone)]
pub struct NotMeToken(Zeroizing<String>);

/// A code of six digits that a person types.
#[derive(Clone)]
pub struct TypedCode(Zeroizing<String>);

/// Which of a session's codes is meant. Zero: none was sent yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeGeneration(pub u32);

/// What a session's tokens are derived from.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenNonce([u8; 16]);

impl TokenNonce {
    /// The nonce with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for TokenNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenNonce(..)")
    }
}

impl TokenKey {
    /// The token in the links of this session's mails.
    pub fn link_token(&self, sid: &SessionId, nonce: &TokenNonce) -> LinkToken {
        LinkToken(encoded(self.derive("link", &[sid.as_bytes(), nonce.as_bytes()])))
    }

    /// The token in the "this wasn't me" links of this session's mails.
    pub fn not_me_token(&self, sid: &SessionId, nonce: &TokenNonce) -> NotMeToken {
        NotMeToken(encoded(self.derive("not_me", &[sid.as_bytes(), nonce.as_bytes()])))
    }

    /// The code of one generation: a 64-bit number modulo a million, zero-padded.
    pub fn typed_code(&self, sid: &SessionId, nonce: &TokenNonce, generation: CodeGeneration) -> TypedCode {
        let hash = self.derive("code", &[sid.as_bytes(), nonce.as_bytes(), &generation.0.to_be_bytes()]);
        let [a, b, c, d, e, f, g, h, ..] = hash;
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        TypedCode(Zeroizing::new(format!("{:06}", number % 1_000_000)))
    }
}

impl TokenKey {
    /// The client secret of the session that another service opens to validate this one's address. The same for every
    /// message of the session, so that a repeat finds the session that is open there.
    pub fn delegate_secret(&self, sid: &SessionId, nonce: &TokenNonce) -> Zeroizing<String> {
        encoded(self.derive("delegate", &[sid.as_bytes(), nonce.as_bytes()]))
    }
}

fn encoded(bytes: [u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// Gives a token type its accessor, its silent `Debug`, and comparison in constant time.
macro_rules! token {
    ($name:ident) => {
        impl $name {
            /// The token itself.
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// Whether this is the text that was handed in, compared in constant time.
            pub fn matches(&self, text: &str) -> bool {
                self.0.as_bytes().ct_eq(text.as_bytes()).into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

token!(LinkToken);
token!(NotMeToken);
token!(TypedCode);

/// A token as a client handed it in, not yet compared with anything.
#[derive(Clone)]
pub enum SubmittedToken {
    /// Six ASCII digits.
    Code(Zeroizing<String>),
    /// Anything else.
    Link(Zeroizing<String>),
}

impl SubmittedToken {
    /// The text as it was handed in.
    pub fn expose(&self) -> &str {
        match self {
            Self::Code(text) | Self::Link(text) => text,
        }
    }

    /// Tells a code from a link token.
    ///
    /// # Errors
    /// When it has more than 255 code points.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        if TOKEN_MAX_CHARS < text.chars().count() {
            return Err(InvalidToken);
        }
        let token = Zeroizing::new(text.to_owned());
        let is_code = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        Ok(if is_code { Self::Code(token) } else { Self::Link(token) })
    }
}

impl fmt::Debug for SubmittedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code(_) => "Code(..)",
            Self::Link(_) => "Link(..)",
        })
    }
}

/// Text that can't be a validation token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("token must have at most 255 characters")]
pub struct InvalidToken;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Keyring, validation_session::test_data};

    fn with_key<T>(derive: impl FnOnce(&TokenKey) -> T) -> T {
        let keyring: &Keyring = &test_data::keyring();
        derive(keyring.current_token_key().1)
    }

    const NONCE: TokenNonce = TokenNonce::from_bytes([15; 16]);

    /// Computed by another implementation. A change would make every token that is on its way worthless.
    #[test]
    fn derivation_never_changes() {
        let sid = test_data::sid(1);
        with_key(|key| {
            assert_eq!(key.link_token(&sid, &NONCE).expose(), "A656AafNQ5Wu_tByRIJUCD2dqA881CuzcSGVzjHgsrI");
            assert_eq!(
                key.not_me_token(&sid, &NONCE).expose(),
                "BHtfy8RVPN-Gddvq_Ar3Fw934ig_ZzTtHCMpkLcSMHs"
            );
            assert_eq!(*key.delegate_secret(&sid, &NONCE), "LNiy5awMXDYqeONwlXs0aq3e4ZinLHh-4R-b4EoVUS8");
            for (generation, code) in [(1, "377245"), (2, "105020"), (3, "012487"), (14_865, "000098")] {
                assert_eq!(key.typed_code(&sid, &NONCE, CodeGeneration(generation)).expose(), code);
            }
        });
    }

    #[test]
    fn a_token_is_for_one_session_and_one_nonce() {
        let (sid, other_sid) = (test_data::sid(1), test_data::sid(2));
        let other_nonce = TokenNonce::from_bytes([16; 16]);
        with_key(|key| {
            let token = key.link_token(&sid, &NONCE);
            for other in [key.link_token(&other_sid, &NONCE), key.link_token(&sid, &other_nonce)] {
                assert!(!token.matches(other.expose()));
            }
            assert!(!token.matches(key.not_me_token(&sid, &NONCE).expose()));
        });
    }

    #[test]
    fn only_the_exact_text_matches() {
        with_key(|key| {
            let code = key.typed_code(&test_data::sid(1), &NONCE, CodeGeneration(14_865));
            assert!(code.matches("000098"));
            for near in ["", "98", "000099", "00098", "0000980", "000098\n", " 000098", "٠٠٠٠٩٨", "100098"]
            {
                assert!(!code.matches(near), "{near:?}");
            }
            let link = key.link_token(&test_data::sid(1), &NONCE);
            let text = link.expose();
            assert!(link.matches(text));
            for near in [&text[..42], &text.to_lowercase(), &format!("{text}="), &format!("{text} "), ""] {
                assert!(!link.matches(near), "{near:?}");
            }
        });
    }

    #[test]
    fn a_submitted_token_is_told_by_its_form() {
        let long = |count| "ä".repeat(count);
        for (text, is_code) in [
            ("000000", Some(true)),
            ("123456", Some(true)),
            ("12345", Some(false)),
            ("1234567", Some(false)),
            ("12345a", Some(false)),
            (" 12345", Some(false)),
            ("+12345", Some(false)),
            ("١٢٣", Some(false)),
            ("", Some(false)),
            (&long(255), Some(false)),
            (&long(256), None),
            (&"x".repeat(100_000), None),
        ] {
            let parsed = SubmittedToken::parse(text).ok();
            assert_eq!(parsed.map(|token| matches!(token, SubmittedToken::Code(_))), is_code, "{text:.20?}");
        }
    }

    #[test]
    fn debug_output_shows_no_token() {
        with_key(|key| {
            let sid = test_data::sid(1);
            let (link, code) =
                (key.link_token(&sid, &NONCE), key.typed_code(&sid, &NONCE, CodeGeneration(1)));
            let submitted = SubmittedToken::parse(code.expose());
            let shown =
                format!("{link:?} {:?} {code:?} {submitted:?} {NONCE:?}", key.not_me_token(&sid, &NONCE));
            assert_eq!(shown, "LinkToken(..) NotMeToken(..) TypedCode(..) Ok(Code(..)) TokenNonce(..)");
        });
    }

    proptest! {
        #[test]
        fn every_token_has_its_form(sid: [u8; 22], nonce: [u8; 16], generation: u32) {
            let (sid, nonce) = (SessionId::from_bytes(sid), TokenNonce::from_bytes(nonce));
            with_key(|key| {
                let code = key.typed_code(&sid, &nonce, CodeGeneration(generation));
                prop_assert!(matches!(SubmittedToken::parse(code.expose()), Ok(SubmittedToken::Code(_))));
                let link = key.link_token(&sid, &nonce);
                prop_assert!(matches!(SubmittedToken::parse(link.expose()), Ok(SubmittedToken::Link(_))));
                prop_assert_eq!(link.expose().len(), 43);
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                prop_assert!(link.expose().bytes().all(fits));
                Ok(())
            })?;
        }
    }
}

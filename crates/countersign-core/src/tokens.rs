//! Validation tokens, derived rather than stored (DESIGN 2.5).

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
        let number = hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        TypedCode(Zeroizing::new(format!("{:06}", number % 1_000_000)))
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

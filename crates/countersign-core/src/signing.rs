//! Ed25519 keys of servers, and their signatures ([spec](https://spec.matrix.org/v1.19/appendices/#signing-details)).

use std::fmt;

use ed25519_dalek::Signer;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{Random, decode_base64, encode_base64, encode_base64_url_safe};

const ALGORITHM: &str = "ed25519";

/// The name of a signing key: `ed25519:version`.
///
/// The specification has letters, digits and underscores in a version; servers also have keys with others of base64.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SigningKeyId(String);

impl SigningKeyId {
    /// Parses an id.
    ///
    /// # Errors
    /// When the algorithm is another, or the version is empty, longer than 128 bytes, or has characters other than
    /// `0-9a-zA-Z_.=+/-`.
    pub fn parse(text: &str) -> Result<Self, InvalidSigningKeyId> {
        let (algorithm, version) = text.split_once(':').ok_or(InvalidSigningKeyId)?;
        if algorithm == ALGORITHM { Self::from_version(version) } else { Err(InvalidSigningKeyId) }
    }

    /// The id of the Ed25519 key with this version.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_version(version: &str) -> Result<Self, InvalidSigningKeyId> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.=+/-".contains(&byte);
        if (1..=128).contains(&version.len()) && version.bytes().all(fits) {
            Ok(Self(format!("{ALGORITHM}:{version}")))
        } else {
            Err(InvalidSigningKeyId)
        }
    }

    /// The id as text, the algorithm included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the algorithm.
    pub fn version(&self) -> &str {
        &self.0[ALGORITHM.len() + 1..]
    }
}

impl fmt::Display for SigningKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that names no Ed25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a key id is `ed25519:` and a version of letters, digits and underscores")]
pub struct InvalidSigningKeyId;

/// A private key with its name. Wiped when dropped.
#[derive(Clone)]
pub struct SigningKey {
    id: SigningKeyId,
    pair: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// The key that a seed stands for.
    pub fn from_seed(id: SigningKeyId, seed: &[u8; 32]) -> Self {
        Self { id, pair: ed25519_dalek::SigningKey::from_bytes(seed) }
    }

    /// The key that a seed in base64 stands for, in either alphabet, with or without padding.
    ///
    /// # Errors
    /// When the text is not base64 of 32 bytes.
    pub fn from_base64_seed(id: SigningKeyId, seed: &str) -> Result<Self, InvalidSigningKey> {
        let seed = decode_base64(seed).map_err(|_| InvalidSigningKey::Seed)?;
        let seed = seed.as_slice().try_into().map_err(|_| InvalidSigningKey::Seed)?;
        Ok(Self::from_seed(id, seed))
    }

    /// A new random key.
    pub fn generate(id: SigningKeyId, random: &dyn Random) -> Self {
        Self::from_seed(id, &Zeroizing::new(random.bytes()))
    }

    /// Parses a line `ed25519 version seed`, as Synapse's key file and Sydent's configuration have it.
    ///
    /// # Errors
    /// When the text is not such a line, and one only. Never shows a part of it.
    pub fn parse_line(line: &str) -> Result<Self, InvalidSigningKey> {
        let mut words = line.split_whitespace();
        let (Some(algorithm), Some(version), Some(seed), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(InvalidSigningKey::Form);
        };
        if algorithm != ALGORITHM {
            return Err(InvalidSigningKey::Form);
        }
        let id = SigningKeyId::from_version(version).map_err(|_| InvalidSigningKey::Form)?;
        Self::from_base64_seed(id, seed)
    }

    /// The line that [`parse_line`](Self::parse_line) reads, without a line break.
    pub fn to_line(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(encode_base64(&*self.expose_seed()));
        Zeroizing::new(format!("{ALGORITHM} {} {}", self.id.version(), *seed))
    }

    /// The key's name.
    pub fn id(&self) -> &SigningKeyId {
        &self.id
    }

    /// What others check its signatures with.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.pair.verifying_key())
    }

    /// Signs bytes.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.pair.sign(message).to_bytes())
    }

    /// The seed itself, to be sealed or handed to whom it is for.
    pub fn expose_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.pair.to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// Text that holds no private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidSigningKey {
    /// Not the three words of a line.
    #[error("a signing key is one line `ed25519 VERSION SEED`")]
    Form,
    /// The seed is not base64 of 32 bytes.
    #[error("the seed of a signing key is base64 of 32 bytes")]
    Seed,
}

/// The public half of a signing key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// Parses base64 of either alphabet, with or without padding.
    ///
    /// # Errors
    /// When it is not base64 of 32 bytes, or they are no point of the curve.
    pub fn parse(text: &str) -> Result<Self, InvalidPublicKey> {
        let bytes = decode_base64(text).map_err(|_| InvalidPublicKey)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| InvalidPublicKey)?;
        Self::from_bytes(bytes)
    }

    /// The key with these bytes.
    ///
    /// # Errors
    /// When they are no point of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidPublicKey> {
        ed25519_dalek::VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| InvalidPublicKey)
    }

    /// The bytes, by which keys are compared and found.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The standard alphabet, without padding.
    pub fn to_base64(&self) -> String {
        encode_base64(self.as_bytes())
    }

    /// The URL-safe alphabet, without padding.
    pub fn to_base64_url_safe(&self) -> String {
        encode_base64_url_safe(self.as_bytes())
    }

    /// Whether the signature is this key's of these bytes. Keys whose signatures fit anything never verify.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.to_base64())
    }
}

/// Text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a public key is base64 of the 32 bytes of an Ed25519 key")]
pub struct InvalidPublicKey;

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Parses base64 of either alphabet, with or without padding.
    ///
    /// # Errors
    /// When it is not base64 of 64 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidSignature> {
        let bytes = decode_base64(text).map_err(|_| InvalidSignature)?;
        bytes.as_slice().try_into().map(Self).map_err(|_| InvalidSignature)
    }

    /// The standard alphabet, without padding.
    pub fn to_base64(&self) -> String {
        encode_base64(&self.0)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.to_base64())
    }
}

/// Text that is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a signature is base64 of 64 bytes")]
pub struct InvalidSignature;

#[cfg(test)]
mod tests;

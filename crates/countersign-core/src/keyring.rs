//! The master keys and everything derived from them: sealing, keyed hashes, token keys (docs/decisions/0005).

use std::{fmt, sync::Arc};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    AccessTokenHash, AddressHash, ClientSecret, ClientSecretHash, IdentityTokenHash, InvitationTokenHash,
    Localpart, LookupDigest, LookupKey, OpenIdTokenHash, Random, RefreshTokenHash, RegistrationTokenHash,
    Sealed, SealedColumn, SessionId, SessionKey, SessionPurpose, SubjectHash, ThirdPartyIdentifier,
    UiaOperation, UiaSessionHash, UiaTargetHash, sealed::SEALED_NONCE_LENGTH,
};

/// Names one master key; 1 to 32 of `0-9a-zA-Z_-`. Stored beside whatever a key made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MasterKeyId(Arc<str>);

impl MasterKeyId {
    /// Parses an id.
    ///
    /// # Errors
    /// When it is empty, longer than 32 characters, or has other characters than `0-9a-zA-Z_-`.
    pub fn parse(id: &str) -> Result<Self, MasterKeyError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=32).contains(&id.len()) && id.bytes().all(fits) {
            Ok(Self(id.into()))
        } else {
            Err(MasterKeyError::Id)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The content of a master key file: at least one key, the first is the current one.
pub struct MasterKeys(Vec<MasterKey>);

struct MasterKey {
    id: MasterKeyId,
    bytes: Zeroizing<[u8; 32]>,
}

impl MasterKeys {
    /// Parses lines of `id base64(32 bytes)`. Empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// When a line is not of that form, an id comes twice, or there is no key. Says which line; never shows a key.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let mut keys: Vec<MasterKey> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |error| MasterKeyError::Line { line: index + 1, cause: Box::new(error) };
            let (id, key) = line.split_once(char::is_whitespace).ok_or(at(MasterKeyError::Form))?;
            let id = MasterKeyId::parse(id).map_err(at)?;
            let bytes = Zeroizing::new(STANDARD.decode(key.trim()).map_err(|_| at(MasterKeyError::Form))?);
            let bytes = <[u8; 32]>::try_from(bytes.as_slice())
                .map(Zeroizing::new)
                .map_err(|_| at(MasterKeyError::Form))?;
            if keys.iter().any(|key| key.id == id) {
                return Err(at(MasterKeyError::Twice));
            }
            keys.push(MasterKey { id, bytes });
        }
        if keys.is_empty() { Err(MasterKeyError::Empty) } else { Ok(Self(keys)) }
    }

    /// The text of a new key file with one random key.
    pub fn generate(random: &dyn Random) -> Zeroizing<String> {
        let bytes = Zeroizing::new(random.bytes::<32>());
        let encoded = Zeroizing::new(STANDARD.encode(*bytes));
        Zeroizing::new(format!("k1 {}\n", *encoded))
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// Why a master key file can't be used.
#[derive(Debug, Error)]
pub enum MasterKeyError {
    /// A line is wrong.
    #[error("line {line} of the master key file")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        cause: Box<MasterKeyError>,
    },
    /// Not `id base64`.
    #[error("a key is written as an id, a blank, and the base64 of 32 bytes")]
    Form,
    /// Not a key id.
    #[error("a key id is 1 to 32 of 0-9a-zA-Z_-")]
    Id,
    /// An id that stands above already.
    #[error("this key id stands in the file twice")]
    Twice,
    /// No key at all.
    #[error("the master key file holds no key")]
    Empty,
}

/// The random key that all lookups hash with. Made once for an installation, stored sealed.
pub struct IndexKey(Zeroizing<[u8; 32]>);

impl IndexKey {
    /// A new random one.
    pub fn generate(random: &dyn Random) -> Self {
        Self(Zeroizing::new(random.bytes()))
    }
}

/// A sealed value did not open: wrong key, wrong place, or damage.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Its key is not in the master key file.
    #[error("the master key {} is not in the key file", .0.as_str())]
    UnknownKey(MasterKeyId),
    /// It was changed, or belongs to another column or row.
    #[error("a sealed value is damaged or in the wrong place")]
    Damaged,
}

/// Seals and opens values under keys derived from the master keys. Enough to read the index key.
pub struct Sealer(Vec<DerivedKeys>);

struct DerivedKeys {
    id: MasterKeyId,
    sealing: XChaCha20Poly1305,
    token: TokenKey,
    check: [u8; 32],
}

impl Sealer {
    /// Derives sealing and token keys by HKDF-SHA-256.
    pub fn new(master_keys: &MasterKeys) -> Self {
        Self(master_keys.0.iter().map(DerivedKeys::new).collect())
    }

    /// The id of the key that seals.
    pub fn current_key_id(&self) -> &MasterKeyId {
        &self.0[0].id
    }

    /// Each key's id with its check value, which tells nothing about the key but whether it is the same.
    pub fn key_checks(&self) -> impl Iterator<Item = (&MasterKeyId, &[u8; 32])> {
        self.0.iter().map(|keys| (&keys.id, &keys.check))
    }

    /// Whether `check` is the check value of the key `id` in the file; `None` if the file has no such key.
    pub fn matches_check(&self, id: &MasterKeyId, check: &[u8; 32]) -> Option<bool> {
        self.find(id).map(|keys| keys.check.ct_eq(check).into())
    }

    /// Seals the index key for its row.
    pub fn seal_index_key(&self, key: &IndexKey, random: &dyn Random) -> Sealed {
        self.seal(SealedColumn::IndexKey, &[], &*key.0, random)
    }

    /// Opens the index key.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_index_key(&self, sealed: &Sealed) -> Result<IndexKey, OpenError> {
        let bytes = self.open(SealedColumn::IndexKey, &[], sealed)?;
        Ok(IndexKey(Zeroizing::new(bytes.as_slice().try_into().map_err(|_| OpenError::Damaged)?)))
    }

    /// Seals `plain` for one column of one row under the current key, with XChaCha20-Poly1305 and a random nonce.
    pub fn seal(&self, column: SealedColumn, row: &[u8], plain: &[u8], random: &dyn Random) -> Sealed {
        let keys = &self.0[0];
        let nonce = random.bytes::<SEALED_NONCE_LENGTH>();
        let aad = associated_data(column, row);
        let cipher = keys
            .sealing
            .encrypt(&nonce.into(), Payload { msg: plain, aad: &aad })
            .expect("XChaCha20-Poly1305 only refuses messages of 256 GiB");
        Sealed::from_parts(&keys.id, &nonce, &cipher)
    }

    /// Opens a value that was sealed for this column and row, under whichever key sealed it.
    ///
    /// # Errors
    /// When its key is unknown, or it was changed or moved.
    pub fn open(
        &self,
        column: SealedColumn,
        row: &[u8],
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (id, nonce, cipher) = sealed.parts().ok_or(OpenError::Damaged)?;
        let keys = self.find(&id).ok_or(OpenError::UnknownKey(id))?;
        let aad = associated_data(column, row);
        let plain = keys.sealing.decrypt(&nonce.into(), Payload { msg: cipher, aad: &aad });
        plain.map(Zeroizing::new).map_err(|_| OpenError::Damaged)
    }

    fn find(&self, id: &MasterKeyId) -> Option<&DerivedKeys> {
        self.0.iter().find(|keys| keys.id == *id)
    }
}

impl DerivedKeys {
    fn new(master: &MasterKey) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, &*master.bytes);
        let expand = |label: &str| {
            let mut key = Zeroizing::new([0; 32]);
            hkdf.expand(label.as_bytes(), key.as_mut()).expect("32 bytes are a length that HKDF can make");
            key
        };
        Self {
            id: master.id.clone(),
            sealing: XChaCha20Poly1305::new((&*expand("countersign sealing 1")).into()),
            token: TokenKey(keyed(&expand("countersign token 1"))),
            check: *expand("countersign check 1"),
        }
    }
}

fn associated_data(column: SealedColumn, row: &[u8]) -> Vec<u8> {
    [column.label().as_bytes(), &[0], row].concat()
}

/// The key that link tokens and typed codes are derived with.
pub struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    /// HMAC-SHA-256 over a label and parts, each part preceded by its length.
    pub(crate) fn derive(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        labeled(&self.0, label, parts)
    }
}

/// Everything that is keyed: sealing, lookups, tokens. One for the process, shared.
pub struct Keyring {
    sealer: Sealer,
    index: Hmac<Sha256>,
}

impl Keyring {
    /// Joins the derived keys and the index key.
    pub fn new(sealer: Sealer, index_key: &IndexKey) -> Self {
        Self { sealer, index: keyed(&index_key.0) }
    }

    /// What seals and opens.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// The id and the key that new sessions derive their tokens with.
    pub fn current_token_key(&self) -> (&MasterKeyId, &TokenKey) {
        let keys = &self.sealer.0[0];
        (&keys.id, &keys.token)
    }

    /// The token key of that id; `None` once it was taken out of the key file.
    pub fn find_token_key(&self, id: &MasterKeyId) -> Option<&TokenKey> {
        self.sealer.find(id).map(|keys| &keys.token)
    }

    /// The hash that an address is found by.
    pub fn address_hash(&self, threepid: &ThirdPartyIdentifier) -> AddressHash {
        let parts = [threepid.medium().as_str().as_bytes(), threepid.address().as_bytes()];
        AddressHash::from_bytes(labeled(&self.index, "address", &parts))
    }

    /// The key of the session for this purpose, address and client secret.
    pub fn session_key(
        &self,
        purpose: SessionPurpose,
        address_hash: &AddressHash,
        client_secret: &ClientSecret,
    ) -> SessionKey {
        let parts = [purpose.as_str().as_bytes(), address_hash.as_bytes(), client_secret.expose().as_bytes()];
        SessionKey::from_bytes(labeled(&self.index, "session", &parts))
    }

    /// The hash that a client secret is stored as.
    pub fn client_secret_hash(&self, client_secret: &ClientSecret) -> ClientSecretHash {
        ClientSecretHash::from_bytes(labeled(
            &self.index,
            "client_secret",
            &[client_secret.expose().as_bytes()],
        ))
    }

    /// The hash that an access token is stored as.
    pub fn access_token_hash(&self, access_token: &str) -> AccessTokenHash {
        AccessTokenHash::from_bytes(labeled(&self.index, "access_token", &[access_token.as_bytes()]))
    }

    /// The hash that a refresh token is stored as.
    pub fn refresh_token_hash(&self, refresh_token: &str) -> RefreshTokenHash {
        RefreshTokenHash::from_bytes(labeled(&self.index, "refresh_token", &[refresh_token.as_bytes()]))
    }

    /// The hash that a token that lets people register is found by.
    pub fn registration_token_hash(&self, token: &str) -> RegistrationTokenHash {
        RegistrationTokenHash::from_bytes(labeled(&self.index, "registration_token", &[token.as_bytes()]))
    }

    /// The hash that a token that proves a user to another service is stored as.
    pub fn openid_token_hash(&self, token: &str) -> OpenIdTokenHash {
        OpenIdTokenHash::from_bytes(labeled(&self.index, "openid_token", &[token.as_bytes()]))
    }

    /// The hash that an access token of the identity API is stored as.
    pub fn identity_token_hash(&self, token: &str) -> IdentityTokenHash {
        IdentityTokenHash::from_bytes(labeled(&self.index, "identity_token", &[token.as_bytes()]))
    }

    /// The hash that the token of an invitation is found by.
    pub fn invitation_token_hash(&self, token: &str) -> InvitationTokenHash {
        InvitationTokenHash::from_bytes(labeled(&self.index, "invitation_token", &[token.as_bytes()]))
    }

    /// What a digest that a client looks up is stored as: phone numbers under a known pepper fall in minutes.
    pub fn lookup_key(&self, digest: &LookupDigest) -> LookupKey {
        LookupKey::from_bytes(labeled(&self.index, "lookup", &[digest.as_bytes()]))
    }

    /// The hash that the id of a UIA session is stored as.
    pub fn uia_session_hash(&self, id: &str) -> UiaSessionHash {
        UiaSessionHash::from_bytes(labeled(&self.index, "uia_session", &[id.as_bytes()]))
    }

    /// The hash that binds a UIA session to the validation session that it is about.
    pub fn uia_target_hash(&self, sid: Option<&SessionId>, client_secret: &ClientSecret) -> UiaTargetHash {
        let sid: &[u8] = sid.map_or(&[], |sid| sid.as_bytes());
        UiaTargetHash::from_bytes(labeled(
            &self.index,
            "uia_target",
            &[sid, client_secret.expose().as_bytes()],
        ))
    }

    /// The id of the UIA session of a client that sends its proof of an address without naming a session: the same for
    /// the same operation, caller, `sid` and client secret, so that asking again and again begins one session only.
    pub fn derived_uia_session(
        &self,
        operation: UiaOperation,
        caller: Option<&Localpart>,
        sid: &str,
        client_secret: &str,
    ) -> String {
        // No localpart is empty, so the empty one is nobody's.
        let caller = caller.map_or("", Localpart::as_str);
        let parts = [operation.as_str(), caller, sid, client_secret].map(str::as_bytes);
        URL_SAFE_NO_PAD.encode(labeled(&self.index, "uia for creds", &parts))
    }

    /// The hash that names whom a budget belongs to.
    pub fn subject_hash(&self, kind: &str, subject: &[u8]) -> SubjectHash {
        SubjectHash::from_bytes(labeled(&self.index, "subject", &[kind.as_bytes(), subject]))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn labeled(key: &Hmac<Sha256>, label: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = key.clone();
    for part in std::iter::once(&label.as_bytes()).chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;

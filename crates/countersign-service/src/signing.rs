//! The keys that this server signs with: whose associations and requests they are, other servers check.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_core::{
    Clock, Keyring, OpenError, PublicKey, PublicKeys, Random, SealedColumn, ServerName, SigningKey,
    SigningKeyId, Timestamp, decode_base64, sign_json,
};
use countersign_delivery::federation::RequestSigner;
use countersign_storage::{Storage, StorageError, StoredSigningKey};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// How long others may take our word about our keys.
const VALIDITY: Duration = Duration::from_hours(24);

/// The letters and digits in the name of a key.
const NAME_CHARACTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The keys that this server signs with. Cheap to clone.
#[derive(Clone)]
pub struct Signing(Arc<Parts>);

/// What [`Signing`] is made of.
struct Parts {
    clock: Arc<dyn Clock>,
    server_name: ServerName,
    current: SigningKey,
    /// Those that were current before, and since when they aren't.
    retired: BTreeMap<SigningKeyId, (PublicKey, Timestamp)>,
}

/// Why this server can't sign. The program must not start.
#[derive(Debug, Error)]
pub enum SigningError {
    /// The key in the file has the name of another.
    #[error("another key of this database is called {0}")]
    NameTaken(SigningKeyId),
    /// The current key does not open.
    #[error("the signing key of this database does not open with the master key file")]
    Sealed(#[source] OpenError),
    /// A row makes no sense.
    #[error("the stored signing key {0} makes no sense")]
    Corrupt(String),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Signing {
    /// Opens the keys. `file` is the key that the operator names; without one the current key of the database, or a new one
    /// where there is none.
    ///
    /// # Errors
    /// When a key can't be read or is another than it should be, or the database fails.
    pub async fn open(
        storage: &dyn Storage,
        keyring: &Keyring,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
        server_name: ServerName,
        file: Option<SigningKey>,
    ) -> Result<Self, SigningError> {
        let now = clock.now();
        let sealed = |key: &SigningKey| stored(key, keyring, random, now);
        let current = match file {
            Some(key) => {
                if !storage.replace_signing_key(sealed(&key), now).await? {
                    return Err(SigningError::NameTaken(key.id().clone()));
                }
                key
            }
            None => {
                let held = storage.list_signing_keys().await?;
                let current = match held.into_iter().find(|key| key.retired_at.is_none()) {
                    Some(current) => current,
                    None => storage.init_signing_key(sealed(&generate(random))).await?,
                };
                open(&current, keyring)?
            }
        };
        let held = storage.list_signing_keys().await?;
        let retired = held.iter().filter(|key| key.key_id != current.id().as_str());
        let retired = retired.map(|key| read_retired(key, now)).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Parts { clock, server_name, current, retired })))
    }

    /// The server in whose name is signed.
    pub fn server_name(&self) -> &ServerName {
        &self.0.server_name
    }

    /// The key that signs.
    pub fn current_key(&self) -> PublicKey {
        self.0.current.public_key()
    }

    /// The public key of that name, whether it signs still or did.
    pub fn find_key(&self, key_id: &str) -> Option<PublicKey> {
        let key_id = SigningKeyId::parse(key_id).ok()?;
        self.public_keys().remove(&key_id)
    }

    /// Whether a public key in base64 of either alphabet is one of this server's. A blank stands for a `+` that was not
    /// escaped.
    pub fn is_valid(&self, public_key: &str) -> bool {
        let decoded = decode_base64(&public_key.replace(' ', "+"));
        decoded.is_ok_and(|bytes| self.public_keys().values().any(|key| key.as_bytes() == bytes.as_slice()))
    }

    /// The key that signs, by its name: what is signed now is signed with it.
    pub(crate) fn current_keys(&self) -> PublicKeys {
        PublicKeys::from([(self.0.current.id().clone(), self.current_key())])
    }

    /// All keys, by name: what this server signed at any time passes.
    fn public_keys(&self) -> PublicKeys {
        let retired = self.0.retired.iter().map(|(id, (key, _))| (id.clone(), *key));
        retired.chain(self.current_keys()).collect()
    }

    /// Signs an object of our own making, which holds no fractions and no signatures.
    pub(crate) fn sign(&self, object: Map<String, Value>) -> Map<String, Value> {
        sign_own(object, &self.0.server_name, &self.0.current)
    }

    /// Signs requests in this server's name.
    pub(crate) fn request_signer(&self) -> RequestSigner<'_> {
        RequestSigner { origin: &self.0.server_name, key: &self.0.current }
    }

    /// The keys as other servers fetch them, signed with the current one.
    pub fn server_keys(&self) -> Map<String, Value> {
        let now = self.0.clock.now();
        let verify_keys = json!({ self.0.current.id().as_str(): { "key": self.current_key().to_base64() } });
        let old = |(id, (key, retired_at)): (&SigningKeyId, &(PublicKey, Timestamp))| {
            let key = json!({ "key": key.to_base64(), "expired_ts": retired_at.as_millis() });
            (id.as_str().to_owned(), key)
        };
        let old_verify_keys: Map<_, _> = self.0.retired.iter().map(old).collect();
        let keys = [
            ("server_name", self.0.server_name.as_str().into()),
            ("verify_keys", verify_keys),
            ("old_verify_keys", old_verify_keys.into()),
            ("valid_until_ts", now.after(VALIDITY).as_millis().into()),
        ];
        self.sign(keys.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
    }
}

/// Signs an object of our own making, which holds no fractions and no signatures.
pub(crate) fn sign_own(
    mut object: Map<String, Value>,
    signer: &ServerName,
    key: &SigningKey,
) -> Map<String, Value> {
    sign_json(&mut object, signer, key)
        .expect("what we make has text and small integers only, and no signatures");
    object
}

fn generate(random: &dyn Random) -> SigningKey {
    let letter = |byte: u8| char::from(NAME_CHARACTERS[usize::from(byte) % NAME_CHARACTERS.len()]);
    let version: String = random.bytes::<6>().into_iter().map(letter).collect();
    let id = SigningKeyId::from_version(&version).expect("letters and digits name a key");
    SigningKey::generate(id, random)
}

/// A key as the database holds it.
pub(crate) fn stored(
    key: &SigningKey,
    keyring: &Keyring,
    random: &dyn Random,
    now: Timestamp,
) -> StoredSigningKey {
    let row = key.id().as_str();
    let seed = key.expose_seed();
    StoredSigningKey {
        key_id: row.to_owned(),
        sealed_seed: keyring.sealer().seal(SealedColumn::SigningKey, row.as_bytes(), &*seed, random),
        public_key: *key.public_key().as_bytes(),
        created_at: now,
        retired_at: None,
    }
}

fn open(stored: &StoredSigningKey, keyring: &Keyring) -> Result<SigningKey, SigningError> {
    let corrupt = || SigningError::Corrupt(stored.key_id.clone());
    let row = stored.key_id.as_bytes();
    let opened = keyring.sealer().open(SealedColumn::SigningKey, row, &stored.sealed_seed);
    let seed = opened.map_err(SigningError::Sealed)?;
    let id = SigningKeyId::parse(&stored.key_id).map_err(|_| corrupt())?;
    Ok(SigningKey::from_seed(id, seed.as_slice().try_into().map_err(|_| corrupt())?))
}

fn read_retired(
    stored: &StoredSigningKey,
    now: Timestamp,
) -> Result<(SigningKeyId, (PublicKey, Timestamp)), SigningError> {
    let corrupt = || SigningError::Corrupt(stored.key_id.clone());
    let id = SigningKeyId::parse(&stored.key_id).map_err(|_| corrupt())?;
    let key = PublicKey::from_bytes(&stored.public_key).map_err(|_| corrupt())?;
    // Another node may have put another key in its place this moment.
    Ok((id, (key, stored.retired_at.unwrap_or(now))))
}

//! The keys that this server signs with: whose associations and requests they are, other servers check.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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

/// How often at most the database is asked for keys that came since: strangers may ask for any.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The letters and digits in the name of a key.
const NAME_CHARACTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The keys that this server signs with. Cheap to clone.
#[derive(Clone)]
pub struct Signing(Arc<Parts>);

/// What [`Signing`] is made of.
struct Parts {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    server_name: ServerName,
    /// The key that this node signs with, until it ends.
    current: SigningKey,
    others: Mutex<Others>,
}

/// The keys of the database that this node does not sign with.
struct Others {
    /// Each with when another took its place; without, it is one that other nodes sign with, or are about to.
    keys: BTreeMap<SigningKeyId, (PublicKey, Option<Timestamp>)>,
    /// When the database was asked last.
    read_at: Timestamp,
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
        storage: Arc<dyn Storage>,
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
        let others = Mutex::new(Others { keys: read_others(&held, current.id())?, read_at: now });
        Ok(Self(Arc::new(Parts { storage, clock, server_name, current, others })))
    }

    /// The server in whose name is signed.
    pub fn server_name(&self) -> &ServerName {
        &self.0.server_name
    }

    /// The key that signs.
    pub fn current_key(&self) -> PublicKey {
        self.0.current.public_key()
    }

    /// The public key of that name, whether it signs still or did, at any node.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_key(&self, key_id: &str) -> Result<Option<PublicKey>, StorageError> {
        let Ok(key_id) = SigningKeyId::parse(key_id) else { return Ok(None) };
        self.find(|keys| keys.get(&key_id).copied()).await
    }

    /// Whether a public key in base64 of either alphabet is one of this server's. A blank stands for a `+` that was not
    /// escaped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_valid(&self, public_key: &str) -> Result<bool, StorageError> {
        let Ok(bytes) = decode_base64(&public_key.replace(' ', "+")) else { return Ok(false) };
        let found = self.find(|keys| keys.values().find(|key| key.as_bytes() == bytes.as_slice()).copied());
        Ok(found.await?.is_some())
    }

    /// The keys that sign, by their names: what is signed now is signed with one of them. Looks anew if `wanted` is none.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn current_keys(&self, wanted: &SigningKeyId) -> Result<PublicKeys, StorageError> {
        let keys = self.keys(|retired_at| retired_at.is_none());
        if !keys.contains_key(wanted) && self.read_again().await? {
            return Ok(self.keys(|retired_at| retired_at.is_none()));
        }
        Ok(keys)
    }

    /// Finds something in all keys, by name: what this server signed at any time passes. Another node may have brought a key
    /// since they were read, so what is not found is looked for once more.
    async fn find<T>(&self, find: impl Fn(&PublicKeys) -> Option<T>) -> Result<Option<T>, StorageError> {
        let found = find(&self.keys(|_| true));
        if found.is_none() && self.read_again().await? {
            return Ok(find(&self.keys(|_| true)));
        }
        Ok(found)
    }

    /// The key that signs here, and those of the others that fit.
    fn keys(&self, fits: impl Fn(Option<Timestamp>) -> bool) -> PublicKeys {
        let current = (self.0.current.id().clone(), self.current_key());
        let others = self.others();
        let fitting = others.keys.iter().filter(|(_, (_, retired_at))| fits(*retired_at));
        fitting.map(|(id, (key, _))| (id.clone(), *key)).chain([current]).collect()
    }

    /// Reads the keys once more, unless that was a moment ago. `false`: they are what they were.
    async fn read_again(&self) -> Result<bool, StorageError> {
        let now = self.0.clock.now();
        let before = {
            let mut others = self.others();
            if now < others.read_at.after(READ_AGAIN_AFTER) {
                return Ok(false);
            }
            std::mem::replace(&mut others.read_at, now)
        };
        let held = self.0.storage.list_signing_keys().await.inspect_err(|_| {
            self.others().read_at = before;
        })?;
        match read_others(&held, self.0.current.id()) {
            Ok(keys) => self.others().keys = keys,
            Err(error) => {
                let cause = &error as &dyn std::error::Error;
                tracing::error!(error = cause, "The signing keys can't be read again");
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn others(&self) -> MutexGuard<'_, Others> {
        self.0.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs an object of our own making, which holds no fractions and no signatures.
    pub(crate) fn sign(&self, object: Map<String, Value>) -> Map<String, Value> {
        sign_own(object, &self.0.server_name, &self.0.current)
    }

    /// Signs requests in this server's name.
    pub(crate) fn request_signer(&self) -> RequestSigner<'_> {
        RequestSigner { origin: &self.0.server_name, key: &self.0.current }
    }

    /// The keys as other servers fetch them, signed with the one that signs here.
    pub async fn server_keys(&self) -> Map<String, Value> {
        if let Err(error) = self.read_again().await {
            // Those that are known are good.
            tracing::debug!(error = &error as &dyn std::error::Error, "The signing keys were not read again");
        }
        let now = self.0.clock.now();
        let current = self.keys(|retired_at| retired_at.is_none());
        let verify_keys: Map<_, _> = current
            .iter()
            .map(|(id, key)| (id.as_str().to_owned(), json!({ "key": key.to_base64() })))
            .collect();
        let old = |(id, (key, retired_at)): (&SigningKeyId, &(PublicKey, Option<Timestamp>))| {
            let key = json!({ "key": key.to_base64(), "expired_ts": (*retired_at)?.as_millis() });
            Some((id.as_str().to_owned(), key))
        };
        let old_verify_keys: Map<_, _> = self.others().keys.iter().filter_map(old).collect();
        let keys = [
            ("server_name", self.0.server_name.as_str().into()),
            ("verify_keys", verify_keys.into()),
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

fn read_others(
    held: &[StoredSigningKey],
    current: &SigningKeyId,
) -> Result<BTreeMap<SigningKeyId, (PublicKey, Option<Timestamp>)>, SigningError> {
    held.iter().filter(|key| key.key_id != current.as_str()).map(read_other).collect()
}

fn read_other(
    stored: &StoredSigningKey,
) -> Result<(SigningKeyId, (PublicKey, Option<Timestamp>)), SigningError> {
    let corrupt = || SigningError::Corrupt(stored.key_id.clone());
    let id = SigningKeyId::parse(&stored.key_id).map_err(|_| corrupt())?;
    let key = PublicKey::from_bytes(&stored.public_key).map_err(|_| corrupt())?;
    Ok((id, (key, stored.retired_at)))
}

//! The pepper of lookups: made once, and replaced without a pause.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{
    AddressHash, Association, Clock, HeldPepper, Keyring, LookupKey, LookupPepper, Medium, OpenError,
    PepperState, PepperedKey, Random, SealedColumn, ThirdPartyIdentifier, lookup_digest,
};
use countersign_storage::{Storage, StorageError};
use thiserror::Error;

/// How many associations get their new keys in one operation.
const BATCH: usize = 500;

/// The peppers of lookups. Cheap to clone.
#[derive(Clone)]
pub struct Peppers {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Why a pepper is not replaced. It may be tried again: what was done stays.
#[derive(Debug, Error)]
pub enum RotatePepperError {
    /// An address does not open: a key is gone from the master key file, or the row is damaged.
    #[error("a sealed address does not open")]
    Sealed(#[source] OpenError),
    /// What is sealed is no address.
    #[error("a stored {0} address makes no sense")]
    Corrupt(Medium),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Peppers {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { storage, keyring, clock, random }
    }

    /// The pepper that clients look up with. Made when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn current(&self) -> Result<LookupPepper, StorageError> {
        let held = self.storage.list_peppers().await?;
        match held.into_iter().find(|held| held.state == PepperState::Current) {
            Some(current) => Ok(current.pepper),
            None => {
                let made = self.storage.init_pepper(self.generate(), self.clock.now()).await?;
                Ok(made.pepper)
            }
        }
    }

    /// A key of an address under each pepper that wants one.
    pub(crate) async fn keys(
        &self,
        threepid: &ThirdPartyIdentifier,
    ) -> Result<Vec<PepperedKey>, StorageError> {
        self.current().await?;
        let held = self.storage.list_peppers().await?;
        let wanted = held.iter().filter(|held| held.state.wants_keys());
        Ok(wanted.map(|held| PepperedKey { pepper: held.number, key: self.key(threepid, held) }).collect())
    }

    /// Puts a new pepper in the place of the current one, and deletes the keys under that; clients look up all the while.
    /// Where another call began and broke off, goes on.
    ///
    /// # Errors
    /// When an address can't be read, or the database fails.
    pub async fn rotate(&self) -> Result<LookupPepper, RotatePepperError> {
        self.current().await?;
        let filling = self.storage.begin_pepper(self.generate(), self.clock.now()).await?;
        let mut after = None;
        loop {
            let batch = self.storage.list_associations(after, BATCH).await?;
            let Some(last) = batch.last() else { break };
            after = Some(last.address_hash);
            let key = |association: &Association| -> Result<(AddressHash, LookupKey), RotatePepperError> {
                Ok((association.address_hash, self.key(&self.open(association)?, &filling)))
            };
            let keys = batch.iter().map(key).collect::<Result<_, _>>()?;
            self.storage.fill_pepper(filling.number, keys).await?;
        }
        // If it isn't being filled any more, another call was faster, and all is done.
        self.storage.make_pepper_current(filling.number).await?;
        while self.storage.sweep_peppers(BATCH).await? != 0 {}
        Ok(filling.pepper)
    }

    fn key(&self, threepid: &ThirdPartyIdentifier, held: &HeldPepper) -> LookupKey {
        self.keyring.lookup_key(&lookup_digest(threepid, &held.pepper))
    }

    fn open(&self, association: &Association) -> Result<ThirdPartyIdentifier, RotatePepperError> {
        let (row, sealed) = (association.address_hash.as_bytes(), &association.sealed_address);
        let opened = self.keyring.sealer().open(SealedColumn::AssociationAddress, row, sealed);
        let address = opened.map_err(RotatePepperError::Sealed)?;
        str::from_utf8(&address)
            .ok()
            .and_then(|address| ThirdPartyIdentifier::from_canonical(association.medium, address))
            .ok_or(RotatePepperError::Corrupt(association.medium))
    }

    fn generate(&self) -> LookupPepper {
        let text = URL_SAFE_NO_PAD.encode(self.random.bytes::<24>()).replace(['-', '_'], "0");
        LookupPepper::parse(&text).expect("base64url without its two signs is letters and digits")
    }
}

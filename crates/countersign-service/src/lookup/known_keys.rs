//! The lookup keys that a node knows of, kept in memory as a filter.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use countersign_core::{LookupFilter, LookupKeySource};
use countersign_storage::{NumberedKeys, Storage, StorageError};

/// How many keys are read at once.
const BATCH: usize = 5000;
/// The least number of keys that a filter is made for.
const LEAST: usize = 10_000;

/// The lookup keys that a node knows of. Lookups are right whatever it knows, and cheap once it knows them all: so it learns
/// after a lookup that came across others, beside the answering. Cheap to clone.
#[derive(Clone)]
pub(super) struct KnownKeys {
    storage: Arc<dyn Storage>,
    filter: Arc<RwLock<Arc<LookupFilter>>>,
    is_learning: Arc<AtomicBool>,
}

/// Says that nobody is learning any more, also when the task is dropped.
struct Learning(Arc<AtomicBool>);

impl Drop for Learning {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl KnownKeys {
    /// Knows nothing yet.
    pub(super) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            filter: Arc::new(RwLock::new(Arc::new(LookupFilter::new(LookupKeySource::default(), 0)))),
            is_learning: Arc::default(),
        }
    }

    /// What it knows.
    pub(super) fn filter(&self) -> Arc<LookupFilter> {
        Arc::clone(&self.filter.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Learns in the background of the keys that came since, unless that is under way.
    pub(super) fn learn_soon(&self) {
        if self.is_learning.swap(true, Ordering::AcqRel) {
            return;
        }
        let (known, learning) = (self.clone(), Learning(Arc::clone(&self.is_learning)));
        tokio::spawn(async move {
            let _learning = learning;
            if let Err(error) = known.learn().await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "The filter of lookups stays as it is"
                );
            }
        });
    }

    /// Learns of the keys that came since. A filter that is full is made anew, with room for twice as many keys as there are:
    /// those that are gone leave no room otherwise. One of another source is worth nothing.
    async fn learn(&self) -> Result<(), StorageError> {
        let mut filter = self.filter();
        loop {
            let NumberedKeys { source, keys } = self.storage.list_lookup_keys(filter.covers(), BATCH).await?;
            if filter.source() != source || !filter.has_room(keys.len()) {
                let count = self.storage.count_lookup_keys().await?;
                filter = Arc::new(LookupFilter::new(source, LEAST.max(2 * count)));
                continue;
            }
            filter.add(&keys);
            if keys.len() < BATCH {
                break;
            }
        }
        *self.filter.write().unwrap_or_else(PoisonError::into_inner) = filter;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::{
        AddressHash, Association, LookupKey, LookupPepper, Medium, PepperedKey, Sealed, Timestamp, UserId,
    };
    use countersign_storage::{
        ImportedAssociation,
        sqlite::{SqliteSettings, SqliteStorage},
    };

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1);

    /// A key that looks random and is the same for one number.
    fn key(number: usize) -> LookupKey {
        let mut bytes = [0; 32];
        for (word, index) in bytes.chunks_exact_mut(8).zip(4 * number as u64..) {
            let mixed = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            word.copy_from_slice(&(mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes());
        }
        LookupKey::from_bytes(bytes)
    }

    fn association(number: usize, pepper: i64) -> ImportedAssociation {
        let association = Association {
            address_hash: AddressHash::from_bytes(*key(number).as_bytes()),
            medium: Medium::Email,
            sealed_address: Sealed::from_bytes(b"sealed".to_vec()),
            user_id: UserId::parse("@alice:example.org").unwrap(),
            bound_at: NOW,
        };
        ImportedAssociation { association, keys: vec![PepperedKey { pepper, key: key(number) }] }
    }

    #[tokio::test]
    async fn knows_all_keys_however_many_came() {
        let folder = tempfile::tempdir().unwrap();
        let storage = SqliteStorage::open(SqliteSettings::new(folder.path().join("test.db"))).unwrap();
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let pepper = storage.init_pepper(LookupPepper::parse("pepper").unwrap(), NOW).await.unwrap();
        let known = KnownKeys::new(Arc::clone(&storage));
        let mut there = 0;
        // More than fit into one filter, and then more than that has room for.
        for count in [0, 1, 60, LEAST, 2 * LEAST + 200] {
            let batch = (there..count).map(|number| association(number, pepper.number));
            storage.import_associations(batch.collect()).await.unwrap().unwrap();
            there = count;
            known.learn().await.unwrap();
            let filter = known.filter();
            assert_eq!(filter.len(), count);
            let keys: Vec<_> = (0..count).map(key).collect();
            assert!(keys.iter().all(|key| filter.may_contain(key)));
            let found = storage.lookup(&pepper.pepper, keys, &filter).await.unwrap().unwrap();
            assert_eq!((found.users.len(), found.filter_is_behind), (count, false));
            let passing = (count..count + 1000).filter(|number| filter.may_contain(&key(*number))).count();
            assert!(passing < 50, "{passing} of 1,000 that are not there pass");
        }
    }
}

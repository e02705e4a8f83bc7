//! The lookup keys that a node knows of, kept in memory as a filter.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use countersign_core::LookupFilter;
use countersign_storage::{Storage, StorageError};

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
            filter: Arc::new(RwLock::new(Arc::new(LookupFilter::with_capacity(0)))),
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
    /// those that are gone leave no room otherwise.
    async fn learn(&self) -> Result<(), StorageError> {
        let mut filter = self.filter();
        loop {
            let keys = self.storage.list_lookup_keys(filter.covers(), BATCH).await?;
            if filter.has_room(keys.len()) {
                filter.add(&keys);
            } else {
                let count = self.storage.count_lookup_keys().await?;
                filter = Arc::new(LookupFilter::with_capacity(LEAST.max(2 * count)));
                continue;
            }
            if keys.len() < BATCH {
                break;
            }
        }
        *self.filter.write().unwrap_or_else(PoisonError::into_inner) = filter;
        Ok(())
    }
}

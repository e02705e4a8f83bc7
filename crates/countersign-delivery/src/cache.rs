//! What was learned from others, kept in memory for a while.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use countersign_core::Timestamp;

/// Values with a time until which they are good, never more than so many.
pub(crate) struct Cache<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
    capacity: usize,
}

struct Entry<V> {
    value: V,
    expires_at: Timestamp,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: Mutex::default(), capacity }
    }

    pub(crate) fn find(&self, key: &K, now: Timestamp) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|entry| now < entry.expires_at).map(|entry| entry.value.clone())
    }

    /// Keeps a value. Where all places are taken, the one goes that would expire first.
    pub(crate) fn keep(&self, key: K, value: V, expires_at: Timestamp, now: Timestamp) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if self.capacity <= entries.len() && !entries.contains_key(&key) {
            entries.retain(|_, entry| now < entry.expires_at);
        }
        if self.capacity <= entries.len() && !entries.contains_key(&key) {
            let first = entries.iter().min_by_key(|(_, entry)| entry.expires_at).map(|(key, _)| key.clone());
            if let Some(first) = first {
                entries.remove(&first);
            }
        }
        entries.insert(key, Entry { value, expires_at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_value_is_good_until_it_expires() {
        let cache = Cache::new(2);
        cache.keep("a", 1, at(10), at(0));
        assert_eq!(cache.find(&"a", at(9)), Some(1));
        assert_eq!(cache.find(&"a", at(10)), None);
        cache.keep("a", 2, at(20), at(10));
        assert_eq!(cache.find(&"a", at(10)), Some(2));
    }

    #[test]
    fn a_full_cache_drops_what_expires_first() {
        let cache = Cache::new(2);
        cache.keep("a", 1, at(10), at(0));
        cache.keep("b", 2, at(30), at(0));
        cache.keep("b", 3, at(30), at(0));
        assert_eq!(cache.find(&"a", at(0)), Some(1));
        cache.keep("c", 4, at(20), at(0));
        assert_eq!((cache.find(&"a", at(0)), cache.find(&"b", at(0))), (None, Some(3)));
        cache.keep("d", 5, at(40), at(25));
        assert_eq!((cache.find(&"b", at(25)), cache.find(&"d", at(25))), (Some(3), Some(5)));
    }
}

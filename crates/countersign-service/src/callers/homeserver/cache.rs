//! Whom tokens were found to stand for, for some seconds. What a homeserver refused is never kept.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_core::{AccessTokenHash, Localpart, Timestamp};

/// More tokens are not kept at once.
const CAPACITY: usize = 10_000;

/// Whom tokens were found to stand for.
pub(super) struct Cache {
    lifetime: Duration,
    entries: Mutex<HashMap<AccessTokenHash, Entry>>,
}

struct Entry {
    localpart: Localpart,
    asked_at: Timestamp,
}

impl Cache {
    /// Keeps answers this long; not at all if that is zero.
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, entries: Mutex::default() }
    }

    /// Whom a token was found to stand for.
    pub(super) fn find(&self, token: &AccessTokenHash, now: Timestamp) -> Option<Localpart> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(token).filter(|entry| self.is_good(entry, now)).map(|entry| entry.localpart.clone())
    }

    /// Keeps whom a token stands for. When it is full of good answers, the new one is not kept.
    pub(super) fn keep(&self, token: AccessTokenHash, localpart: Localpart, asked_at: Timestamp) {
        if self.lifetime.is_zero() {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if CAPACITY <= entries.len() {
            entries.retain(|_, entry| self.is_good(entry, asked_at));
        }
        if entries.len() < CAPACITY {
            entries.insert(token, Entry { localpart, asked_at });
        }
    }

    /// Forgets a token.
    pub(super) fn forget(&self, token: &AccessTokenHash) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    fn is_good(&self, entry: &Entry, now: Timestamp) -> bool {
        now < entry.asked_at.after(self.lifetime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(30);

    fn token(number: usize) -> AccessTokenHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        AccessTokenHash::from_bytes(bytes)
    }

    fn alice() -> Localpart {
        Localpart::from_stored("alice".to_owned())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn an_answer_is_good_for_its_lifetime_and_no_longer() {
        let cache = Cache::new(LIFETIME);
        cache.keep(token(1), alice(), at(0));
        assert_eq!(cache.find(&token(1), at(29)), Some(alice()));
        assert_eq!(cache.find(&token(1), at(30)), None);
        assert_eq!(cache.find(&token(2), at(0)), None);
        cache.forget(&token(1));
        assert_eq!(cache.find(&token(1), at(0)), None);
    }

    #[test]
    fn without_a_lifetime_nothing_is_kept() {
        let cache = Cache::new(Duration::ZERO);
        cache.keep(token(1), alice(), at(0));
        assert_eq!(cache.find(&token(1), at(0)), None);
        assert!(cache.entries.lock().unwrap().is_empty());
    }

    #[test]
    fn a_full_cache_lets_go_of_old_answers_only() {
        let cache = Cache::new(LIFETIME);
        for number in 0..CAPACITY {
            cache.keep(token(number), alice(), at(i64::from(number != 0)));
        }
        cache.keep(token(CAPACITY), alice(), at(2));
        assert_eq!(cache.find(&token(CAPACITY), at(2)), None);
        // The first is too old by now.
        cache.keep(token(CAPACITY), alice(), at(30));
        assert_eq!(cache.find(&token(CAPACITY), at(30)), Some(alice()));
        assert_eq!(cache.entries.lock().unwrap().len(), CAPACITY);
    }
}

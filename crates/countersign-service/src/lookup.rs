//! Finding users by the hashes of their addresses.

mod known_keys;

use std::{sync::Arc, time::Duration};

use countersign_core::{
    AddressHash, Clock, Keyring, LookupDigest, LookupKey, LookupPepper, Medium, ThirdPartyIdentifier, UserId,
};
use countersign_storage::{Storage, StorageError};
use thiserror::Error;

use self::known_keys::KnownKeys;
use crate::{Limits, Peppers};

/// Finds users by the hashes of their addresses. Cheap to clone.
#[derive(Clone)]
pub struct Lookup {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    peppers: Peppers,
    known_keys: KnownKeys,
    settings: Arc<LookupSettings>,
}

/// What an operator decides about lookups.
#[derive(Clone, Debug)]
pub struct LookupSettings {
    /// How clients may name addresses.
    pub algorithms: Vec<LookupAlgorithm>,
    /// How many addresses one lookup may name.
    pub max_addresses: usize,
    /// How often things may happen.
    pub limits: Limits,
}

/// How a client names the addresses that it looks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupAlgorithm {
    /// By their digests.
    Sha256,
    /// In clear: address, a space, medium.
    None,
}

impl LookupAlgorithm {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::None => "none",
        }
    }
}

/// How addresses are to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashDetails {
    /// The current pepper.
    pub pepper: LookupPepper,
    /// The algorithms on offer.
    pub algorithms: Vec<LookupAlgorithm>,
}

/// A lookup, as it was sent.
#[derive(Clone)]
pub struct LookupRequest<'a> {
    /// The algorithm's name.
    pub algorithm: &'a str,
    /// The pepper.
    pub pepper: &'a str,
    /// The addresses, named by that algorithm.
    pub addresses: Vec<&'a str>,
}

/// Why nothing is looked up.
#[derive(Debug, Error)]
pub enum LookupError {
    /// The algorithm is unknown or not on offer.
    #[error("the algorithm is not on offer")]
    Algorithm,
    /// The pepper is not the current one, which this is.
    #[error("the pepper is not the current one")]
    Pepper {
        /// The algorithm that was asked for.
        algorithm: LookupAlgorithm,
        /// The current pepper.
        current: LookupPepper,
    },
    /// More addresses than this at once.
    #[error("more than {0} addresses")]
    TooMany(usize),
    /// Too much in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Lookup {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        peppers: Peppers,
        settings: LookupSettings,
    ) -> Self {
        let known_keys = KnownKeys::new(Arc::clone(&storage));
        Self { storage, keyring, clock, peppers, known_keys, settings: settings.into() }
    }

    /// How addresses are to be named.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hash_details(&self) -> Result<HashDetails, StorageError> {
        let pepper = self.peppers.current().await?;
        Ok(HashDetails { pepper, algorithms: self.settings.algorithms.clone() })
    }

    /// The users whose addresses were named, under the entries that named them. What names nobody is left out.
    ///
    /// # Errors
    /// When the algorithm is not on offer, the pepper is old, or the caller asks too much; when the database fails.
    pub async fn lookup<'a>(
        &self,
        caller: &UserId,
        request: LookupRequest<'a>,
    ) -> Result<Vec<(&'a str, UserId)>, LookupError> {
        let LookupRequest { algorithm, pepper, addresses } = request;
        let algorithms = self.settings.algorithms.iter().copied();
        let algorithm = algorithms
            .into_iter()
            .find(|offered| offered.as_str() == algorithm)
            .ok_or(LookupError::Algorithm)?;
        if self.settings.max_addresses < addresses.len() {
            return Err(LookupError::TooMany(self.settings.max_addresses));
        }
        let charges = self.settings.limits.lookup(&self.keyring, caller, addresses.len());
        if !charges.is_empty() {
            let charged = self.storage.charge(charges, self.clock.now()).await?;
            charged.map_err(|limited| LookupError::Limited(limited.retry_after))?;
        }
        let found = match (algorithm, LookupPepper::parse(pepper)) {
            (LookupAlgorithm::Sha256, Ok(pepper)) => self.by_digests(&pepper, addresses).await?,
            (LookupAlgorithm::None, Ok(pepper)) => self.by_addresses(&pepper, addresses).await?,
            (LookupAlgorithm::Sha256 | LookupAlgorithm::None, Err(_)) => None,
        };
        match found {
            Some(found) => Ok(found),
            None => Err(LookupError::Pepper { algorithm, current: self.peppers.current().await? }),
        }
    }

    async fn by_digests<'a>(
        &self,
        pepper: &LookupPepper,
        addresses: Vec<&'a str>,
    ) -> Result<Option<Vec<(&'a str, UserId)>>, StorageError> {
        let named: Vec<(LookupKey, &str)> = addresses
            .into_iter()
            .filter_map(|text| Some((self.keyring.lookup_key(&LookupDigest::parse(text)?), text)))
            .collect();
        let keys = named.iter().map(|(key, _)| *key).collect();
        let found = self.storage.lookup(pepper, keys, &self.known_keys.filter()).await?;
        if found.as_ref().is_some_and(|found| found.filter_is_behind) {
            self.known_keys.learn_soon();
        }
        Ok(found.map(|found| under_their_names(named, found.users)))
    }

    async fn by_addresses<'a>(
        &self,
        pepper: &LookupPepper,
        addresses: Vec<&'a str>,
    ) -> Result<Option<Vec<(&'a str, UserId)>>, StorageError> {
        let named: Vec<(AddressHash, &str)> = addresses
            .into_iter()
            .filter_map(|text| Some((self.keyring.address_hash(&parse_in_clear(text)?), text)))
            .collect();
        let hashes = named.iter().map(|(hash, _)| *hash).collect();
        let found = self.storage.lookup_addresses(pepper, hashes).await?;
        Ok(found.map(|found| under_their_names(named, found)))
    }
}

/// Reads `address medium`.
fn parse_in_clear(text: &str) -> Option<ThirdPartyIdentifier> {
    let (address, medium) = text.rsplit_once(' ')?;
    ThirdPartyIdentifier::from_canonical(Medium::parse(medium)?, address)
}

/// Puts what was found under the entries that named it. Most lookups find few of many.
fn under_their_names<K: Ord>(named: Vec<(K, &str)>, mut found: Vec<(K, UserId)>) -> Vec<(&str, UserId)> {
    found.sort_unstable_by(|(key, _), (other, _)| key.cmp(other));
    let user_of = |key| found.binary_search_by(|(other, _)| other.cmp(key)).ok().map(|index| &found[index].1);
    named.iter().filter_map(|(key, name)| Some((*name, user_of(key)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_clear_are_read_from_their_end() {
        let read =
            |text| parse_in_clear(text).map(|threepid| (threepid.medium(), threepid.address().to_owned()));
        let alice = Some((Medium::Email, "alice@example.com".to_owned()));
        assert_eq!(read("alice@example.com email"), alice);
        assert_eq!(read("Alice@Example.com email"), alice);
        assert_eq!(read("18005552067 msisdn"), Some((Medium::Msisdn, "18005552067".to_owned())));
        for none in
            ["", "alice@example.com", "alice@example.com  email", "alice@example.com Email", "a b email"]
        {
            assert_eq!(read(none), None, "{none}");
        }
    }
}

//! Takes over what another program kept: an identity server's associations, invitations and users, a homeserver's addresses.
//!
//! Rows come in batches, each one operation. A row that came already stays as it is, so whoever is killed begins anew and comes
//! to the same. What can't be taken over is left and counted; nothing of it is guessed.

mod report;
mod sydent;
mod synapse;

use std::{collections::HashSet, sync::Arc};

use countersign_core::{
    AddressHash, Clock, EmailAddress, Imported, Keyring, Medium, Msisdn, Random, Sealed, SealedColumn,
    ThirdPartyIdentifier, UserId,
};
use countersign_storage::{Storage, StorageError, foreign::ForeignError};
use thiserror::Error;

use crate::Peppers;

pub use self::{
    report::{ImportKind, ImportReport, Left, PepperOutcome, SigningKeyOutcome, Tally},
    sydent::SydentImport,
    synapse::SynapseImport,
};

/// How many rows share an operation.
const BATCH: usize = 500;

/// Takes over what another program kept. Cheap to clone.
#[derive(Clone)]
pub struct Importer {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    peppers: Peppers,
    effect: Effect,
}

/// Whether an import has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It takes over what it can.
    Real,
    /// It reads everything and says what would come into an empty database.
    Rehearsed,
}

/// What an import is about to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportEvent {
    /// That many rows were worked on.
    Progress {
        /// Of which kind.
        kind: ImportKind,
        /// How many.
        rows: u64,
        /// How many there are.
        of: u64,
    },
    /// Another row had the same address, written otherwise.
    Merged {
        /// The address with most of it hidden. For a person who watches, not for a log.
        masked_address: String,
    },
}

/// Why an import stopped. What came so far stays.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The other program's database fails.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// Our own fails.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A row that can be taken over.
struct Candidate<T> {
    row: T,
    /// Its address, if two rows with one address are to be told of.
    address: Option<(AddressHash, String)>,
}

/// An address that can be taken over.
struct Address {
    threepid: ThirdPartyIdentifier,
    hash: AddressHash,
}

impl Importer {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let peppers = Peppers::new(storage.clone(), keyring.clone(), clock.clone(), random.clone());
        Self { storage, keyring, clock, random, peppers, effect: Effect::Real }
    }

    /// The same, with that effect.
    #[must_use]
    pub fn with_effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// Takes over one kind of rows, batch by batch: `fetch` answers the next ones, none at the end; `read` makes sense of one;
    /// `save` takes over those of a batch.
    async fn take<R, T>(
        &self,
        (kind, of): (ImportKind, u64),
        mut fetch: impl AsyncFnMut() -> Result<Vec<R>, ForeignError>,
        read: impl Fn(R) -> Result<Candidate<T>, Left>,
        save: impl AsyncFn(Vec<T>) -> Result<Vec<Imported>, StorageError>,
        watch: &mut dyn FnMut(ImportEvent),
    ) -> Result<Tally, ImportError> {
        let mut tally = Tally::default();
        let mut seen = HashSet::new();
        let mut done = 0;
        loop {
            watch(ImportEvent::Progress { kind, rows: done, of: of.max(done) });
            let batch = fetch().await?;
            if batch.is_empty() {
                return Ok(tally);
            }
            done += batch.len() as u64;
            let (mut rows, mut merged) = (Vec::new(), Vec::new());
            for row in batch {
                match read(row) {
                    Ok(Candidate { row, address }) => {
                        rows.push(row);
                        merged
                            .push(address.and_then(|(hash, masked)| (!seen.insert(hash)).then_some(masked)));
                    }
                    Err(left) => tally.leave(left),
                }
            }
            let outcomes = match self.effect {
                Effect::Real if rows.is_empty() => Vec::new(),
                Effect::Real => save(rows).await?,
                Effect::Rehearsed => vec![Imported::Taken; rows.len()],
            };
            for (outcome, merged) in outcomes.into_iter().zip(merged) {
                match merged {
                    Some(masked_address) => {
                        tally.merged += 1;
                        watch(ImportEvent::Merged { masked_address });
                    }
                    None => tally.count(outcome),
                }
            }
        }
    }

    /// The address of a row, in its canonical form.
    fn address(&self, medium: Option<&str>, address: Option<&str>) -> Result<Address, Left> {
        let medium = medium.and_then(Medium::parse).ok_or(Left::Medium)?;
        let address = address.ok_or(Left::Address)?;
        let threepid: ThirdPartyIdentifier = match medium {
            Medium::Email => EmailAddress::parse(address).map_err(|_| Left::Address)?.into(),
            Medium::Msisdn => Msisdn::from_canonical(address).map_err(|_| Left::Address)?.into(),
        };
        let hash = self.keyring.address_hash(&threepid);
        Ok(Address { threepid, hash })
    }

    fn seal(&self, column: SealedColumn, row: &[u8], plain: &[u8]) -> Sealed {
        self.keyring.sealer().seal(column, row, plain, &*self.random)
    }
}

impl Address {
    /// How a merge of it is told.
    fn for_merges(&self) -> Option<(AddressHash, String)> {
        Some((self.hash, self.threepid.masked()))
    }
}

fn user_id(text: Option<&str>) -> Result<UserId, Left> {
    text.and_then(|text| UserId::parse(text).ok()).ok_or(Left::User)
}

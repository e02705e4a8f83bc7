//! Limits that belong to no other operation, and the rows that all limits share.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use countersign_core::{BudgetKind, BudgetUpdate, Charge, Limited, SubjectHash, Timestamp, charge, refund};
use tokio_postgres::Row;

use super::{PostgresStorage, connection::Transaction, failure::Outcome, parameter::Query, rows::Columns};
use crate::{BudgetStore, StorageError};

#[async_trait]
impl BudgetStore for PostgresStorage {
    async fn charge(
        &self,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StorageError> {
        if charges.is_empty() {
            return Ok(Ok(()));
        }
        self.write(move |tx| charge_all(tx, charges.clone(), now)).await
    }

    async fn refund(&self, charges: Vec<Charge>, now: Timestamp) -> Result<(), StorageError> {
        if charges.is_empty() {
            return Ok(());
        }
        self.write(move |tx| refund_all(tx, charges.clone(), now)).await
    }
}

async fn charge_all(
    mut tx: Transaction,
    charges: Vec<Charge>,
    now: Timestamp,
) -> Outcome<Result<(), Limited>> {
    let wanted = Wanted::of(&charges, now);
    let [fresh, found] = tx.run([wanted.lock(), wanted.load()]).await?;
    let mut budgets = wanted.read(&found.rows, &fresh.rows)?;
    match charge(&charges, &budgets.full_at(&charges), now) {
        Ok(updates) => budgets.apply(&updates),
        Err(limited) => {
            tx.roll_back().await?;
            return Ok(Err(limited));
        }
    }
    let saves = budgets.saves();
    let replies = tx.finish(saves.queries()).await?;
    saves.check(&replies)?;
    Ok(Ok(()))
}

async fn refund_all(mut tx: Transaction, charges: Vec<Charge>, now: Timestamp) -> Outcome<()> {
    let wanted = Wanted::of(&charges, now);
    let [fresh, found] = tx.run([wanted.lock(), wanted.load()]).await?;
    let mut budgets = wanted.read(&found.rows, &fresh.rows)?;
    budgets.apply(&refund(&charges, &budgets.full_at(&charges), now));
    let saves = budgets.saves();
    let replies = tx.finish(saves.queries()).await?;
    saves.check(&replies)
}

/// A row's name. The order is that of the table, in which rows are locked.
type Key = (SubjectHash, &'static str);

/// Budgets that a transaction is about to charge, and what each that has no row yet will most likely be saved as.
pub(super) struct Wanted(BTreeMap<Key, Timestamp>);

impl Wanted {
    pub(super) fn of(charges: &[Charge], now: Timestamp) -> Self {
        let mut wanted = Self(BTreeMap::new());
        wanted.add(charges, now);
        wanted
    }

    pub(super) fn add(&mut self, charges: &[Charge], now: Timestamp) {
        for one in charges {
            let guess = charge(std::slice::from_ref(one), &[], now);
            let guess = guess.ok().and_then(|updates| Some(updates.first()?.full_at)).unwrap_or(now);
            self.0.entry(key(one.key.subject, one.key.kind)).or_insert(guess);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Inserts the rows that are missing, locks those that are there, and answers the ones that it inserted.
    pub(super) fn lock(&self) -> Query<'_> {
        let full_at: Vec<i64> = self.0.values().map(|full_at| full_at.as_millis()).collect();
        Query::new(
            "insert into budgets (subject, kind, full_at)
             select * from unnest($1::bytea[], $2::text[], $3::bigint[]) as wanted (subject, kind, full_at)
             order by subject, kind
             on conflict (subject, kind) do update set full_at = excluded.full_at where false
             returning subject, kind",
        )
        .with(self.subjects())
        .with(self.kinds())
        .with(full_at)
    }

    /// Reads the rows.
    pub(super) fn load(&self) -> Query<'_> {
        Query::new(
            "select b.subject, b.kind, b.full_at
             from unnest($1::bytea[], $2::text[]) as wanted (subject, kind)
             join budgets b on b.subject = wanted.subject and b.kind = wanted.kind",
        )
        .with(self.subjects())
        .with(self.kinds())
    }

    /// What [`load`](Self::load) and [`lock`](Self::lock) answered.
    pub(super) fn read(&self, found: &[Row], fresh: &[Row]) -> Outcome<Budgets> {
        let (mut rows, mut fresh_keys) = (BTreeMap::new(), BTreeSet::new());
        for row in fresh {
            fresh_keys.insert(read_key(&mut Columns::of("budgets", row))?);
        }
        for row in found {
            let mut columns = Columns::of("budgets", row);
            let key = read_key(&mut columns)?;
            rows.insert(key, columns.timestamp("full_at")?);
        }
        let now = rows.iter().filter(|(key, _)| !fresh_keys.contains(*key));
        let now = now.map(|(key, full_at)| (*key, *full_at)).collect();
        Ok(Budgets { rows, fresh: fresh_keys, now })
    }

    fn subjects(&self) -> Vec<&[u8]> {
        self.0.keys().map(|(subject, _)| subject.as_bytes().as_slice()).collect()
    }

    fn kinds(&self) -> Vec<&str> {
        self.0.keys().map(|(_, kind)| *kind).collect()
    }
}

fn key(subject: SubjectHash, kind: BudgetKind) -> Key {
    (subject, kind.as_str())
}

fn read_key(columns: &mut Columns<'_>) -> Outcome<Key> {
    let subject = SubjectHash::from_bytes(columns.bytes("subject")?);
    let kind =
        columns.parse("kind", |name| BudgetKind::ALL.into_iter().find(|kind| kind.as_str() == name))?;
    Ok(key(subject, kind))
}

/// Budgets as they are in the database, locked, and as they will be.
pub(super) struct Budgets {
    /// What the rows hold.
    rows: BTreeMap<Key, Timestamp>,
    /// Rows that were made by locking them: they stand for none.
    fresh: BTreeSet<Key>,
    /// What the rows will hold.
    now: BTreeMap<Key, Timestamp>,
}

impl Budgets {
    /// For each charge, when its budget is full again, if it has a row.
    pub(super) fn full_at(&self, charges: &[Charge]) -> Vec<Option<Timestamp>> {
        charges
            .iter()
            .map(|charge| self.now.get(&key(charge.key.subject, charge.key.kind)).copied())
            .collect()
    }

    /// Takes what core decided.
    pub(super) fn apply(&mut self, updates: &[BudgetUpdate]) {
        self.now
            .extend(updates.iter().map(|update| (key(update.key.subject, update.key.kind), update.full_at)));
    }

    /// Whether anything was taken from any of them.
    pub(super) fn are_changed(&self) -> bool {
        let is_changed = |(key, full_at)| self.fresh.contains(key) || self.rows.get(key) != Some(full_at);
        self.now.iter().any(is_changed)
    }

    /// What must be saved, beside the rows that were made by locking them and already hold what they must.
    pub(super) fn saves(&self) -> BudgetSaves<'_> {
        let changed = |(key, full_at): &(&Key, &Timestamp)| self.rows.get(*key) != Some(*full_at);
        BudgetSaves {
            update: self.now.iter().filter(changed).collect(),
            delete: self.fresh.iter().filter(|key| !self.now.contains_key(*key)).collect(),
        }
    }
}

/// Rows of `budgets` to save.
pub(super) struct BudgetSaves<'a> {
    update: Vec<(&'a Key, &'a Timestamp)>,
    /// Rows that were made in vain.
    delete: Vec<&'a Key>,
}

impl<'a> BudgetSaves<'a> {
    /// The statements.
    pub(super) fn queries(&self) -> Vec<Query<'a>> {
        let mut queries = Vec::new();
        if !self.update.is_empty() {
            let update = Query::new(
                "update budgets b set full_at = changed.full_at
                 from unnest($1::bytea[], $2::text[], $3::bigint[]) as changed (subject, kind, full_at)
                 where b.subject = changed.subject and b.kind = changed.kind",
            );
            let keys: Vec<&Key> = self.update.iter().map(|(key, _)| *key).collect();
            let full_at: Vec<i64> = self.update.iter().map(|(_, full_at)| full_at.as_millis()).collect();
            queries.push(with_keys(update, &keys).with(full_at));
        }
        if !self.delete.is_empty() {
            let delete = Query::new(
                "delete from budgets b using unnest($1::bytea[], $2::text[]) as unused (subject, kind)
                 where b.subject = unused.subject and b.kind = unused.kind",
            );
            queries.push(with_keys(delete, &self.delete));
        }
        queries
    }

    /// Checks what came of the statements.
    pub(super) fn check(&self, replies: &[super::connection::Reply]) -> Outcome<()> {
        let counts = [self.update.len(), self.delete.len()];
        let expected = counts.into_iter().filter(|count| *count != 0);
        replies.iter().zip(expected).try_for_each(|(reply, count)| reply.must_change("budgets", count))
    }
}

fn with_keys<'a>(query: Query<'a>, keys: &[&'a Key]) -> Query<'a> {
    let subjects: Vec<&[u8]> = keys.iter().map(|(subject, _)| subject.as_bytes().as_slice()).collect();
    let kinds: Vec<&str> = keys.iter().map(|(_, kind)| *kind).collect();
    query.with(subjects).with(kinds)
}

//! The peppers of lookups, and how one takes another's place.
//!
//! Whoever needs peppers to stay as they are shares a lock; whoever changes them takes it alone. So a pepper comes, and goes,
//! when no bind is under way: each either has a key under it or is seen by whoever fills it.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{AddressHash, HeldPepper, LookupKey, LookupPepper, PepperState, Timestamp};

use super::{
    PostgresStorage,
    connection::{Reply, Transaction},
    failure::Outcome,
    locks::{lock_lookup_keys, lock_peppers, share_peppers},
    parameter::Query,
    rows::{Columns, list},
};
use crate::{PepperStore, StorageError};

#[async_trait]
impl PepperStore for PostgresStorage {
    async fn list_peppers(&self) -> Result<Vec<HeldPepper>, StorageError> {
        let [found] = self.connect().await?.run([select()]).await?;
        Ok(read(&found)?)
    }

    async fn init_pepper(&self, pepper: LookupPepper, now: Timestamp) -> Result<HeldPepper, StorageError> {
        self.write(move |tx| find_or_add(tx, pepper.clone(), PepperState::Current, now)).await
    }

    async fn begin_pepper(&self, pepper: LookupPepper, now: Timestamp) -> Result<HeldPepper, StorageError> {
        self.write(move |tx| find_or_add(tx, pepper.clone(), PepperState::Filling, now)).await
    }

    async fn fill_pepper(
        &self,
        number: i64,
        keys: Vec<(AddressHash, LookupKey)>,
    ) -> Result<(), StorageError> {
        let keys: Arc<[_]> = keys.into();
        self.write(move |tx| fill(tx, number, Arc::clone(&keys))).await
    }

    async fn make_pepper_current(&self, number: i64) -> Result<bool, StorageError> {
        self.write(move |tx| make_current(tx, number)).await
    }

    async fn sweep_peppers(&self, limit: usize) -> Result<usize, StorageError> {
        self.write(move |tx| sweep(tx, limit)).await
    }
}

/// All peppers, the oldest first.
pub(super) fn select() -> Query<'static> {
    Query::new("select number, pepper, state from peppers order by number")
}

/// What [`select`] found.
pub(super) fn read(reply: &Reply) -> Outcome<Vec<HeldPepper>> {
    list(&reply.rows, |row| {
        let mut columns = Columns::of("peppers", row);
        Ok(HeldPepper {
            number: columns.integer("number")?,
            pepper: columns.parse("pepper", |text| LookupPepper::parse(text).ok())?,
            state: columns.parse("state", PepperState::parse)?,
        })
    })
}

/// The pepper in that state, or this one, which comes to it then.
async fn find_or_add(
    mut tx: Transaction,
    pepper: LookupPepper,
    state: PepperState,
    now: Timestamp,
) -> Outcome<HeldPepper> {
    let [_, found] = tx.run([lock_peppers(), select()]).await?;
    let peppers = read(&found)?;
    if let Some(held) = peppers.iter().find(|held| held.state == state) {
        tx.roll_back().await?;
        return Ok(held.clone());
    }
    let number = peppers.last().map_or(1, |last| last.number + 1);
    let insert = insert(number, &pepper, state, now);
    tx.finish(vec![insert]).await?[0].must_change("peppers", 1)?;
    Ok(HeldPepper { number, pepper: pepper.clone(), state })
}

/// Keeps a new pepper.
pub(super) fn insert(number: i64, pepper: &LookupPepper, state: PepperState, now: Timestamp) -> Query<'_> {
    Query::new("insert into peppers (number, pepper, state, created_at) values ($1, $2, $3, $4)")
        .with(number)
        .with(pepper.as_str())
        .with(state.as_str())
        .with(now.as_millis())
}

async fn make_current(mut tx: Transaction, number: i64) -> Outcome<bool> {
    let [_, found] = tx.run([lock_peppers(), select()]).await?;
    let is_filling = |pepper: &HeldPepper| pepper.number == number && pepper.state == PepperState::Filling;
    if !read(&found)?.iter().any(is_filling) {
        tx.roll_back().await?;
        return Ok(false);
    }
    let retire = Query::new("update peppers set state = 'retired' where state = 'current'");
    let promote = Query::new("update peppers set state = 'current' where number = $1").with(number);
    tx.finish(vec![retire, promote]).await?[1].must_change("peppers", 1)?;
    Ok(true)
}

/// Keeps the pepper from being retired, and the associations from going away, until the keys are there.
async fn fill(mut tx: Transaction, number: i64, keys: Arc<[(AddressHash, LookupKey)]>) -> Outcome<()> {
    let addresses: Vec<&[u8]> = keys.iter().map(|(address, _)| address.as_bytes().as_slice()).collect();
    let associations = Query::new(
        "select address_hash from associations where address_hash = any($1) order by address_hash for share",
    )
    .with(addresses.clone());
    let [_, _, found] = tx.run([share_peppers(), associations, select()]).await?;
    let wants_keys = |pepper: &HeldPepper| pepper.number == number && pepper.state.wants_keys();
    if !read(&found)?.iter().any(wants_keys) {
        return tx.roll_back().await;
    }
    let insert = Query::new(
        "insert into lookup_keys (pepper, lookup_key, address_hash)
         select $1, n.lookup_key, n.address_hash
         from unnest($2::bytea[], $3::bytea[]) as n (address_hash, lookup_key)
         where exists (select 1 from associations a where a.address_hash = n.address_hash)
            and not exists (
                select 1 from lookup_keys k where k.address_hash = n.address_hash and k.pepper = $1)
         order by n.lookup_key
         on conflict (pepper, lookup_key) do nothing",
    )
    .with(number)
    .with(addresses)
    .with(keys.iter().map(|(_, key)| key.as_bytes().as_slice()).collect::<Vec<_>>());
    tx.finish(vec![lock_lookup_keys(), insert]).await?;
    Ok(())
}

async fn sweep(tx: Transaction, limit: usize) -> Outcome<usize> {
    let keys = Query::new(
        "delete from lookup_keys k using (
            select k.pepper, k.lookup_key from lookup_keys k
            where k.pepper = any(array(select number from peppers where state = 'retired'))
            limit $1 for update of k skip locked) as old
         where k.pepper = old.pepper and k.lookup_key = old.lookup_key",
    )
    .with(i64::try_from(limit).unwrap_or(i64::MAX));
    let peppers = Query::new(
        "delete from peppers p where state = 'retired'
            and not exists (select 1 from lookup_keys k where k.pepper = p.number)",
    );
    let replies = tx.finish(vec![keys, peppers]).await?;
    Ok(usize::try_from(replies[0].changed()).unwrap_or(usize::MAX))
}

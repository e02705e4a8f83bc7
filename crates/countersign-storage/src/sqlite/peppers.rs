//! The peppers of lookups, and how one takes another's place.

use async_trait::async_trait;
use countersign_core::{AddressHash, HeldPepper, LookupKey, LookupPepper, PepperState, Timestamp};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change, change_one, find, list},
};
use crate::{PepperStore, StorageError};

#[async_trait]
impl PepperStore for SqliteStorage {
    async fn list_peppers(&self) -> Result<Vec<HeldPepper>, StorageError> {
        self.read(load).await
    }

    async fn init_pepper(&self, pepper: LookupPepper, now: Timestamp) -> Result<HeldPepper, StorageError> {
        self.write(move |tx| find_or_add(tx, &pepper, PepperState::Current, now)).await
    }

    async fn begin_pepper(&self, pepper: LookupPepper, now: Timestamp) -> Result<HeldPepper, StorageError> {
        self.write(move |tx| find_or_add(tx, &pepper, PepperState::Filling, now)).await
    }

    async fn fill_pepper(
        &self,
        number: i64,
        keys: Vec<(AddressHash, LookupKey)>,
    ) -> Result<(), StorageError> {
        self.write(move |tx| fill(tx, number, &keys)).await
    }

    async fn make_pepper_current(&self, number: i64) -> Result<bool, StorageError> {
        self.write(move |tx| {
            let peppers = load(tx)?;
            let is_filling =
                |pepper: &HeldPepper| pepper.number == number && pepper.state == PepperState::Filling;
            if !peppers.iter().any(is_filling) {
                return Ok(false);
            }
            for pepper in peppers.iter().filter(|pepper| pepper.state == PepperState::Current) {
                save_state(tx, pepper.number, PepperState::Retired)?;
            }
            save_state(tx, number, PepperState::Current)?;
            Ok(true)
        })
        .await
    }

    async fn sweep_peppers(&self, limit: usize) -> Result<usize, StorageError> {
        self.write(move |tx| sweep(tx, limit)).await
    }
}

/// All peppers, the oldest first.
pub(super) fn load(tx: &Connection) -> Outcome<Vec<HeldPepper>> {
    let statement = tx.prepare_cached("select number, pepper, state from peppers order by number")?;
    list(statement, [], |row| {
        let mut columns = Columns::of("peppers", row);
        Ok(HeldPepper {
            number: columns.integer("number")?,
            pepper: columns.parse("pepper", |text| LookupPepper::parse(text).ok())?,
            state: columns.parse("state", PepperState::parse)?,
        })
    })
}

/// The number of the current pepper, if that is this one.
pub(super) fn find_current(tx: &Connection, pepper: &LookupPepper) -> Outcome<Option<i64>> {
    let statement =
        tx.prepare_cached("select number from peppers where pepper = ?1 and state = 'current'")?;
    find(statement, [pepper.as_str()], |row| Columns::of("peppers", row).integer("number"))
}

/// The pepper in that state, or this one, which comes to it then.
pub(super) fn find_or_add(
    tx: &Connection,
    pepper: &LookupPepper,
    state: PepperState,
    now: Timestamp,
) -> Outcome<HeldPepper> {
    let peppers = load(tx)?;
    if let Some(held) = peppers.iter().find(|held| held.state == state) {
        return Ok(held.clone());
    }
    let number = peppers.last().map_or(1, |last| last.number + 1);
    change_one(
        tx,
        "peppers",
        "insert into peppers (number, pepper, state, created_at) values (?1, ?2, ?3, ?4)",
        params![number, pepper.as_str(), state.as_str(), now.as_millis()],
    )?;
    Ok(HeldPepper { number, pepper: pepper.clone(), state })
}

/// Gives a pepper another part.
pub(super) fn save_state(tx: &Connection, number: i64, state: PepperState) -> Outcome<()> {
    let update = "update peppers set state = ?2 where number = ?1";
    change_one(tx, "peppers", update, params![number, state.as_str()])
}

fn fill(tx: &Connection, number: i64, keys: &[(AddressHash, LookupKey)]) -> Outcome<()> {
    let wants_keys = |pepper: &HeldPepper| pepper.number == number && pepper.state.wants_keys();
    if !load(tx)?.iter().any(wants_keys) {
        return Ok(());
    }
    for (address, key) in keys {
        change(
            tx,
            "insert into lookup_keys (pepper, lookup_key, address_hash)
             select ?1, ?2, address_hash from associations
             where address_hash = ?3
                and not exists (select 1 from lookup_keys where address_hash = ?3 and pepper = ?1)",
            params![number, key.as_bytes(), address.as_bytes()],
        )?;
    }
    Ok(())
}

fn sweep(tx: &Connection, limit: usize) -> Outcome<usize> {
    let deleted = change(
        tx,
        "delete from lookup_keys where (pepper, lookup_key) in (
            select pepper, lookup_key from lookup_keys
            where pepper in (select number from peppers where state = 'retired') limit ?1)",
        [i64::try_from(limit).unwrap_or(i64::MAX)],
    )?;
    change(
        tx,
        "delete from peppers where state = 'retired'
            and not exists (select 1 from lookup_keys where lookup_keys.pepper = peppers.number)",
        [],
    )?;
    Ok(deleted)
}

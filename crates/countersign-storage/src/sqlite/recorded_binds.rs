//! Where users of this node bound their addresses.

use async_trait::async_trait;
use countersign_core::{AccountHome, AddressHash, Localpart, Medium, RecordedBind, Sealed, Timestamp};
use rusqlite::{Connection, Row, params};

use super::{
    SqliteStorage, accounts,
    failure::Outcome,
    rows::{Columns, change, change_one, list},
};
use crate::{BindToTakeBack, Recorded, RecordedBindStore, StorageError, accounts::parse_localpart};

#[async_trait]
impl RecordedBindStore for SqliteStorage {
    async fn record_bind(&self, bind: RecordedBind, home: AccountHome) -> Result<Recorded, StorageError> {
        self.write(move |tx| record(tx, &bind, home)).await
    }

    async fn list_recorded_binds(
        &self,
        localpart: &Localpart,
        address: Option<AddressHash>,
    ) -> Result<Vec<RecordedBind>, StorageError> {
        let localpart = localpart.clone();
        self.read(move |tx| {
            let statement = tx.prepare_cached(
                "select localpart, medium, address_hash, sealed_address, id_server, bound_at from recorded_binds
                 where localpart = ?1 and (?2 is null or address_hash = ?2) order by bound_at, rowid",
            )?;
            let address = address.as_ref().map(AddressHash::as_bytes);
            list(statement, params![localpart.as_str(), address], read)
        })
        .await
    }

    async fn delete_recorded_bind(&self, bind: &RecordedBind) -> Result<(), StorageError> {
        let bind = bind.clone();
        self.write(move |tx| {
            change(
                tx,
                "delete from recorded_binds
                 where localpart = ?1 and address_hash = ?2 and id_server = ?3 and bound_at <= ?4",
                params![
                    bind.localpart.as_str(),
                    bind.address_hash.as_bytes(),
                    bind.id_server,
                    bind.bound_at.as_millis(),
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn list_binds_to_take_back(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<BindToTakeBack>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select localpart, medium, address_hash, sealed_address, id_server, bound_at, tries
                 from recorded_binds where take_back_at <= ?1 order by take_back_at limit ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            list(statement, params![now.as_millis(), limit], |row| {
                let mut columns = Columns::of("recorded_binds", row);
                Ok(BindToTakeBack { bind: read_bind(&mut columns)?, tries: columns.integer("tries")? })
            })
        })
        .await
    }

    async fn postpone_taking_back(
        &self,
        owed: &BindToTakeBack,
        until: Timestamp,
    ) -> Result<(), StorageError> {
        let BindToTakeBack { bind, tries } = owed.clone();
        self.write(move |tx| {
            change(
                tx,
                "update recorded_binds set take_back_at = ?5, tries = tries + 1
                 where localpart = ?1 and address_hash = ?2 and id_server = ?3 and tries = ?4
                    and take_back_at is not null",
                params![
                    bind.localpart.as_str(),
                    bind.address_hash.as_bytes(),
                    bind.id_server,
                    tries,
                    until.as_millis(),
                ],
            )?;
            Ok(())
        })
        .await
    }
}

fn record(tx: &Connection, bind: &RecordedBind, home: AccountHome) -> Outcome<Recorded> {
    let is_live = match home {
        AccountHome::Here => accounts::load(tx, &bind.localpart)?.is_some_and(|account| account.is_live()),
        AccountHome::Elsewhere => true,
    };
    change_one(
        tx,
        "recorded_binds",
        "insert into recorded_binds
            (localpart, address_hash, id_server, medium, sealed_address, bound_at, take_back_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         on conflict (localpart, address_hash, id_server) do update set
            bound_at = max(excluded.bound_at, recorded_binds.bound_at + 1), take_back_at = excluded.take_back_at, tries = 0",
        params![
            bind.localpart.as_str(),
            bind.address_hash.as_bytes(),
            bind.id_server,
            bind.medium.as_str(),
            bind.sealed_address.as_bytes(),
            bind.bound_at.as_millis(),
            (!is_live).then_some(bind.bound_at.as_millis()),
        ],
    )?;
    Ok(if is_live { Recorded::Kept } else { Recorded::AccountEnded })
}

/// A bind, from all columns but those about taking it back.
pub(super) fn read(row: &Row<'_>) -> Outcome<RecordedBind> {
    read_bind(&mut Columns::of("recorded_binds", row))
}

fn read_bind(columns: &mut Columns<'_>) -> Outcome<RecordedBind> {
    Ok(RecordedBind {
        localpart: columns.parse("localpart", parse_localpart)?,
        medium: columns.parse("medium", Medium::parse)?,
        address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
        sealed_address: Sealed::from_bytes(columns.blob("sealed_address")?),
        id_server: columns.parse("id_server", |name| Some(name.to_owned()))?,
        bound_at: columns.timestamp("bound_at")?,
    })
}

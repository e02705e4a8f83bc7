//! Where users of this node bound their addresses.

use async_trait::async_trait;
use countersign_core::{AddressHash, Localpart, Medium, RecordedBind, Sealed};
use rusqlite::params;

use super::{
    SqliteStorage,
    rows::{Columns, change, change_one, list},
};
use crate::{RecordedBindStore, StorageError};

#[async_trait]
impl RecordedBindStore for SqliteStorage {
    async fn record_bind(&self, bind: RecordedBind) -> Result<(), StorageError> {
        self.write(move |tx| {
            change_one(
                tx,
                "recorded_binds",
                "insert into recorded_binds (localpart, address_hash, id_server, medium, sealed_address, bound_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6)
                 on conflict (localpart, address_hash, id_server) do update set bound_at = excluded.bound_at",
                params![
                    bind.localpart.as_str(),
                    bind.address_hash.as_bytes(),
                    bind.id_server,
                    bind.medium.as_str(),
                    bind.sealed_address.as_bytes(),
                    bind.bound_at.as_millis(),
                ],
            )
        })
        .await
    }

    async fn list_recorded_binds(
        &self,
        localpart: &Localpart,
        address: Option<AddressHash>,
    ) -> Result<Vec<RecordedBind>, StorageError> {
        let localpart = localpart.clone();
        self.read(move |tx| {
            let statement = tx.prepare_cached(
                "select medium, address_hash, sealed_address, id_server, bound_at from recorded_binds
                 where localpart = ?1 and (?2 is null or address_hash = ?2) order by bound_at, rowid",
            )?;
            let address = address.as_ref().map(AddressHash::as_bytes);
            list(statement, params![localpart.as_str(), address], |row| {
                let mut columns = Columns::of("recorded_binds", row);
                Ok(RecordedBind {
                    localpart: localpart.clone(),
                    medium: columns.parse("medium", Medium::parse)?,
                    address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
                    sealed_address: Sealed::from_bytes(columns.blob("sealed_address")?),
                    id_server: columns.parse("id_server", |name| Some(name.to_owned()))?,
                    bound_at: columns.timestamp("bound_at")?,
                })
            })
        })
        .await
    }

    async fn delete_recorded_bind(
        &self,
        localpart: &Localpart,
        address: AddressHash,
        id_server: &str,
    ) -> Result<(), StorageError> {
        let (localpart, id_server) = (localpart.clone(), id_server.to_owned());
        self.write(move |tx| {
            change(
                tx,
                "delete from recorded_binds where localpart = ?1 and address_hash = ?2 and id_server = ?3",
                params![localpart.as_str(), address.as_bytes(), id_server],
            )?;
            Ok(())
        })
        .await
    }
}

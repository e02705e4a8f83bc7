//! Where users of this node bound their addresses.

use async_trait::async_trait;
use countersign_core::{AddressHash, Localpart, Medium, RecordedBind, Sealed};

use super::{
    PostgresStorage,
    parameter::Query,
    rows::{Columns, list},
};
use crate::{RecordedBindStore, StorageError};

#[async_trait]
impl RecordedBindStore for PostgresStorage {
    async fn record_bind(&self, bind: RecordedBind) -> Result<(), StorageError> {
        let upsert = Query::new(
            "insert into recorded_binds (localpart, address_hash, id_server, medium, sealed_address, bound_at)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (localpart, address_hash, id_server) do update set bound_at = excluded.bound_at",
        )
        .with(bind.localpart.as_str())
        .with(bind.address_hash.as_bytes().as_slice())
        .with(bind.id_server.as_str())
        .with(bind.medium.as_str())
        .with(bind.sealed_address.as_bytes())
        .with(bind.bound_at.as_millis());
        let [upserted] = self.connect().await?.run([upsert]).await?;
        Ok(upserted.must_change("recorded_binds", 1)?)
    }

    async fn list_recorded_binds(
        &self,
        localpart: &Localpart,
        address: Option<AddressHash>,
    ) -> Result<Vec<RecordedBind>, StorageError> {
        let select = Query::new(
            "select medium, address_hash, sealed_address, id_server, bound_at from recorded_binds
             where localpart = $1 and ($2::bytea is null or address_hash = $2)
             order by bound_at, came_at, address_hash, id_server",
        )
        .with(localpart.as_str())
        .with(address.as_ref().map(|address| address.as_bytes().as_slice()));
        let [found] = self.connect().await?.run([select]).await?;
        let binds = list(&found.rows, |row| {
            let mut columns = Columns::of("recorded_binds", row);
            Ok(RecordedBind {
                localpart: localpart.clone(),
                medium: columns.parse("medium", Medium::parse)?,
                address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
                sealed_address: Sealed::from_bytes(columns.blob("sealed_address")?),
                id_server: columns.parse("id_server", |name| Some(name.to_owned()))?,
                bound_at: columns.timestamp("bound_at")?,
            })
        });
        Ok(binds?)
    }

    async fn delete_recorded_bind(
        &self,
        localpart: &Localpart,
        address: AddressHash,
        id_server: &str,
    ) -> Result<(), StorageError> {
        let delete = Query::new(
            "delete from recorded_binds where localpart = $1 and address_hash = $2 and id_server = $3",
        )
        .with(localpart.as_str())
        .with(address.as_bytes().as_slice())
        .with(id_server);
        self.connect().await?.run([delete]).await?;
        Ok(())
    }
}

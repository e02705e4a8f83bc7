//! Where users of this node bound their addresses.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{AccountHome, AddressHash, Localpart, Medium, RecordedBind, Sealed, Timestamp};
use tokio_postgres::Row;

use super::{
    PostgresStorage, accounts,
    connection::Transaction,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, list},
};
use crate::{BindToTakeBack, Recorded, RecordedBindStore, StorageError, accounts::parse_localpart};

#[async_trait]
impl RecordedBindStore for PostgresStorage {
    async fn record_bind(&self, bind: RecordedBind, home: AccountHome) -> Result<Recorded, StorageError> {
        let bind = Arc::new(bind);
        self.write(move |tx| record(tx, Arc::clone(&bind), home)).await
    }

    async fn list_recorded_binds(
        &self,
        localpart: &Localpart,
        address: Option<AddressHash>,
    ) -> Result<Vec<RecordedBind>, StorageError> {
        let select = Query::new(
            "select localpart, medium, address_hash, sealed_address, id_server, bound_at from recorded_binds
             where localpart = $1 and ($2::bytea is null or address_hash = $2)
             order by bound_at, came_at, address_hash, id_server",
        )
        .with(localpart.as_str())
        .with(address.as_ref().map(|address| address.as_bytes().as_slice()));
        let [found] = self.connect().await?.run([select]).await?;
        Ok(list(&found.rows, read)?)
    }

    async fn delete_recorded_bind(&self, bind: &RecordedBind) -> Result<(), StorageError> {
        let delete = Query::new(
            "delete from recorded_binds
             where localpart = $1 and address_hash = $2 and id_server = $3 and bound_at <= $4",
        )
        .with(bind.localpart.as_str())
        .with(bind.address_hash.as_bytes().as_slice())
        .with(bind.id_server.as_str())
        .with(bind.bound_at.as_millis());
        self.connect().await?.run([delete]).await?;
        Ok(())
    }

    async fn list_binds_to_take_back(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<BindToTakeBack>, StorageError> {
        let select = Query::new(
            "select localpart, medium, address_hash, sealed_address, id_server, bound_at, tries
             from recorded_binds where take_back_at <= $1 order by take_back_at limit $2",
        )
        .with(now.as_millis())
        .with(i64::try_from(limit).unwrap_or(i64::MAX));
        let [found] = self.connect().await?.run([select]).await?;
        let due = list(&found.rows, |row| {
            let mut columns = Columns::of("recorded_binds", row);
            Ok(BindToTakeBack { bind: read_bind(&mut columns)?, tries: columns.integer("tries")? })
        });
        Ok(due?)
    }

    async fn postpone_taking_back(
        &self,
        owed: &BindToTakeBack,
        until: Timestamp,
    ) -> Result<(), StorageError> {
        let BindToTakeBack { bind, tries } = owed;
        let update = Query::new(
            "update recorded_binds set take_back_at = $5, tries = tries + 1
             where localpart = $1 and address_hash = $2 and id_server = $3 and tries = $4
                and take_back_at is not null",
        )
        .with(bind.localpart.as_str())
        .with(bind.address_hash.as_bytes().as_slice())
        .with(bind.id_server.as_str())
        .with(i64::from(*tries))
        .with(until.as_millis());
        self.connect().await?.run([update]).await?;
        Ok(())
    }
}

/// Keeps the account from ending until the bind is there: whoever ends it finds that then.
async fn record(mut tx: Transaction, bind: Arc<RecordedBind>, home: AccountHome) -> Outcome<Recorded> {
    let is_live = match home {
        AccountHome::Here => {
            let [found] = tx.run([accounts::find_and_share(&bind.localpart)]).await?;
            accounts::read_found(&found, &bind.localpart)?.is_some_and(|account| account.is_live())
        }
        AccountHome::Elsewhere => true,
    };
    let upsert = Query::new(
        "insert into recorded_binds
            (localpart, address_hash, id_server, medium, sealed_address, bound_at, take_back_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (localpart, address_hash, id_server) do update set
            bound_at = greatest(excluded.bound_at, recorded_binds.bound_at + 1), take_back_at = excluded.take_back_at, tries = 0",
    )
    .with(bind.localpart.as_str())
    .with(bind.address_hash.as_bytes().as_slice())
    .with(bind.id_server.as_str())
    .with(bind.medium.as_str())
    .with(bind.sealed_address.as_bytes())
    .with(bind.bound_at.as_millis())
    .with((!is_live).then_some(bind.bound_at.as_millis()));
    tx.finish(vec![upsert]).await?[0].must_change("recorded_binds", 1)?;
    Ok(if is_live { Recorded::Kept } else { Recorded::AccountEnded })
}

/// A bind, from all columns but those about taking it back.
pub(super) fn read(row: &Row) -> Outcome<RecordedBind> {
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

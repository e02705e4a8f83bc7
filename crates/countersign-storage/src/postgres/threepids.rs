//! Addresses of accounts.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{
    AccountThreepid, AddDecision, AddRefusal, AddThreepid, AddressHash, Localpart, Medium, NoticeDraft,
    Sealed, Timestamp, ValidationSession,
};
use tokio_postgres::Row;

use super::{
    PostgresStorage,
    connection::Transaction,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first, list},
    sessions,
};
use crate::{AddedThreepid, StorageError, ThreepidStore, accounts::parse_localpart};

#[async_trait]
impl ThreepidStore for PostgresStorage {
    async fn add_threepid(
        &self,
        add: AddThreepid,
        now: Timestamp,
    ) -> Result<Result<AddedThreepid, AddRefusal>, StorageError> {
        let add = Arc::new(add);
        self.write(move |tx| add_threepid(tx, Arc::clone(&add), now)).await
    }

    async fn list_threepids(&self, localpart: &Localpart) -> Result<Vec<AccountThreepid>, StorageError> {
        let select = Query::new(
            "select medium, address_hash, sealed_address, validated_at, added_at
             from account_threepids where localpart = $1 order by came_at, address_hash",
        )
        .with(localpart.as_str());
        let [found] = self.connect().await?.run([select]).await?;
        let threepids = list(&found.rows, |row| {
            let mut columns = Columns::of("account_threepids", row);
            Ok(AccountThreepid {
                localpart: localpart.clone(),
                medium: columns.parse("medium", Medium::parse)?,
                address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
                sealed_address: Sealed::from_bytes(columns.blob("sealed_address")?),
                validated_at: columns.timestamp("validated_at")?,
                added_at: columns.timestamp("added_at")?,
            })
        });
        Ok(threepids?)
    }

    async fn delete_threepid(
        &self,
        localpart: &Localpart,
        address: AddressHash,
        _notices: Vec<NoticeDraft>,
        _now: Timestamp,
    ) -> Result<Option<Vec<Medium>>, StorageError> {
        let delete = Query::new("delete from account_threepids where address_hash = $1 and localpart = $2")
            .with(address.as_bytes().as_slice())
            .with(localpart.as_str());
        let [deleted] = self.connect().await?.run([delete]).await?;
        Ok((deleted.changed() == 1).then(Vec::new))
    }

    async fn find_threepid_owner(&self, address: AddressHash) -> Result<Option<Localpart>, StorageError> {
        let [found] = self.connect().await?.run([list_owners(vec![address.as_bytes()])]).await?;
        Ok(first(&found.rows, |row| Ok(read_owner(row)?.1))?)
    }
}

/// The accounts that have one of the addresses.
pub(super) fn list_owners(addresses: Vec<&[u8]>) -> Query<'_> {
    Query::new("select address_hash, localpart from account_threepids where address_hash = any($1)")
        .with(addresses)
}

/// A row of [`list_owners`].
pub(super) fn read_owner(row: &Row) -> Outcome<(AddressHash, Localpart)> {
    let mut columns = Columns::of("account_threepids", row);
    let address = AddressHash::from_bytes(columns.bytes("address_hash")?);
    Ok((address, columns.parse("localpart", parse_localpart)?))
}

async fn add_threepid(
    mut tx: Transaction,
    add: Arc<AddThreepid>,
    now: Timestamp,
) -> Outcome<Result<AddedThreepid, AddRefusal>> {
    let [found] = tx.run([sessions::find_and_lock(&add.sid)]).await?;
    let session = sessions::read_found(&found)?;
    loop {
        let owner = match &session {
            Some(session) => {
                let [found] = tx.run([list_owners(vec![session.address_hash.as_bytes()])]).await?;
                first(&found.rows, |row| Ok(read_owner(row)?.1))?
            }
            None => None,
        };
        let changed = match ValidationSession::add_threepid(session.as_ref(), owner.as_ref(), None, &add, now)
        {
            Err(refusal) => {
                tx.roll_back().await?;
                return Ok(Err(refusal));
            }
            Ok(AddDecision::Add { threepid, session }) => {
                let [inserted] = tx.run([insert(&threepid)]).await?;
                if inserted.changed() == 0 {
                    // Another transaction added the address meanwhile, and has committed since.
                    continue;
                }
                Some(session)
            }
            Ok(AddDecision::AlreadyAdded(session)) => session,
        };
        tx.finish(changed.iter().map(|session| sessions::save(vec![session])).collect()).await?;
        return Ok(Ok(AddedThreepid { notified: Vec::new() }));
    }
}

fn insert(threepid: &AccountThreepid) -> Query<'_> {
    Query::new(
        "insert into account_threepids
            (localpart, medium, address_hash, sealed_address, validated_at, added_at)
         values ($1, $2, $3, $4, $5, $6) on conflict (address_hash) do nothing",
    )
    .with(threepid.localpart.as_str())
    .with(threepid.medium.as_str())
    .with(threepid.address_hash.as_bytes().as_slice())
    .with(threepid.sealed_address.as_bytes())
    .with(threepid.validated_at.as_millis())
    .with(threepid.added_at.as_millis())
}

//! Addresses of accounts.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{
    AccountThreepid, AddDecision, AddRefusal, AddState, AddThreepid, AddressHash, Localpart, Medium,
    MessageKind, NoticeDraft, Sealed, ThreepidOwner, Timestamp, ValidationSession,
};
use tokio_postgres::Row;

use super::{
    PostgresStorage,
    authorization::{self, Lock},
    connection::Transaction,
    failure::Outcome,
    notices,
    parameter::Query,
    rows::{Columns, first, list},
    sessions, uia,
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
        notices: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<Option<Vec<Medium>>, StorageError> {
        let deletion = Arc::new((localpart.clone(), address, notices));
        self.write(move |tx| delete_threepid(tx, Arc::clone(&deletion), now)).await
    }

    async fn find_threepid_owner(&self, address: AddressHash) -> Result<Option<ThreepidOwner>, StorageError> {
        let [found] = self.connect().await?.run([list_owners(vec![address.as_bytes()])]).await?;
        Ok(first(&found.rows, |row| Ok(read_owner(row)?.1))?)
    }
}

/// The accounts that have one of the addresses.
pub(super) fn list_owners(addresses: Vec<&[u8]>) -> Query<'_> {
    Query::new("select address_hash, localpart, added_at from account_threepids where address_hash = any($1)")
        .with(addresses)
}

/// A row of [`list_owners`].
pub(super) fn read_owner(row: &Row) -> Outcome<(AddressHash, ThreepidOwner)> {
    let mut columns = Columns::of("account_threepids", row);
    let address = AddressHash::from_bytes(columns.bytes("address_hash")?);
    let localpart = columns.parse("localpart", parse_localpart)?;
    Ok((address, ThreepidOwner { localpart, added_at: columns.timestamp("added_at")? }))
}

/// A row of [`list_owners`], where it does not matter since when.
pub(super) fn read_owners_name(row: &Row) -> Outcome<(AddressHash, Localpart)> {
    read_owner(row).map(|(address, owner)| (address, owner.localpart))
}

/// As [`list_owners`], of one address; keeps others from taking it away until the end of the transaction.
pub(super) fn share_owner(address: &AddressHash) -> Query<'_> {
    Query::new(
        "select address_hash, localpart, added_at from account_threepids where address_hash = $1 for share",
    )
    .with(address.as_bytes().as_slice())
}

async fn add_threepid(
    mut tx: Transaction,
    add: Arc<AddThreepid>,
    now: Timestamp,
) -> Outcome<Result<AddedThreepid, AddRefusal>> {
    let (authorization, home) = (&add.authorization, add.account);
    let (localpart, beside) = (&add.localpart, Some(&add.sid));
    let grounds =
        authorization::load_and_lock_beside(&mut tx, authorization, localpart, home, Lock::Share, beside)
            .await?;
    let [found] = tx.run([sessions::find_and_lock(&add.sid)]).await?;
    let session = sessions::read_found(&found)?;
    let mut state = AddState { session, owner: None, grounds };
    loop {
        if let Some(session) = &state.session {
            let [found] = tx.run([list_owners(vec![session.address_hash.as_bytes()])]).await?;
            state.owner = first(&found.rows, |row| Ok(read_owners_name(row)?.1))?;
        }
        let (sessions, uia_session, added) = match ValidationSession::add_threepid(&state, &add, now) {
            Err(refusal) => {
                tx.roll_back().await?;
                return Ok(Err(refusal));
            }
            Ok(AddDecision::Repeated) => {
                tx.roll_back().await?;
                return Ok(Ok(AddedThreepid { notified: Vec::new() }));
            }
            Ok(AddDecision::Add { threepid, sessions, uia_session }) => {
                let [inserted] = tx.run([insert(&threepid)]).await?;
                if inserted.changed() == 0 {
                    // Another transaction added the address meanwhile, and has committed since.
                    continue;
                }
                (sessions, uia_session, Some(threepid))
            }
            Ok(AddDecision::AlreadyAdded { sessions, uia_session }) => (sessions, uia_session, None),
        };
        let finished = uia_session.map(uia::Changed::to);
        let saves = || {
            let proofs = sessions.iter().map(|session| sessions::save(vec![session]));
            proofs.chain(finished.as_ref().map(uia::Changed::save))
        };
        let Some(added) = added else {
            tx.finish(saves().collect()).await?;
            return Ok(Ok(AddedThreepid { notified: Vec::new() }));
        };
        let wanted = notices::Wanted::of(&mut tx, &add.localpart, &add.notices).await?;
        let notices = wanted.but(added.address_hash).notices(MessageKind::added(added.medium), now);
        tx.finish(saves().chain(notices.queries()).collect()).await?;
        return Ok(Ok(AddedThreepid { notified: notices.media() }));
    }
}

async fn delete_threepid(
    mut tx: Transaction,
    deletion: Arc<(Localpart, AddressHash, Vec<NoticeDraft>)>,
    now: Timestamp,
) -> Outcome<Option<Vec<Medium>>> {
    let (localpart, address, drafts) = &*deletion;
    let select = Query::new(
        "select medium from account_threepids where address_hash = $1 and localpart = $2 for update",
    )
    .with(address.as_bytes().as_slice())
    .with(localpart.as_str());
    let [found] = tx.run([select]).await?;
    let medium =
        first(&found.rows, |row| Columns::of("account_threepids", row).parse("medium", Medium::parse))?;
    let Some(medium) = medium else {
        tx.roll_back().await?;
        return Ok(None);
    };
    let wanted = notices::Wanted::of(&mut tx, localpart, drafts).await?;
    let notices = wanted.notices(MessageKind::removed(medium), now);
    let delete = Query::new("delete from account_threepids where address_hash = $1")
        .with(address.as_bytes().as_slice());
    let mut queries = vec![delete];
    queries.extend(notices.queries());
    tx.finish(queries).await?[0].must_change("account_threepids", 1)?;
    Ok(Some(notices.media()))
}

/// Puts an address on an account, unless it is on one.
pub(super) fn insert(threepid: &AccountThreepid) -> Query<'_> {
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

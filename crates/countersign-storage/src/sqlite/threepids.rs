//! Addresses of accounts.

use async_trait::async_trait;
use countersign_core::{
    AccountHome, AccountThreepid, AddDecision, AddRefusal, AddState, AddThreepid, AddressHash, Localpart,
    Medium, MessageKind, NoticeDraft, Sealed, ThreepidOwner, Timestamp, ValidationSession,
};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage, accounts, authorization,
    failure::Outcome,
    notices,
    rows::{Columns, change_one, find, list},
    sessions, uia,
};
use crate::{AddedThreepid, StorageError, ThreepidStore, accounts::parse_localpart};

#[async_trait]
impl ThreepidStore for SqliteStorage {
    async fn add_threepid(
        &self,
        add: AddThreepid,
        now: Timestamp,
    ) -> Result<Result<AddedThreepid, AddRefusal>, StorageError> {
        self.write(move |tx| add_threepid(tx, &add, now)).await
    }

    async fn list_threepids(&self, localpart: &Localpart) -> Result<Vec<AccountThreepid>, StorageError> {
        let localpart = localpart.clone();
        self.read(move |tx| list_threepids(tx, &localpart)).await
    }

    async fn delete_threepid(
        &self,
        localpart: &Localpart,
        address: AddressHash,
        notices: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<Option<Vec<Medium>>, StorageError> {
        let localpart = localpart.clone();
        self.write(move |tx| delete_threepid(tx, &localpart, address, &notices, now)).await
    }

    async fn find_threepid_owner(&self, address: AddressHash) -> Result<Option<ThreepidOwner>, StorageError> {
        self.read(move |tx| find_owner(tx, address)).await
    }
}

/// The account that has the address, and since when.
pub(super) fn find_owner(tx: &Connection, address: AddressHash) -> Outcome<Option<ThreepidOwner>> {
    let statement =
        tx.prepare_cached("select localpart, added_at from account_threepids where address_hash = ?1")?;
    find(statement, [address.as_bytes()], |row| {
        let mut columns = Columns::of("account_threepids", row);
        Ok(ThreepidOwner {
            localpart: columns.parse("localpart", parse_localpart)?,
            added_at: columns.timestamp("added_at")?,
        })
    })
}

/// The account that has the address.
pub(super) fn find_owners_name(tx: &Connection, address: AddressHash) -> Outcome<Option<Localpart>> {
    Ok(find_owner(tx, address)?.map(|owner| owner.localpart))
}

fn add_threepid(
    tx: &Connection,
    add: &AddThreepid,
    now: Timestamp,
) -> Outcome<Result<AddedThreepid, AddRefusal>> {
    let account = match add.account {
        AccountHome::Here => accounts::load(tx, &add.localpart)?,
        AccountHome::Elsewhere => None,
    };
    let session = sessions::load(tx, add.sid)?;
    let owner = match &session {
        Some(session) => find_owners_name(tx, session.address_hash)?,
        None => None,
    };
    let grounds = authorization::load(tx, &add.authorization, &add.localpart, account)?;
    let state = AddState { session, owner, grounds };
    let (sessions, uia_session, notified) = match ValidationSession::add_threepid(&state, add, now) {
        Err(refusal) => return Ok(Err(refusal)),
        Ok(AddDecision::Add { threepid, sessions, uia_session }) => {
            // Before the new address is there, which needs no notice.
            let kind = MessageKind::added(threepid.medium);
            let notified = notices::enqueue(tx, &add.localpart, &add.notices, kind, now)?;
            insert(tx, &threepid)?;
            (sessions, uia_session, notified)
        }
        Ok(AddDecision::AlreadyAdded { sessions, uia_session }) => (sessions, uia_session, Vec::new()),
        Ok(AddDecision::Repeated) => return Ok(Ok(AddedThreepid { notified: Vec::new() })),
    };
    for session in &sessions {
        sessions::save(tx, session)?;
    }
    uia_session.as_ref().map_or(Ok(()), |session| uia::save(tx, session))?;
    Ok(Ok(AddedThreepid { notified }))
}

fn delete_threepid(
    tx: &Connection,
    localpart: &Localpart,
    address: AddressHash,
    drafts: &[NoticeDraft],
    now: Timestamp,
) -> Outcome<Option<Vec<Medium>>> {
    let statement =
        tx.prepare_cached("select medium from account_threepids where address_hash = ?1 and localpart = ?2")?;
    let medium = find(statement, params![address.as_bytes(), localpart.as_str()], |row| {
        Columns::of("account_threepids", row).parse("medium", Medium::parse)
    })?;
    let Some(medium) = medium else { return Ok(None) };
    // Before the address is gone, which gets a notice, too.
    let notified = notices::enqueue(tx, localpart, drafts, MessageKind::removed(medium), now)?;
    let delete = "delete from account_threepids where address_hash = ?1";
    change_one(tx, "account_threepids", delete, [address.as_bytes()])?;
    Ok(Some(notified))
}

/// Puts an address on an account.
pub(super) fn insert(tx: &Connection, threepid: &AccountThreepid) -> Outcome<()> {
    change_one(
        tx,
        "account_threepids",
        "insert into account_threepids
            (localpart, medium, address_hash, sealed_address, validated_at, added_at)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            threepid.localpart.as_str(),
            threepid.medium.as_str(),
            threepid.address_hash.as_bytes(),
            threepid.sealed_address.as_bytes(),
            threepid.validated_at.as_millis(),
            threepid.added_at.as_millis(),
        ],
    )
}

/// The addresses of an account, in the order in which they came.
pub(super) fn list_threepids(tx: &Connection, localpart: &Localpart) -> Outcome<Vec<AccountThreepid>> {
    let statement = tx.prepare_cached(
        "select medium, address_hash, sealed_address, validated_at, added_at
         from account_threepids where localpart = ?1 order by rowid",
    )?;
    list(statement, [localpart.as_str()], |row| {
        let mut columns = Columns::of("account_threepids", row);
        Ok(AccountThreepid {
            localpart: localpart.clone(),
            medium: columns.parse("medium", Medium::parse)?,
            address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
            sealed_address: Sealed::from_bytes(columns.blob("sealed_address")?),
            validated_at: columns.timestamp("validated_at")?,
            added_at: columns.timestamp("added_at")?,
        })
    })
}

//! Associations of the identity service: bind, unbind, look up.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{
    AddressHash, Association, Bind, LookupFilter, LookupKey, LookupKeySource, LookupPepper, Medium,
    MessageKind, PepperedKey, Sealed, Timestamp, UserId, ValidationSession, wanted_keys,
};
use rusqlite::{Connection, Row, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    invitations, outbox, peppers,
    readers::Extent,
    rows::{Columns, View, change, change_one, find, list},
    sessions,
};
use crate::{
    AssociationStore, Bound, LookedUp, NumberedKeys, StorageError,
    associations::{LATER_KEYS, sift},
    sessions::parse_user_id,
};

/// How many keys a lookup of few rows may have. Most are nobody's, and cost no row.
const MOST_FEW_KEYS: usize = 200;

#[async_trait]
impl AssociationStore for SqliteStorage {
    async fn bind(&self, bind: Bind, now: Timestamp) -> Result<Bound, StorageError> {
        self.write(move |tx| bind_address(tx, &bind, now)).await
    }

    async fn unbind(&self, address: AddressHash, user_id: &UserId) -> Result<bool, StorageError> {
        let user_id = user_id.clone();
        self.write(move |tx| {
            let delete = "delete from associations where address_hash = ?1 and user_id = ?2";
            if change(tx, delete, params![address.as_bytes(), user_id.as_str()])? == 0 {
                return Ok(false);
            }
            delete_keys(tx, address)?;
            Ok(true)
        })
        .await
    }

    async fn find_association(&self, address: AddressHash) -> Result<Option<Association>, StorageError> {
        self.read(move |tx| load(tx, address)).await
    }

    async fn lookup(
        &self,
        pepper: &LookupPepper,
        keys: Vec<LookupKey>,
        filter: &Arc<LookupFilter>,
    ) -> Result<Option<LookedUp>, StorageError> {
        let (pepper, filter) = (pepper.clone(), Arc::clone(filter));
        let passing = keys.iter().filter(|key| filter.may_contain(key)).count();
        // If the filter is behind, all are looked for.
        let extent = if keys.len() <= MOST_FEW_KEYS { Extent::of(passing) } else { Extent::Many };
        self.readers.run(extent, move |tx| lookup(tx, &pepper, &keys, &filter)).await
    }

    async fn list_lookup_keys(&self, after: i64, limit: usize) -> Result<NumberedKeys, StorageError> {
        self.read_many(move |tx| later_keys(tx, after, limit)).await
    }

    async fn count_lookup_keys(&self) -> Result<usize, StorageError> {
        self.read_many(|tx| {
            let statement = tx.prepare_cached("select count(*) as keys from lookup_keys")?;
            let count = find(statement, [], |row| Columns::of("lookup_keys", row).integer("keys"))?;
            Ok(count.map_or(0, |count: i64| usize::try_from(count).unwrap_or(usize::MAX)))
        })
        .await
    }

    async fn lookup_addresses(
        &self,
        pepper: &LookupPepper,
        mut addresses: Vec<AddressHash>,
    ) -> Result<Option<Vec<(AddressHash, UserId)>>, StorageError> {
        let pepper = pepper.clone();
        addresses.sort_unstable();
        addresses.dedup();
        let extent = Extent::of(addresses.len());
        self.readers.run(extent, move |tx| lookup_addresses(tx, &pepper, &addresses)).await
    }

    async fn list_associations(
        &self,
        after: Option<AddressHash>,
        limit: usize,
    ) -> Result<Vec<Association>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select address_hash, medium, sealed_address, user_id, bound_at
                 from associations where ?1 < address_hash order by address_hash limit ?2",
            )?;
            // No hash is smaller than no bytes.
            let after = after.as_ref().map_or(&[][..], |after| after.as_bytes());
            list(statement, params![after, i64::try_from(limit).unwrap_or(i64::MAX)], read)
        })
        .await
    }
}

/// The association of an address.
pub(super) fn load(tx: &Connection, address: AddressHash) -> Outcome<Option<Association>> {
    let statement = tx.prepare_cached(
        "select address_hash, medium, sealed_address, user_id, bound_at from associations where address_hash = ?1",
    )?;
    find(statement, [address.as_bytes()], read)
}

/// The user to whom the address is bound.
pub(super) fn find_user(tx: &Connection, address: AddressHash) -> Outcome<Option<UserId>> {
    let statement = tx.prepare_cached("select user_id from associations where address_hash = ?1")?;
    find(statement, [address.as_bytes()], |row| {
        Columns::of("associations", row).parse("user_id", parse_user_id)
    })
}

fn bind_address(tx: &Connection, bind: &Bind, now: Timestamp) -> Outcome<Bound> {
    let session = sessions::load(tx, bind.sid)?;
    let association = match ValidationSession::bind(session.as_ref(), bind, now) {
        Ok(association) => association,
        Err(why) => return Ok(Bound::Refused(why)),
    };
    let Some(keys) = wanted_keys(&bind.keys, &peppers::load(tx)?) else { return Ok(Bound::PeppersChanged) };
    save(tx, &association, &keys)?;
    let queued = invitations::are_waiting(tx, association.address_hash)?
        && !outbox::is_on_bind_waiting(tx, &association, now.after(bind.on_bind.lifetime / 2))?;
    if queued {
        let (session, message) = ValidationSession::notice(&bind.on_bind, MessageKind::OnBind, now);
        sessions::insert(tx, &session)?;
        outbox::enqueue(tx, &message)?;
    }
    Ok(Bound::Done { association, queued })
}

/// Saves an association in place of the one that its address had, with its keys.
pub(super) fn save(tx: &Connection, association: &Association, keys: &[PepperedKey]) -> Outcome<()> {
    change_one(
        tx,
        "associations",
        "insert into associations (address_hash, medium, sealed_address, user_id, bound_at)
         values (?1, ?2, ?3, ?4, ?5)
         on conflict (address_hash) do update set
            medium = excluded.medium, sealed_address = excluded.sealed_address, user_id = excluded.user_id,
            bound_at = excluded.bound_at",
        params![
            association.address_hash.as_bytes(),
            association.medium.as_str(),
            association.sealed_address.as_bytes(),
            association.user_id.as_str(),
            association.bound_at.as_millis(),
        ],
    )?;
    delete_keys(tx, association.address_hash)?;
    for PepperedKey { pepper, key } in keys {
        change_one(
            tx,
            "lookup_keys",
            "insert into lookup_keys (pepper, lookup_key, address_hash) values (?1, ?2, ?3)",
            params![pepper, key.as_bytes(), association.address_hash.as_bytes()],
        )?;
    }
    Ok(())
}

fn delete_keys(tx: &Connection, address: AddressHash) -> Outcome<()> {
    change(tx, "delete from lookup_keys where address_hash = ?1", [address.as_bytes()])?;
    Ok(())
}

fn lookup(
    tx: &Connection,
    pepper: &LookupPepper,
    keys: &[LookupKey],
    filter: &LookupFilter,
) -> Outcome<Option<LookedUp>> {
    // One view of the database for all that is read: neither the pepper nor the keys may change between two.
    let _view = View::begin(tx)?;
    let Some(number) = peppers::find_current(tx, pepper)? else { return Ok(None) };
    let later = later_keys(tx, filter.covers(), LATER_KEYS + 1)?;
    let filter_is_behind = later.source != filter.source() || !later.keys.is_empty();
    let keys = sift(keys, filter, later);
    let mut statement = tx.prepare_cached(
        "select user_id from lookup_keys join associations using (address_hash)
         where pepper = ?1 and lookup_key = ?2",
    )?;
    let mut users = Vec::new();
    for key in keys {
        let mut rows = statement.query(params![number, key.as_bytes()])?;
        if let Some(row) = rows.next()? {
            users.push((key, Columns::of("associations", row).parse("user_id", parse_user_id)?));
        }
    }
    Ok(Some(LookedUp { users, filter_is_behind }))
}

fn later_keys(tx: &Connection, after: i64, limit: usize) -> Outcome<NumberedKeys> {
    let statement = tx.prepare_cached(
        "select number, lookup_key from lookup_keys where ?1 < number order by number limit ?2",
    )?;
    let keys = list(statement, params![after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let mut columns = Columns::of("lookup_keys", row);
        Ok((columns.integer("number")?, LookupKey::from_bytes(columns.bytes("lookup_key")?)))
    })?;
    // A file stays the one that it is as long as it is open.
    Ok(NumberedKeys { source: LookupKeySource::default(), keys })
}

fn lookup_addresses(
    tx: &Connection,
    pepper: &LookupPepper,
    addresses: &[AddressHash],
) -> Outcome<Option<Vec<(AddressHash, UserId)>>> {
    let _view = View::begin(tx)?;
    if peppers::find_current(tx, pepper)?.is_none() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for address in addresses {
        found.extend(find_user(tx, *address)?.map(|user_id| (*address, user_id)));
    }
    Ok(Some(found))
}

fn read(row: &Row<'_>) -> Outcome<Association> {
    let mut columns = Columns::of("associations", row);
    Ok(Association {
        address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
        medium: columns.parse("medium", Medium::parse)?,
        sealed_address: Sealed::from_bytes(columns.blob("sealed_address")?),
        user_id: columns.parse("user_id", parse_user_id)?,
        bound_at: columns.timestamp("bound_at")?,
    })
}

//! Associations of the identity service: bind, unbind, look up.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{
    AddressHash, Association, Bind, LookupFilter, LookupKey, LookupKeySource, LookupPepper, Medium,
    MessageKind, OutboxMessage, PepperedKey, Sealed, Timestamp, UserId, ValidationSession, wanted_keys,
};
use tokio_postgres::Row;

use super::{
    PostgresStorage,
    connection::{Reply, Transaction},
    failure::Outcome,
    invitations,
    locks::{lock_address, lock_lookup_keys, share_peppers},
    outbox,
    parameter::Query,
    peppers,
    rows::{Columns, first, list},
    sessions,
};
use crate::{
    AssociationStore, Bound, LookedUp, NumberedKeys, StorageError,
    associations::{LATER_KEYS, sift},
    sessions::parse_user_id,
};

#[async_trait]
impl AssociationStore for PostgresStorage {
    async fn bind(&self, bind: Bind, now: Timestamp) -> Result<Bound, StorageError> {
        let bind = Arc::new(bind);
        self.write(move |tx| bind_address(tx, Arc::clone(&bind), now)).await
    }

    async fn unbind(&self, address: AddressHash, user_id: &UserId) -> Result<bool, StorageError> {
        let user_id = user_id.clone();
        self.write(move |tx| unbind(tx, address, user_id.clone())).await
    }

    async fn find_association(&self, address: AddressHash) -> Result<Option<Association>, StorageError> {
        let select = Query::new(
            "select address_hash, medium, sealed_address, user_id, bound_at
             from associations where address_hash = $1",
        )
        .with(address.as_bytes().as_slice());
        let [found] = self.connect().await?.run([select]).await?;
        Ok(first(&found.rows, read)?)
    }

    async fn lookup(
        &self,
        pepper: &LookupPepper,
        keys: Vec<LookupKey>,
        filter: &Arc<LookupFilter>,
    ) -> Result<Option<LookedUp>, StorageError> {
        // Read before the users: a key that comes between the two is not found yet, none is missed.
        let later = later_keys(filter.covers(), LATER_KEYS + 1);
        let mut connection = self.connect().await?;
        let nothing_later = NumberedKeys { source: filter.source(), keys: Vec::new() };
        let wanted = sift(&keys, filter, nothing_later.clone());
        let [source, later, mut found] =
            connection.run([select_source(), later, find_users(pepper, &wanted)]).await?;
        let later = read_later_keys(&source, &later)?;
        let filter_is_behind = later != nothing_later;
        if filter_is_behind {
            let wanted = sift(&keys, filter, later);
            [found] = connection.run([find_users(pepper, &wanted)]).await?;
        }
        let users = read_found(&found, LookupKey::from_bytes)?;
        Ok(users.map(|users| LookedUp { users, filter_is_behind }))
    }

    async fn list_lookup_keys(&self, after: i64, limit: usize) -> Result<NumberedKeys, StorageError> {
        let [source, found] = self.connect().await?.run([select_source(), later_keys(after, limit)]).await?;
        Ok(read_later_keys(&source, &found)?)
    }

    async fn count_lookup_keys(&self) -> Result<usize, StorageError> {
        let count = Query::new("select count(*) as keys from lookup_keys");
        let [found] = self.connect().await?.run([count]).await?;
        let count = first(&found.rows, |row| Columns::of("lookup_keys", row).integer("keys"))?;
        Ok(count.map_or(0, |count: i64| usize::try_from(count).unwrap_or(usize::MAX)))
    }

    async fn lookup_addresses(
        &self,
        pepper: &LookupPepper,
        mut addresses: Vec<AddressHash>,
    ) -> Result<Option<Vec<(AddressHash, UserId)>>, StorageError> {
        addresses.sort_unstable();
        addresses.dedup();
        let select = Query::new(
            "select found.address_hash, found.user_id
             from peppers p
                left join lateral (
                    select a.address_hash, a.user_id
                    from unnest($2::bytea[]) as n (address_hash) cross join lateral (
                        select address_hash, user_id from associations
                        where address_hash = n.address_hash offset 0) as a
                ) as found on true
             where p.pepper = $1 and p.state = 'current'",
        )
        .with(pepper.as_str())
        .with(addresses.iter().map(|address| address.as_bytes().as_slice()).collect::<Vec<_>>());
        let [found] = self.connect().await?.run([select]).await?;
        Ok(read_found(&found, AddressHash::from_bytes)?)
    }

    async fn list_associations(
        &self,
        after: Option<AddressHash>,
        limit: usize,
    ) -> Result<Vec<Association>, StorageError> {
        // No hash is smaller than no bytes.
        let select = Query::new(
            "select address_hash, medium, sealed_address, user_id, bound_at
             from associations where $1 < address_hash order by address_hash limit $2",
        )
        .with(after.as_ref().map_or(&[][..], |after| after.as_bytes()))
        .with(i64::try_from(limit).unwrap_or(i64::MAX));
        let [found] = self.connect().await?.run([select]).await?;
        Ok(list(&found.rows, read)?)
    }
}

/// The user to whom the address is bound.
pub(super) fn find_user(address: &AddressHash) -> Query<'_> {
    Query::new("select user_id from associations where address_hash = $1").with(address.as_bytes().as_slice())
}

/// What [`find_user`] found.
pub(super) fn read_user(reply: &Reply) -> Outcome<Option<UserId>> {
    first(&reply.rows, |row| Columns::of("associations", row).parse("user_id", parse_user_id))
}

/// The users whose addresses have these keys, each once, under the pepper, if it is the current one.
///
/// A row without key says that it is. `offset 0` makes it one probe for each key, whatever the planner believes of the table:
/// with `= any`, it may read all keys of the pepper and search the array for each.
fn find_users<'a>(pepper: &'a LookupPepper, keys: &'a [LookupKey]) -> Query<'a> {
    Query::new(
        "select found.lookup_key, a.user_id
         from peppers p
            left join lateral (
                select k.lookup_key, k.address_hash
                from unnest($2::bytea[]) as n (lookup_key) cross join lateral (
                    select lookup_key, address_hash from lookup_keys
                    where pepper = p.number and lookup_key = n.lookup_key offset 0) as k
            ) as found on true
            left join associations a on a.address_hash = found.address_hash
         where p.pepper = $1 and p.state = 'current'",
    )
    .with(pepper.as_str())
    .with(keys.iter().map(|key| key.as_bytes().as_slice()).collect::<Vec<_>>())
}

fn later_keys(after: i64, limit: usize) -> Query<'static> {
    Query::new("select number, lookup_key from lookup_keys where $1 < number order by number limit $2")
        .with(after)
        .with(i64::try_from(limit).unwrap_or(i64::MAX))
}

/// What the server that answers is told from others by: one that takes its place, even on the same machine, started later. A
/// standby may lack the last of what its primary had, and gives the numbers of that anew.
fn select_source() -> Query<'static> {
    Query::new("select (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint as source")
}

fn read_later_keys(source: &Reply, later: &Reply) -> Outcome<NumberedKeys> {
    let source = first(&source.rows, |row| Columns::of("lookup_keys", row).integer("source"))?;
    let keys = list(&later.rows, |row| {
        let mut columns = Columns::of("lookup_keys", row);
        Ok((columns.integer("number")?, LookupKey::from_bytes(columns.bytes("lookup_key")?)))
    });
    Ok(NumberedKeys { source: LookupKeySource(source.unwrap_or_default()), keys: keys? })
}

/// Holds off other peppers and invitations for the address before it looks which there are.
async fn bind_address(mut tx: Transaction, bind: Arc<Bind>, now: Timestamp) -> Outcome<Bound> {
    let [found] = tx.run([sessions::find_and_lock(&bind.sid)]).await?;
    let session = sessions::read_found(&found)?;
    let association = match ValidationSession::bind(session.as_ref(), &bind, now) {
        Ok(association) => association,
        Err(why) => {
            tx.roll_back().await?;
            return Ok(Bound::Refused(why));
        }
    };
    let address = &association.address_hash;
    let [_, peppers, _, waiting] = tx
        .run([share_peppers(), peppers::select(), lock_address(address), invitations::find_waiting(address)])
        .await?;
    let Some(keys) = wanted_keys(&bind.keys, &peppers::read(&peppers)?) else {
        tx.roll_back().await?;
        return Ok(Bound::PeppersChanged);
    };
    let owes = !waiting.rows.is_empty() && {
        let until = now.after(bind.on_bind.lifetime / 2);
        let [on_bind] = tx.run([outbox::hold_waiting_on_bind(&association, until)]).await?;
        on_bind.rows.is_empty()
    };
    let owed = owes.then(|| ValidationSession::notice(&bind.on_bind, MessageKind::OnBind, now));
    save(tx, &association, &keys, owed.as_ref()).await?;
    Ok(Bound::Done { association, queued: owed.is_some() })
}

/// Saves an association in place of the one that its address had, with its keys and the message that is owed.
async fn save(
    tx: Transaction,
    association: &Association,
    keys: &[PepperedKey],
    owed: Option<&(ValidationSession, OutboxMessage)>,
) -> Outcome<()> {
    let insert_keys = Query::new(
        "insert into lookup_keys (pepper, lookup_key, address_hash)
         select pepper, lookup_key, $3 from unnest($1::bigint[], $2::bytea[]) as n (pepper, lookup_key)",
    )
    .with(keys.iter().map(|key| key.pepper).collect::<Vec<_>>())
    .with(keys.iter().map(|key| key.key.as_bytes().as_slice()).collect::<Vec<_>>())
    .with(association.address_hash.as_bytes().as_slice());
    let delete_keys = Query::new("delete from lookup_keys where address_hash = $1")
        .with(association.address_hash.as_bytes().as_slice());
    let mut queries = vec![upsert(association), delete_keys, lock_lookup_keys(), insert_keys];
    if let Some((session, message)) = owed {
        queries.push(sessions::insert(vec![session]));
        queries.push(outbox::enqueue(std::slice::from_ref(message)));
    }
    let replies = tx.finish(queries).await?;
    replies[0].must_change("associations", 1)?;
    replies[3].must_change("lookup_keys", keys.len())
}

fn upsert(association: &Association) -> Query<'_> {
    Query::new(
        "insert into associations (address_hash, medium, sealed_address, user_id, bound_at)
         values ($1, $2, $3, $4, $5)
         on conflict (address_hash) do update set
            medium = excluded.medium, sealed_address = excluded.sealed_address, user_id = excluded.user_id,
            bound_at = excluded.bound_at",
    )
    .with(association.address_hash.as_bytes().as_slice())
    .with(association.medium.as_str())
    .with(association.sealed_address.as_bytes())
    .with(association.user_id.as_str())
    .with(association.bound_at.as_millis())
}

/// The keys by a statement of their own, which sees those that came while the first waited for the association.
async fn unbind(mut tx: Transaction, address: AddressHash, user_id: UserId) -> Outcome<bool> {
    let association = Query::new("delete from associations where address_hash = $1 and user_id = $2")
        .with(address.as_bytes().as_slice())
        .with(user_id.as_str());
    let [_, deleted] = tx.run([lock_address(&address), association]).await?;
    if deleted.changed() == 0 {
        tx.roll_back().await?;
        return Ok(false);
    }
    let keys =
        Query::new("delete from lookup_keys where address_hash = $1").with(address.as_bytes().as_slice());
    tx.finish(vec![keys]).await?;
    Ok(true)
}

/// What a lookup found. No row at all: the current pepper is another one.
fn read_found<T>(reply: &Reply, hash: impl Fn([u8; 32]) -> T) -> Outcome<Option<Vec<(T, UserId)>>> {
    if reply.rows.is_empty() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for row in &reply.rows {
        let mut columns = Columns::of("associations", row);
        if let Some(bytes) = columns.optional_bytes("address_hash")? {
            found.push((hash(bytes), columns.parse("user_id", parse_user_id)?));
        }
    }
    Ok(Some(found))
}

/// An association, from all columns.
pub(super) fn read(row: &Row) -> Outcome<Association> {
    let mut columns = Columns::of("associations", row);
    Ok(Association {
        address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
        medium: columns.parse("medium", Medium::parse)?,
        sealed_address: Sealed::from_bytes(columns.blob("sealed_address")?),
        user_id: columns.parse("user_id", parse_user_id)?,
        bound_at: columns.timestamp("bound_at")?,
    })
}

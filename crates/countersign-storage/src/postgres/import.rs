//! Taking over what another program kept: set by set.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::Hash,
    sync::Arc,
};

use async_trait::async_trait;
use countersign_core::{
    Account, AccountHome, AccountThreepid, AddressHash, Association, Imported, Invitation, Localpart,
    LookupPepper, PepperState, PepperedKey, TermsVersion, Timestamp, UserId, wanted_keys,
};

use super::{
    PostgresStorage, accounts, associations,
    connection::Transaction,
    failure::Outcome,
    locks::{lock_addresses, lock_lookup_keys, lock_peppers, share_peppers},
    parameter::Query,
    peppers,
    rows::{Columns, list},
    threepids,
};
use crate::{
    IdentityToken, ImportStore, ImportedAssociation, PepperImported, StorageError, import::NO_INVITATION,
};

#[async_trait]
impl ImportStore for PostgresStorage {
    async fn import_pepper(
        &self,
        pepper: LookupPepper,
        now: Timestamp,
    ) -> Result<PepperImported, StorageError> {
        self.write(move |tx| import_pepper(tx, pepper.clone(), now)).await
    }

    async fn import_associations(
        &self,
        associations: Vec<ImportedAssociation>,
    ) -> Result<Option<Vec<Imported>>, StorageError> {
        let associations: Arc<[_]> = associations.into();
        self.write(move |tx| import_associations(tx, Arc::clone(&associations))).await
    }

    async fn import_invitations(&self, invitations: Vec<Invitation>) -> Result<Vec<Imported>, StorageError> {
        let invitations: Arc<[_]> = invitations.into();
        self.write(move |tx| import_invitations(tx, Arc::clone(&invitations))).await
    }

    async fn import_ephemeral_keys(&self, public_keys: Vec<String>) -> Result<Vec<Imported>, StorageError> {
        let public_keys: Arc<[_]> = public_keys.into();
        self.write(move |tx| import_ephemeral_keys(tx, Arc::clone(&public_keys))).await
    }

    async fn import_identity_tokens(
        &self,
        tokens: Vec<IdentityToken>,
        now: Timestamp,
    ) -> Result<Vec<Imported>, StorageError> {
        let tokens: Arc<[_]> = tokens.into();
        self.write(move |tx| import_identity_tokens(tx, Arc::clone(&tokens), now)).await
    }

    async fn import_identity_terms(
        &self,
        accepted: Vec<(UserId, TermsVersion)>,
        now: Timestamp,
    ) -> Result<Vec<Imported>, StorageError> {
        let accepted: Arc<[_]> = accepted.into();
        self.write(move |tx| import_identity_terms(tx, Arc::clone(&accepted), now)).await
    }

    async fn import_threepids(
        &self,
        threepids: Vec<AccountThreepid>,
        home: AccountHome,
    ) -> Result<Vec<Imported>, StorageError> {
        let threepids: Arc<[_]> = threepids.into();
        self.write(move |tx| import_threepids(tx, Arc::clone(&threepids), home)).await
    }
}

async fn import_pepper(mut tx: Transaction, pepper: LookupPepper, now: Timestamp) -> Outcome<PepperImported> {
    let associated = Query::new("select 1 from associations limit 1");
    let [_, found, associated] = tx.run([lock_peppers(), peppers::select(), associated]).await?;
    let held = peppers::read(&found)?;
    let is_current = held.iter().any(|held| held.state == PepperState::Current && held.pepper == pepper);
    if is_current || !associated.rows.is_empty() {
        tx.roll_back().await?;
        return Ok(if is_current { PepperImported::AlreadyCurrent } else { PepperImported::InUse });
    }
    let retire = Query::new("update peppers set state = 'retired' where state <> 'retired'");
    let number = held.last().map_or(1, |last| last.number + 1);
    let insert = peppers::insert(number, &pepper, PepperState::Current, now);
    tx.finish(vec![retire, insert]).await?[1].must_change("peppers", 1)?;
    Ok(PepperImported::Taken)
}

/// Takes the locks of all addresses in one order, whatever order they come in.
async fn import_associations(
    mut tx: Transaction,
    imported: Arc<[ImportedAssociation]>,
) -> Outcome<Option<Vec<Imported>>> {
    let [_, found] = tx.run([share_peppers(), peppers::select()]).await?;
    let held = peppers::read(&found)?;
    let keys = imported.iter().map(|imported| wanted_keys(&imported.keys, &held)).collect::<Option<Vec<_>>>();
    let Some(keys) = keys else {
        tx.roll_back().await?;
        return Ok(None);
    };
    let addresses: Vec<_> = imported.iter().map(|imported| imported.association.address_hash).collect();
    let hashes = addresses.iter().map(|address| address.as_bytes().as_slice()).collect();
    let select = Query::new(
        "select address_hash, medium, sealed_address, user_id, bound_at
         from associations where address_hash = any($1)",
    );
    let [_, found] = tx.run([lock_addresses(&addresses), select.with::<Vec<&[u8]>>(hashes)]).await?;
    let existing = list(&found.rows, associations::read)?;
    let mut here: HashMap<_, _> =
        existing.into_iter().map(|association| (association.address_hash, association)).collect();
    let mut kept = BTreeMap::new();
    let mut outcomes = Vec::new();
    for (ImportedAssociation { association, .. }, keys) in imported.iter().zip(keys) {
        let (outcome, keep) = association.import(here.get(&association.address_hash));
        if let Some(keep) = keep {
            here.insert(keep.address_hash, keep.clone());
            kept.insert(keep.address_hash, (keep, keys));
        }
        outcomes.push(outcome);
    }
    save_associations(tx, kept.into_values().collect()).await?;
    Ok(Some(outcomes))
}

async fn save_associations(tx: Transaction, kept: Vec<(Association, Vec<PepperedKey>)>) -> Outcome<()> {
    if kept.is_empty() {
        return tx.roll_back().await;
    }
    let column =
        |read: fn(&Association) -> &[u8]| kept.iter().map(|(kept, _)| read(kept)).collect::<Vec<_>>();
    let hashes = column(|kept| kept.address_hash.as_bytes());
    let upsert = Query::new(
        "insert into associations (address_hash, medium, sealed_address, user_id, bound_at)
         select * from unnest($1::bytea[], $2::text[], $3::bytea[], $4::text[], $5::bigint[])
         on conflict (address_hash) do update set
            medium = excluded.medium, sealed_address = excluded.sealed_address, user_id = excluded.user_id,
            bound_at = excluded.bound_at",
    )
    .with(hashes.clone())
    .with(kept.iter().map(|(kept, _)| kept.medium.as_str()).collect::<Vec<_>>())
    .with(column(|kept| kept.sealed_address.as_bytes()))
    .with(kept.iter().map(|(kept, _)| kept.user_id.as_str()).collect::<Vec<_>>())
    .with(kept.iter().map(|(kept, _)| kept.bound_at.as_millis()).collect::<Vec<_>>());
    let delete_keys = Query::new("delete from lookup_keys where address_hash = any($1)").with(hashes);
    let keys: Vec<_> = kept.iter().flat_map(|(kept, keys)| keys.iter().map(move |key| (kept, key))).collect();
    let insert_keys = Query::new(
        "insert into lookup_keys (pepper, lookup_key, address_hash)
         select * from unnest($1::bigint[], $2::bytea[], $3::bytea[])",
    )
    .with(keys.iter().map(|(_, key)| key.pepper).collect::<Vec<_>>())
    .with(keys.iter().map(|(_, key)| key.key.as_bytes().as_slice()).collect::<Vec<_>>())
    .with(keys.iter().map(|(kept, _)| kept.address_hash.as_bytes().as_slice()).collect::<Vec<_>>());
    let count = keys.len();
    let replies = tx.finish(vec![upsert, delete_keys, lock_lookup_keys(), insert_keys]).await?;
    replies[0].must_change("associations", kept.len())?;
    replies[3].must_change("lookup_keys", count)
}

async fn import_invitations(tx: Transaction, invitations: Arc<[Invitation]>) -> Outcome<Vec<Imported>> {
    let bytes = |read: fn(&Invitation) -> &[u8]| invitations.iter().map(read).collect::<Vec<_>>();
    let insert = Query::new(
        "insert into invitations
            (token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at)
         select * from unnest(
            $1::bytea[], $2::bytea[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bigint[])
            as n (token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at)
         order by token_hash on conflict (token_hash) do nothing returning token_hash",
    )
    .with(bytes(|invitation| invitation.token_hash.as_bytes()))
    .with(bytes(|invitation| invitation.address_hash.as_bytes()))
    .with(invitations.iter().map(|invitation| invitation.sender.as_str()).collect::<Vec<_>>())
    .with(bytes(|invitation| invitation.sealed_details.as_bytes()))
    .with(bytes(|invitation| invitation.sid.as_bytes()))
    .with(invitations.iter().map(|invitation| invitation.created_at.as_millis()).collect::<Vec<_>>())
    .with(
        invitations
            .iter()
            .map(|invitation| invitation.handed_over_at.map(Timestamp::as_millis))
            .collect::<Vec<_>>(),
    );
    let inserted = insert_new(tx, insert, |row| Columns::of("invitations", row).bytes("token_hash")).await?;
    Ok(outcomes(invitations.iter().map(|invitation| *invitation.token_hash.as_bytes()), inserted))
}

async fn import_ephemeral_keys(tx: Transaction, public_keys: Arc<[String]>) -> Outcome<Vec<Imported>> {
    let insert = Query::new(
        "insert into ephemeral_keys (public_key, token_hash)
         select public_key, $2 from unnest($1::text[]) as n (public_key)
         order by public_key on conflict (public_key) do nothing returning public_key",
    )
    .with(public_keys.iter().map(String::as_str).collect::<Vec<_>>())
    .with(NO_INVITATION.as_slice());
    let read = |row: &_| Columns::of("ephemeral_keys", row).parse("public_key", |key| Some(key.to_owned()));
    let inserted = insert_new(tx, insert, read).await?;
    Ok(outcomes(public_keys.iter().cloned(), inserted))
}

async fn import_identity_tokens(
    tx: Transaction,
    tokens: Arc<[IdentityToken]>,
    now: Timestamp,
) -> Outcome<Vec<Imported>> {
    let insert = Query::new(
        "insert into identity_accounts (token_hash, user_id, created_at, used_at)
         select token_hash, user_id, created_at, $4
         from unnest($1::bytea[], $2::text[], $3::bigint[]) as n (token_hash, user_id, created_at)
         order by token_hash on conflict (token_hash) do nothing returning token_hash",
    )
    .with(tokens.iter().map(|token| token.token.as_bytes().as_slice()).collect::<Vec<_>>())
    .with(tokens.iter().map(|token| token.user_id.as_str()).collect::<Vec<_>>())
    .with(tokens.iter().map(|token| token.created_at.as_millis()).collect::<Vec<_>>())
    .with(now.as_millis());
    let read = |row: &_| Columns::of("identity_accounts", row).bytes("token_hash");
    let inserted = insert_new(tx, insert, read).await?;
    Ok(outcomes(tokens.iter().map(|token| *token.token.as_bytes()), inserted))
}

async fn import_identity_terms(
    tx: Transaction,
    accepted: Arc<[(UserId, TermsVersion)]>,
    now: Timestamp,
) -> Outcome<Vec<Imported>> {
    let insert = Query::new(
        "insert into identity_terms_acceptances (user_id, policy, version, accepted_at)
         select user_id, policy, version, $4 from unnest($1::text[], $2::text[], $3::text[])
            as n (user_id, policy, version)
         order by user_id, policy, version on conflict (user_id, policy, version) do nothing returning user_id, policy, version",
    )
    .with(accepted.iter().map(|(user_id, _)| user_id.as_str()).collect::<Vec<_>>())
    .with(accepted.iter().map(|(_, terms)| terms.policy()).collect::<Vec<_>>())
    .with(accepted.iter().map(|(_, terms)| terms.version()).collect::<Vec<_>>())
    .with(now.as_millis());
    let read = |row: &_| {
        let mut columns = Columns::of("identity_terms_acceptances", row);
        let mut text = |column| columns.parse(column, |text| Some(text.to_owned()));
        Ok([text("user_id")?, text("policy")?, text("version")?])
    };
    let inserted = insert_new(tx, insert, read).await?;
    let keys = accepted
        .iter()
        .map(|(user_id, terms)| [user_id.as_str(), terms.policy(), terms.version()].map(str::to_owned));
    Ok(outcomes(keys, inserted))
}

async fn import_threepids(
    mut tx: Transaction,
    threepids: Arc<[AccountThreepid]>,
    home: AccountHome,
) -> Outcome<Vec<Imported>> {
    let accounts = match home {
        AccountHome::Here => share_accounts(&mut tx, &threepids).await?,
        AccountHome::Elsewhere => HashMap::new(),
    };
    let addresses = threepids.iter().map(|threepid| threepid.address_hash.as_bytes().as_slice()).collect();
    let [found] = tx.run([threepids::list_owners(addresses)]).await?;
    let mut owners: HashMap<AddressHash, Localpart> = list(&found.rows, threepids::read_owner)?
        .into_iter()
        .map(|(address, owner)| (address, owner.localpart))
        .collect();
    let mut taken = BTreeMap::new();
    let mut outcomes = Vec::new();
    for threepid in &*threepids {
        let account = accounts.get(threepid.localpart.as_str());
        let outcome = threepid.import(owners.get(&threepid.address_hash), home, account);
        if outcome == Imported::Taken {
            owners.insert(threepid.address_hash, threepid.localpart.clone());
            taken.insert(threepid.address_hash, threepid);
        }
        outcomes.push(outcome);
    }
    if taken.is_empty() {
        tx.roll_back().await?;
        return Ok(outcomes);
    }
    let inserted = insert_threepids(tx, taken.into_values().collect()).await?;
    // Whoever put the address on another account meanwhile came first.
    for (threepid, outcome) in threepids.iter().zip(&mut outcomes) {
        if *outcome == Imported::Taken && !inserted.contains(threepid.address_hash.as_bytes()) {
            *outcome = Imported::OtherUser;
        }
    }
    Ok(outcomes)
}

/// Keeps the accounts from being given up until the end of the transaction.
async fn share_accounts(
    tx: &mut Transaction,
    threepids: &[AccountThreepid],
) -> Outcome<HashMap<String, Account>> {
    let names: BTreeSet<_> = threepids.iter().map(|threepid| threepid.localpart.as_str()).collect();
    let select = Query::new(
        "select localpart, password_hash, created_at, deactivated_at from accounts
         where localpart = any($1) order by localpart for share",
    )
    .with(names.into_iter().collect::<Vec<_>>());
    let [found] = tx.run([select]).await?;
    let accounts = list(&found.rows, accounts::read)?;
    Ok(accounts.into_iter().map(|account| (account.localpart.as_str().to_owned(), account)).collect())
}

/// They are listed in the order in which they came to their accounts, before those that come from now on.
async fn insert_threepids(tx: Transaction, taken: Vec<&AccountThreepid>) -> Outcome<HashSet<[u8; 32]>> {
    let insert = Query::new(
        "insert into account_threepids
            (localpart, medium, address_hash, sealed_address, validated_at, added_at, came_at)
         select *, added_at * 1000
         from unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[])
            as n (localpart, medium, address_hash, sealed_address, validated_at, added_at)
         on conflict (address_hash) do nothing returning address_hash",
    )
    .with(taken.iter().map(|threepid| threepid.localpart.as_str()).collect::<Vec<_>>())
    .with(taken.iter().map(|threepid| threepid.medium.as_str()).collect::<Vec<_>>())
    .with(taken.iter().map(|threepid| threepid.address_hash.as_bytes().as_slice()).collect::<Vec<_>>())
    .with(taken.iter().map(|threepid| threepid.sealed_address.as_bytes()).collect::<Vec<_>>())
    .with(taken.iter().map(|threepid| threepid.validated_at.as_millis()).collect::<Vec<_>>())
    .with(taken.iter().map(|threepid| threepid.added_at.as_millis()).collect::<Vec<_>>());
    insert_new(tx, insert, |row| Columns::of("account_threepids", row).bytes("address_hash")).await
}

/// Runs an insert that does nothing where there is a row, in the order of its key, so that two at once wait for each other at
/// most, and answers the keys of the new ones.
async fn insert_new<K: Eq + Hash>(
    tx: Transaction,
    insert: Query<'_>,
    read: impl FnMut(&tokio_postgres::Row) -> Outcome<K>,
) -> Outcome<HashSet<K>> {
    let replies = tx.finish(vec![insert]).await?;
    Ok(list(&replies[0].rows, read)?.into_iter().collect())
}

/// What became of each of a batch. Of two with one key the first came.
fn outcomes<K: Eq + Hash>(keys: impl Iterator<Item = K>, mut inserted: HashSet<K>) -> Vec<Imported> {
    let outcome = |key| if inserted.remove(&key) { Imported::Taken } else { Imported::AlreadyThere };
    keys.map(outcome).collect()
}

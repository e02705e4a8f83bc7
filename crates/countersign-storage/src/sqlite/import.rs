//! Taking over what another program kept.

use async_trait::async_trait;
use countersign_core::{
    AccountHome, AccountThreepid, Imported, Invitation, LookupPepper, PepperState, TermsVersion, Timestamp,
    UserId, wanted_keys,
};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage, accounts, associations,
    failure::Outcome,
    peppers,
    rows::{change, find},
    threepids,
};
use crate::{
    IdentityToken, ImportStore, ImportedAssociation, PepperImported, StorageError, import::NO_INVITATION,
};

#[async_trait]
impl ImportStore for SqliteStorage {
    async fn import_pepper(
        &self,
        pepper: LookupPepper,
        now: Timestamp,
    ) -> Result<PepperImported, StorageError> {
        self.write(move |tx| import_pepper(tx, &pepper, now)).await
    }

    async fn import_associations(
        &self,
        associations: Vec<ImportedAssociation>,
    ) -> Result<Option<Vec<Imported>>, StorageError> {
        self.write(move |tx| import_associations(tx, &associations)).await
    }

    async fn import_invitations(&self, invitations: Vec<Invitation>) -> Result<Vec<Imported>, StorageError> {
        self.write(move |tx| invitations.iter().map(|invitation| import_invitation(tx, invitation)).collect())
            .await
    }

    async fn import_ephemeral_keys(&self, public_keys: Vec<String>) -> Result<Vec<Imported>, StorageError> {
        self.write(move |tx| {
            let insert = "insert into ephemeral_keys (public_key, token_hash) values (?1, ?2)
                on conflict (public_key) do nothing";
            let import = |key: &String| Ok(outcome(change(tx, insert, params![key, NO_INVITATION])?));
            public_keys.iter().map(import).collect()
        })
        .await
    }

    async fn import_identity_tokens(
        &self,
        tokens: Vec<IdentityToken>,
        now: Timestamp,
    ) -> Result<Vec<Imported>, StorageError> {
        self.write(move |tx| {
            let insert = "insert into identity_accounts (token_hash, user_id, created_at, used_at)
                values (?1, ?2, ?3, ?4) on conflict (token_hash) do nothing";
            let import = |token: &IdentityToken| {
                let (hash, created_at) = (token.token.as_bytes(), token.created_at.as_millis());
                let user_id = token.user_id.as_str();
                Ok(outcome(change(tx, insert, params![hash, user_id, created_at, now.as_millis()])?))
            };
            tokens.iter().map(import).collect()
        })
        .await
    }

    async fn import_identity_terms(
        &self,
        accepted: Vec<(UserId, TermsVersion)>,
        now: Timestamp,
    ) -> Result<Vec<Imported>, StorageError> {
        self.write(move |tx| {
            let insert = "insert into identity_terms_acceptances (user_id, policy, version, accepted_at)
                values (?1, ?2, ?3, ?4) on conflict (user_id, policy, version) do nothing";
            let import = |(user_id, terms): &(UserId, TermsVersion)| {
                let parameters = params![user_id.as_str(), terms.policy(), terms.version(), now.as_millis()];
                Ok(outcome(change(tx, insert, parameters)?))
            };
            accepted.iter().map(import).collect()
        })
        .await
    }

    async fn import_threepids(
        &self,
        threepids: Vec<AccountThreepid>,
        home: AccountHome,
    ) -> Result<Vec<Imported>, StorageError> {
        self.write(move |tx| threepids.iter().map(|threepid| import_threepid(tx, threepid, home)).collect())
            .await
    }
}

/// What an insert that changed so many rows comes to, if it does nothing where there is a row.
fn outcome(changed: usize) -> Imported {
    if changed == 0 { Imported::AlreadyThere } else { Imported::Taken }
}

fn import_pepper(tx: &Connection, pepper: &LookupPepper, now: Timestamp) -> Outcome<PepperImported> {
    let held = peppers::load(tx)?;
    let current = held.iter().find(|held| held.state == PepperState::Current);
    if current.is_some_and(|current| current.pepper == *pepper) {
        return Ok(PepperImported::AlreadyCurrent);
    }
    let statement = tx.prepare_cached("select 1 from associations limit 1")?;
    if find(statement, [], |_| Ok(()))?.is_some() {
        return Ok(PepperImported::InUse);
    }
    for held in held.iter().filter(|held| held.state.wants_keys()) {
        peppers::save_state(tx, held.number, PepperState::Retired)?;
    }
    peppers::find_or_add(tx, pepper, PepperState::Current, now)?;
    Ok(PepperImported::Taken)
}

fn import_associations(
    tx: &Connection,
    associations: &[ImportedAssociation],
) -> Outcome<Option<Vec<Imported>>> {
    let peppers = peppers::load(tx)?;
    let mut outcomes = Vec::new();
    let mut keys = Vec::new();
    for imported in associations {
        let Some(wanted) = wanted_keys(&imported.keys, &peppers) else { return Ok(None) };
        keys.push(wanted);
    }
    for (ImportedAssociation { association, .. }, keys) in associations.iter().zip(keys) {
        let existing = associations::load(tx, association.address_hash)?;
        let (outcome, kept) = association.import(existing.as_ref());
        if let Some(kept) = kept {
            associations::save(tx, &kept, &keys)?;
        }
        outcomes.push(outcome);
    }
    Ok(Some(outcomes))
}

fn import_invitation(tx: &Connection, invitation: &Invitation) -> Outcome<Imported> {
    let changed = change(
        tx,
        "insert into invitations (token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (token_hash) do nothing",
        params![
            invitation.token_hash.as_bytes(),
            invitation.address_hash.as_bytes(),
            invitation.sender.as_str(),
            invitation.sealed_details.as_bytes(),
            invitation.sid.as_bytes(),
            invitation.created_at.as_millis(),
            invitation.handed_over_at.map(Timestamp::as_millis),
        ],
    )?;
    Ok(outcome(changed))
}

fn import_threepid(tx: &Connection, threepid: &AccountThreepid, home: AccountHome) -> Outcome<Imported> {
    let owner = threepids::find_owner(tx, threepid.address_hash)?;
    let account = match home {
        AccountHome::Here => accounts::load(tx, &threepid.localpart)?,
        AccountHome::Elsewhere => None,
    };
    let owner = owner.map(|owner| owner.localpart);
    let outcome = threepid.import(owner.as_ref(), home, account.as_ref());
    if outcome == Imported::Taken {
        threepids::insert(tx, threepid)?;
    }
    Ok(outcome)
}

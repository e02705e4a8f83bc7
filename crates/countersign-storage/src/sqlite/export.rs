//! Reading everything, batch by batch.

use async_trait::async_trait;
use countersign_core::{
    Account, AccountThreepid, AddressHash, Device, DeviceId, IdentityTokenHash, Invitation,
    InvitationTokenHash, Localpart, Medium, RecordedBind, Sealed, TermsVersion, UserId,
};
use rusqlite::{Row, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    invitations, recorded_binds,
    rows::{Columns, list},
};
use crate::{
    AcceptedTerms, ExportStore, IdentityToken, StorageError,
    accounts::parse_localpart,
    export::{behind_terms, limit_of},
    sessions::parse_user_id,
};

#[async_trait]
impl ExportStore for SqliteStorage {
    async fn export_accounts(
        &self,
        after: Option<Localpart>,
        limit: usize,
    ) -> Result<Vec<Account>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select localpart, password_hash, created_at, deactivated_at
                 from accounts where ?1 < localpart order by localpart limit ?2",
            )?;
            let after = after.as_ref().map_or("", Localpart::as_str);
            list(statement, params![after, limit_of(limit)], read_account)
        })
        .await
    }

    async fn export_devices(
        &self,
        after: Option<(Localpart, DeviceId)>,
        limit: usize,
    ) -> Result<Vec<Device>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select localpart, device_id, display_name, created_at from devices
                 where (?1, ?2) < (localpart, device_id) order by localpart, device_id limit ?3",
            )?;
            let (localpart, device_id) = after
                .as_ref()
                .map_or(("", ""), |(localpart, device_id)| (localpart.as_str(), device_id.as_str()));
            list(statement, params![localpart, device_id, limit_of(limit)], read_device)
        })
        .await
    }

    async fn export_threepids(
        &self,
        after: Option<AddressHash>,
        limit: usize,
    ) -> Result<Vec<AccountThreepid>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select localpart, medium, address_hash, sealed_address, validated_at, added_at
                 from account_threepids where ?1 < address_hash order by address_hash limit ?2",
            )?;
            let after = after.as_ref().map_or(&[][..], |hash| hash.as_bytes());
            list(statement, params![after, limit_of(limit)], read_threepid)
        })
        .await
    }

    async fn export_terms(
        &self,
        after: Option<(Localpart, TermsVersion)>,
        limit: usize,
    ) -> Result<Vec<AcceptedTerms<Localpart>>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select localpart, policy, version, accepted_at from terms_acceptances
                 where (?1, ?2, ?3) < (localpart, policy, version)
                 order by localpart, policy, version limit ?4",
            )?;
            let after = after.as_ref().map(|(localpart, terms)| (localpart.as_str(), terms));
            let (localpart, policy, version) = behind_terms(after);
            list(statement, params![localpart, policy, version, limit_of(limit)], |row| {
                let mut columns = Columns::of("terms_acceptances", row);
                let user = columns.parse("localpart", parse_localpart)?;
                read_accepted(columns, user)
            })
        })
        .await
    }

    async fn export_identity_tokens(
        &self,
        after: Option<IdentityTokenHash>,
        limit: usize,
    ) -> Result<Vec<IdentityToken>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select token_hash, user_id, created_at from identity_accounts
                 where ?1 < token_hash order by token_hash limit ?2",
            )?;
            let after = after.as_ref().map_or(&[][..], |hash| hash.as_bytes());
            list(statement, params![after, limit_of(limit)], |row| {
                let mut columns = Columns::of("identity_accounts", row);
                Ok(IdentityToken {
                    token: IdentityTokenHash::from_bytes(columns.bytes("token_hash")?),
                    user_id: columns.parse("user_id", parse_user_id)?,
                    created_at: columns.timestamp("created_at")?,
                })
            })
        })
        .await
    }

    async fn export_identity_terms(
        &self,
        after: Option<(UserId, TermsVersion)>,
        limit: usize,
    ) -> Result<Vec<AcceptedTerms<UserId>>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select user_id, policy, version, accepted_at from identity_terms_acceptances
                 where (?1, ?2, ?3) < (user_id, policy, version)
                 order by user_id, policy, version limit ?4",
            )?;
            let after = after.as_ref().map(|(user_id, terms)| (user_id.as_str(), terms));
            let (user_id, policy, version) = behind_terms(after);
            list(statement, params![user_id, policy, version, limit_of(limit)], |row| {
                let mut columns = Columns::of("identity_terms_acceptances", row);
                let user = columns.parse("user_id", parse_user_id)?;
                read_accepted(columns, user)
            })
        })
        .await
    }

    async fn export_invitations(
        &self,
        after: Option<InvitationTokenHash>,
        limit: usize,
    ) -> Result<Vec<Invitation>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at
                 from invitations where ?1 < token_hash order by token_hash limit ?2",
            )?;
            let after = after.as_ref().map_or(&[][..], |hash| hash.as_bytes());
            list(statement, params![after, limit_of(limit)], invitations::read)
        })
        .await
    }

    async fn export_recorded_binds(
        &self,
        after: Option<(Localpart, AddressHash, String)>,
        limit: usize,
    ) -> Result<Vec<RecordedBind>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select localpart, medium, address_hash, sealed_address, id_server, bound_at from recorded_binds
                 where (?1, ?2, ?3) < (localpart, address_hash, id_server)
                 order by localpart, address_hash, id_server limit ?4",
            )?;
            let (localpart, hash, id_server) = match &after {
                Some((localpart, hash, id_server)) => {
                    (localpart.as_str(), &hash.as_bytes()[..], id_server.as_str())
                }
                None => ("", &[][..], ""),
            };
            list(statement, params![localpart, hash, id_server, limit_of(limit)], recorded_binds::read)
        })
        .await
    }
}

fn read_account(row: &Row<'_>) -> Outcome<Account> {
    let mut columns = Columns::of("accounts", row);
    Ok(Account {
        localpart: columns.parse("localpart", parse_localpart)?,
        password_hash: columns.parse_optional("password_hash", |hash| Some(hash.to_owned()))?,
        created_at: columns.timestamp("created_at")?,
        deactivated_at: columns.optional_timestamp("deactivated_at")?,
    })
}

fn read_device(row: &Row<'_>) -> Outcome<Device> {
    let mut columns = Columns::of("devices", row);
    Ok(Device {
        localpart: columns.parse("localpart", parse_localpart)?,
        device_id: columns.parse("device_id", |text| DeviceId::parse(text).ok())?,
        display_name: columns.parse_optional("display_name", |text| Some(text.to_owned()))?,
        created_at: columns.timestamp("created_at")?,
    })
}

fn read_threepid(row: &Row<'_>) -> Outcome<AccountThreepid> {
    let mut columns = Columns::of("account_threepids", row);
    Ok(AccountThreepid {
        localpart: columns.parse("localpart", parse_localpart)?,
        medium: columns.parse("medium", Medium::parse)?,
        address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
        sealed_address: Sealed::from_bytes(columns.blob("sealed_address")?),
        validated_at: columns.timestamp("validated_at")?,
        added_at: columns.timestamp("added_at")?,
    })
}

/// Whose it is was read already.
fn read_accepted<U>(mut columns: Columns<'_>, user: U) -> Outcome<AcceptedTerms<U>> {
    let policy: String = columns.parse("policy", |text| Some(text.to_owned()))?;
    let version = columns.parse("version", |version| TermsVersion::parse(&policy, version).ok())?;
    Ok(AcceptedTerms { user, version, accepted_at: columns.timestamp("accepted_at")? })
}

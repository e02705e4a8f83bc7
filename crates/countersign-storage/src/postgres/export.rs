//! Reading everything, batch by batch.

use async_trait::async_trait;
use countersign_core::{
    Account, AccountThreepid, AddressHash, Device, DeviceId, IdentityTokenHash, Invitation,
    InvitationTokenHash, Localpart, Medium, RecordedBind, Sealed, TermsVersion, UserId,
};
use tokio_postgres::Row;

use super::{
    PostgresStorage, accounts,
    failure::Outcome,
    invitations,
    parameter::Query,
    recorded_binds,
    rows::{Columns, list},
};
use crate::{
    AcceptedTerms, ExportStore, IdentityToken, StorageError,
    accounts::parse_localpart,
    export::{behind_terms, limit_of},
    sessions::parse_user_id,
};

impl PostgresStorage {
    async fn list<T>(
        &self,
        select: Query<'_>,
        read: impl Fn(&Row) -> Outcome<T>,
    ) -> Result<Vec<T>, StorageError> {
        let [found] = self.connect().await?.run([select]).await?;
        Ok(list(&found.rows, read)?)
    }
}

#[async_trait]
impl ExportStore for PostgresStorage {
    async fn export_accounts(
        &self,
        after: Option<Localpart>,
        limit: usize,
    ) -> Result<Vec<Account>, StorageError> {
        let select = Query::new(
            "select localpart, password_hash, created_at, deactivated_at
             from accounts where $1 < localpart order by localpart limit $2",
        )
        .with(after.as_ref().map_or("", Localpart::as_str))
        .with(limit_of(limit));
        self.list(select, accounts::read).await
    }

    async fn export_devices(
        &self,
        after: Option<(Localpart, DeviceId)>,
        limit: usize,
    ) -> Result<Vec<Device>, StorageError> {
        let select = Query::new(
            "select localpart, device_id, display_name, created_at from devices
             where ($1, $2) < (localpart, device_id) order by localpart, device_id limit $3",
        )
        .with(after.as_ref().map_or("", |(localpart, _)| localpart.as_str()))
        .with(after.as_ref().map_or("", |(_, device_id)| device_id.as_str()))
        .with(limit_of(limit));
        self.list(select, read_device).await
    }

    async fn export_threepids(
        &self,
        after: Option<AddressHash>,
        limit: usize,
    ) -> Result<Vec<AccountThreepid>, StorageError> {
        let select = Query::new(
            "select localpart, medium, address_hash, sealed_address, validated_at, added_at
             from account_threepids where $1 < address_hash order by address_hash limit $2",
        )
        .with(after.as_ref().map_or(&[][..], |hash| hash.as_bytes()))
        .with(limit_of(limit));
        self.list(select, read_threepid).await
    }

    async fn export_terms(
        &self,
        after: Option<(Localpart, TermsVersion)>,
        limit: usize,
    ) -> Result<Vec<AcceptedTerms<Localpart>>, StorageError> {
        let after = after.as_ref().map(|(localpart, terms)| (localpart.as_str(), terms));
        let (localpart, policy, version) = behind_terms(after);
        let select = Query::new(
            "select localpart, policy, version, accepted_at from terms_acceptances
             where ($1, $2, $3) < (localpart, policy, version)
             order by localpart, policy, version limit $4",
        )
        .with(localpart)
        .with(policy)
        .with(version)
        .with(limit_of(limit));
        let read = |row: &Row| {
            let mut columns = Columns::of("terms_acceptances", row);
            let user = columns.parse("localpart", parse_localpart)?;
            read_accepted(columns, user)
        };
        self.list(select, read).await
    }

    async fn export_identity_tokens(
        &self,
        after: Option<IdentityTokenHash>,
        limit: usize,
    ) -> Result<Vec<IdentityToken>, StorageError> {
        let select = Query::new(
            "select token_hash, user_id, created_at from identity_accounts
             where $1 < token_hash order by token_hash limit $2",
        )
        .with(after.as_ref().map_or(&[][..], |hash| hash.as_bytes()))
        .with(limit_of(limit));
        let read = |row: &Row| {
            let mut columns = Columns::of("identity_accounts", row);
            Ok(IdentityToken {
                token: IdentityTokenHash::from_bytes(columns.bytes("token_hash")?),
                user_id: columns.parse("user_id", parse_user_id)?,
                created_at: columns.timestamp("created_at")?,
            })
        };
        self.list(select, read).await
    }

    async fn export_identity_terms(
        &self,
        after: Option<(UserId, TermsVersion)>,
        limit: usize,
    ) -> Result<Vec<AcceptedTerms<UserId>>, StorageError> {
        let after = after.as_ref().map(|(user_id, terms)| (user_id.as_str(), terms));
        let (user_id, policy, version) = behind_terms(after);
        let select = Query::new(
            "select user_id, policy, version, accepted_at from identity_terms_acceptances
             where ($1, $2, $3) < (user_id, policy, version) order by user_id, policy, version limit $4",
        )
        .with(user_id)
        .with(policy)
        .with(version)
        .with(limit_of(limit));
        let read = |row: &Row| {
            let mut columns = Columns::of("identity_terms_acceptances", row);
            let user = columns.parse("user_id", parse_user_id)?;
            read_accepted(columns, user)
        };
        self.list(select, read).await
    }

    async fn export_invitations(
        &self,
        after: Option<InvitationTokenHash>,
        limit: usize,
    ) -> Result<Vec<Invitation>, StorageError> {
        let select = Query::new(
            "select token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at
             from invitations where $1 < token_hash order by token_hash limit $2",
        )
        .with(after.as_ref().map_or(&[][..], |hash| hash.as_bytes()))
        .with(limit_of(limit));
        self.list(select, invitations::read).await
    }

    async fn export_recorded_binds(
        &self,
        after: Option<(Localpart, AddressHash, String)>,
        limit: usize,
    ) -> Result<Vec<RecordedBind>, StorageError> {
        let select = Query::new(
            "select localpart, medium, address_hash, sealed_address, id_server, bound_at from recorded_binds
             where ($1, $2, $3) < (localpart, address_hash, id_server)
             order by localpart, address_hash, id_server limit $4",
        )
        .with(after.as_ref().map_or("", |(localpart, _, _)| localpart.as_str()))
        .with(after.as_ref().map_or(&[][..], |(_, hash, _)| hash.as_bytes()))
        .with(after.as_ref().map_or("", |(_, _, id_server)| id_server.as_str()))
        .with(limit_of(limit));
        self.list(select, recorded_binds::read).await
    }
}

fn read_device(row: &Row) -> Outcome<Device> {
    let mut columns = Columns::of("devices", row);
    Ok(Device {
        localpart: columns.parse("localpart", parse_localpart)?,
        device_id: columns.parse("device_id", |text| DeviceId::parse(text).ok())?,
        display_name: columns.parse_optional("display_name", |text| Some(text.to_owned()))?,
        created_at: columns.timestamp("created_at")?,
    })
}

fn read_threepid(row: &Row) -> Outcome<AccountThreepid> {
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

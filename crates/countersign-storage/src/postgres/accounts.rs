//! Accounts of the node, their devices and access tokens.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{Account, Device, DeviceId, Localpart, NewLogin, TermsVersion, Timestamp, UiaSession};

use super::{
    PostgresStorage,
    connection::Transaction,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first, list},
    uia,
};
use crate::{
    AccountStore, Deactivated, Deactivation, PasswordChange, PasswordChanged, Registered, Registration,
    StorageError,
};

#[async_trait]
impl AccountStore for PostgresStorage {
    async fn register(
        &self,
        registration: Registration,
        _now: Timestamp,
    ) -> Result<Registered, StorageError> {
        let registration = Arc::new(registration);
        self.write(move |tx| register(tx, Arc::clone(&registration))).await
    }

    async fn find_account(&self, localpart: &Localpart) -> Result<Option<Account>, StorageError> {
        let select =
            Query::new("select password_hash, created_at, deactivated_at from accounts where localpart = $1")
                .with(localpart.as_str());
        let [found] = self.connect().await?.run([select]).await?;
        let account = first(&found.rows, |row| {
            let mut columns = Columns::of("accounts", row);
            Ok(Account {
                localpart: localpart.clone(),
                password_hash: columns.parse_optional("password_hash", |hash| Some(hash.to_owned()))?,
                created_at: columns.timestamp("created_at")?,
                deactivated_at: columns.optional_timestamp("deactivated_at")?,
            })
        });
        Ok(account?)
    }

    async fn log_in(&self, login: NewLogin, _password_hash: Option<&str>) -> Result<bool, StorageError> {
        let login = Arc::new(login);
        self.write(move |tx| log_in(tx, Arc::clone(&login))).await?;
        Ok(true)
    }

    async fn log_out(&self, localpart: &Localpart, device_id: &DeviceId) -> Result<(), StorageError> {
        let device = Arc::new((localpart.clone(), device_id.clone()));
        self.write(move |tx| log_out(tx, Arc::clone(&device))).await
    }

    async fn log_out_all(&self, localpart: &Localpart) -> Result<(), StorageError> {
        let localpart = localpart.clone();
        self.write(move |tx| log_out_all(tx, localpart.clone())).await
    }

    async fn list_devices(&self, localpart: &Localpart) -> Result<Vec<Device>, StorageError> {
        let select = Query::new(
            "select device_id, display_name, created_at from devices where localpart = $1
             order by created_at, came_at, device_id",
        )
        .with(localpart.as_str());
        let [found] = self.connect().await?.run([select]).await?;
        let devices = list(&found.rows, |row| {
            let mut columns = Columns::of("devices", row);
            Ok(Device {
                localpart: localpart.clone(),
                device_id: columns.parse("device_id", |id| DeviceId::parse(id).ok())?,
                display_name: columns.parse_optional("display_name", |name| Some(name.to_owned()))?,
                created_at: columns.timestamp("created_at")?,
            })
        });
        Ok(devices?)
    }

    async fn change_password(
        &self,
        _change: PasswordChange,
        _now: Timestamp,
    ) -> Result<PasswordChanged, StorageError> {
        Err(StorageError::Closed)
    }

    async fn deactivate(
        &self,
        _deactivation: Deactivation,
        _now: Timestamp,
    ) -> Result<Deactivated, StorageError> {
        Err(StorageError::Closed)
    }

    async fn list_accepted_terms(&self, _localpart: &Localpart) -> Result<Vec<TermsVersion>, StorageError> {
        Err(StorageError::Closed)
    }
}

async fn register(mut tx: Transaction, registration: Arc<Registration>) -> Outcome<Registered> {
    if let Some(id) = registration.uia_session {
        let refused = match uia::load_and_lock(&mut tx, id).await? {
            None => Some(Registered::SessionGone),
            Some(UiaSession { registered: Some(localpart), .. }) => Some(Registered::Repeated(localpart)),
            Some(UiaSession { registered: None, .. }) => None,
        };
        if let Some(refused) = refused {
            tx.roll_back().await?;
            return Ok(refused);
        }
    }
    let account = &registration.account;
    let insert = Query::new(
        "insert into accounts (localpart, password_hash, created_at) values ($1, $2, $3)
         on conflict (localpart) do nothing",
    )
    .with(account.localpart.as_str())
    .with(account.password_hash.as_deref())
    .with(account.created_at.as_millis());
    let [inserted] = tx.run([insert]).await?;
    if inserted.changed() == 0 {
        tx.roll_back().await?;
        return Ok(Registered::UserInUse);
    }
    let mut queries = registration.login.as_ref().map(new_login).unwrap_or_default();
    if let Some(id) = &registration.uia_session {
        queries.push(uia::mark_registered(id, &account.localpart));
    }
    tx.finish(queries).await?;
    Ok(Registered::Created)
}

/// The device's row is what logins on one device wait for.
async fn log_in(tx: Transaction, login: Arc<NewLogin>) -> Outcome<()> {
    let replies = tx.finish(new_login(&login)).await?;
    replies[2].must_change("access_tokens", 1)
}

fn new_login(login: &NewLogin) -> Vec<Query<'_>> {
    let device = &login.device;
    let (localpart, device_id) = (device.localpart.as_str(), device.device_id.as_str());
    vec![
        Query::new(
            "insert into devices (localpart, device_id, display_name, created_at) values ($1, $2, $3, $4)
             on conflict (localpart, device_id) do update set display_name = excluded.display_name where false",
        )
        .with(localpart)
        .with(device_id)
        .with(device.display_name.as_deref())
        .with(device.created_at.as_millis()),
        delete_tokens(localpart, device_id),
        Query::new(
            "insert into access_tokens (access_token_hash, localpart, device_id) values ($1, $2, $3)",
        )
        .with(login.access_token_hash.as_bytes().as_slice())
        .with(localpart)
        .with(device_id),
    ]
}

fn delete_tokens<'a>(localpart: &'a str, device_id: &'a str) -> Query<'a> {
    Query::new("delete from access_tokens where localpart = $1 and device_id = $2")
        .with(localpart)
        .with(device_id)
}

async fn log_out(tx: Transaction, device: Arc<(Localpart, DeviceId)>) -> Outcome<()> {
    let (localpart, device_id) = (device.0.as_str(), device.1.as_str());
    let delete = Query::new("delete from devices where localpart = $1 and device_id = $2")
        .with(localpart)
        .with(device_id);
    tx.finish(vec![delete, delete_tokens(localpart, device_id)]).await?;
    Ok(())
}

async fn log_out_all(tx: Transaction, localpart: Localpart) -> Outcome<()> {
    let devices = Query::new("delete from devices where localpart = $1").with(localpart.as_str());
    let tokens = Query::new("delete from access_tokens where localpart = $1").with(localpart.as_str());
    tx.finish(vec![devices, tokens]).await?;
    Ok(())
}

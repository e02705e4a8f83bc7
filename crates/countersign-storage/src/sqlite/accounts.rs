//! Accounts of the node, their devices and access tokens.

use async_trait::async_trait;
use countersign_core::{Account, Device, DeviceId, Localpart, NewLogin, TermsVersion, Timestamp, UiaSession};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change, change_one, find, list},
    uia,
};
use crate::{
    AccountStore, Deactivated, Deactivation, PasswordChange, PasswordChanged, Registered, Registration,
    StorageError,
};

#[async_trait]
impl AccountStore for SqliteStorage {
    async fn register(
        &self,
        registration: Registration,
        _now: Timestamp,
    ) -> Result<Registered, StorageError> {
        self.write(move |tx| register(tx, &registration)).await
    }

    async fn find_account(&self, localpart: &Localpart) -> Result<Option<Account>, StorageError> {
        let localpart = localpart.clone();
        self.read(move |tx| find_account(tx, &localpart)).await
    }

    async fn log_in(&self, login: NewLogin, _password_hash: Option<&str>) -> Result<bool, StorageError> {
        self.write(move |tx| log_in(tx, &login)).await?;
        Ok(true)
    }

    async fn log_out(&self, localpart: &Localpart, device_id: &DeviceId) -> Result<(), StorageError> {
        let (localpart, device_id) = (localpart.clone(), device_id.clone());
        self.write(move |tx| {
            delete_tokens(tx, &localpart, &device_id)?;
            let delete = "delete from devices where localpart = ?1 and device_id = ?2";
            change(tx, delete, params![localpart.as_str(), device_id.as_str()])?;
            Ok(())
        })
        .await
    }

    async fn log_out_all(&self, localpart: &Localpart) -> Result<(), StorageError> {
        let localpart = localpart.clone();
        self.write(move |tx| {
            change(tx, "delete from access_tokens where localpart = ?1", [localpart.as_str()])?;
            change(tx, "delete from devices where localpart = ?1", [localpart.as_str()])?;
            Ok(())
        })
        .await
    }

    async fn list_devices(&self, localpart: &Localpart) -> Result<Vec<Device>, StorageError> {
        let localpart = localpart.clone();
        self.read(move |tx| list_devices(tx, &localpart)).await
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

fn register(tx: &Connection, registration: &Registration) -> Outcome<Registered> {
    if let Some(id) = registration.uia_session {
        match uia::load(tx, id)? {
            None => return Ok(Registered::SessionGone),
            Some(UiaSession { registered: Some(localpart), .. }) => {
                return Ok(Registered::Repeated(localpart));
            }
            Some(UiaSession { registered: None, .. }) => {}
        }
    }
    let account = &registration.account;
    let inserted = change(
        tx,
        "insert into accounts (localpart, password_hash, created_at) values (?1, ?2, ?3)
         on conflict (localpart) do nothing",
        params![account.localpart.as_str(), account.password_hash, account.created_at.as_millis()],
    )?;
    if inserted == 0 {
        return Ok(Registered::UserInUse);
    }
    if let Some(login) = &registration.login {
        log_in(tx, login)?;
    }
    if let Some(id) = registration.uia_session {
        uia::mark_registered(tx, id, &account.localpart)?;
    }
    Ok(Registered::Created)
}

fn find_account(tx: &Connection, localpart: &Localpart) -> Outcome<Option<Account>> {
    let statement = tx.prepare_cached(
        "select password_hash, created_at, deactivated_at from accounts where localpart = ?1",
    )?;
    find(statement, [localpart.as_str()], |row| {
        let mut columns = Columns::of("accounts", row);
        Ok(Account {
            localpart: localpart.clone(),
            password_hash: columns.parse_optional("password_hash", |hash| Some(hash.to_owned()))?,
            created_at: columns.timestamp("created_at")?,
            deactivated_at: columns.optional_timestamp("deactivated_at")?,
        })
    })
}

fn log_in(tx: &Connection, login: &NewLogin) -> Outcome<()> {
    let device = &login.device;
    change(
        tx,
        "insert into devices (localpart, device_id, display_name, created_at) values (?1, ?2, ?3, ?4)
         on conflict (localpart, device_id) do nothing",
        params![
            device.localpart.as_str(),
            device.device_id.as_str(),
            device.display_name,
            device.created_at.as_millis(),
        ],
    )?;
    delete_tokens(tx, &device.localpart, &device.device_id)?;
    change_one(
        tx,
        "access_tokens",
        "insert into access_tokens (access_token_hash, localpart, device_id) values (?1, ?2, ?3)",
        params![login.access_token_hash.as_bytes(), device.localpart.as_str(), device.device_id.as_str()],
    )
}

fn delete_tokens(tx: &Connection, localpart: &Localpart, device_id: &DeviceId) -> Outcome<()> {
    let delete = "delete from access_tokens where localpart = ?1 and device_id = ?2";
    change(tx, delete, params![localpart.as_str(), device_id.as_str()])?;
    Ok(())
}

fn list_devices(tx: &Connection, localpart: &Localpart) -> Outcome<Vec<Device>> {
    let statement = tx.prepare_cached(
        "select device_id, display_name, created_at from devices where localpart = ?1 order by created_at, rowid",
    )?;
    list(statement, [localpart.as_str()], |row| {
        let mut columns = Columns::of("devices", row);
        Ok(Device {
            localpart: localpart.clone(),
            device_id: columns.parse("device_id", |id| DeviceId::parse(id).ok())?,
            display_name: columns.parse_optional("display_name", |name| Some(name.to_owned()))?,
            created_at: columns.timestamp("created_at")?,
        })
    })
}

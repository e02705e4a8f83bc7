//! Accounts of the node: how they are made, what they lead to, and their end.

mod deactivation;
mod password;
mod registration;

use async_trait::async_trait;
use countersign_core::{Account, Device, DeviceId, Localpart, NewLogin, TermsVersion, Timestamp};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage, devices,
    failure::Outcome,
    rows::{Columns, find, list},
};
use crate::{
    AccountStore, Deactivated, Deactivation, PasswordChange, PasswordChanged, Registered, Registration,
    StorageError,
};

#[async_trait]
impl AccountStore for SqliteStorage {
    async fn register(&self, registration: Registration, now: Timestamp) -> Result<Registered, StorageError> {
        self.write(move |tx| registration::register(tx, &registration, now)).await
    }

    async fn find_account(&self, localpart: &Localpart) -> Result<Option<Account>, StorageError> {
        let localpart = localpart.clone();
        self.read(move |tx| load(tx, &localpart)).await
    }

    async fn log_in(&self, login: NewLogin, password_hash: Option<&str>) -> Result<bool, StorageError> {
        let password_hash = password_hash.map(str::to_owned);
        self.write(move |tx| log_in(tx, &login, password_hash.as_deref())).await
    }

    async fn log_out(&self, localpart: &Localpart, device_id: &DeviceId) -> Result<(), StorageError> {
        let (localpart, device_id) = (localpart.clone(), device_id.clone());
        self.write(move |tx| devices::log_out(tx, &localpart, &device_id)).await
    }

    async fn log_out_all(&self, localpart: &Localpart) -> Result<(), StorageError> {
        let localpart = localpart.clone();
        self.write(move |tx| devices::log_out_all(tx, &localpart)).await
    }

    async fn list_devices(&self, localpart: &Localpart) -> Result<Vec<Device>, StorageError> {
        let localpart = localpart.clone();
        self.read(move |tx| devices::list_devices(tx, &localpart)).await
    }

    async fn change_password(
        &self,
        change: PasswordChange,
        now: Timestamp,
    ) -> Result<PasswordChanged, StorageError> {
        self.write(move |tx| password::change_password(tx, &change, now)).await
    }

    async fn deactivate(
        &self,
        deactivation: Deactivation,
        now: Timestamp,
    ) -> Result<Deactivated, StorageError> {
        self.write(move |tx| deactivation::deactivate(tx, &deactivation, now)).await
    }

    async fn list_accepted_terms(&self, localpart: &Localpart) -> Result<Vec<TermsVersion>, StorageError> {
        let localpart = localpart.clone();
        self.read(move |tx| list_accepted_terms(tx, &localpart)).await
    }
}

/// The account of that name.
pub(super) fn load(tx: &Connection, localpart: &Localpart) -> Outcome<Option<Account>> {
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

fn log_in(tx: &Connection, login: &NewLogin, password_hash: Option<&str>) -> Outcome<bool> {
    let account = load(tx, &login.device.localpart)?;
    if !account.is_some_and(|account| account.still_has(password_hash)) {
        return Ok(false);
    }
    devices::log_in(tx, login)?;
    Ok(true)
}

fn list_accepted_terms(tx: &Connection, localpart: &Localpart) -> Outcome<Vec<TermsVersion>> {
    let statement = tx.prepare_cached(
        "select policy, version from terms_acceptances where localpart = ?1 order by policy, version",
    )?;
    list(statement, params![localpart.as_str()], |row| {
        let mut columns = Columns::of("terms_acceptances", row);
        let policy = columns.parse("policy", |policy| Some(policy.to_owned()))?;
        columns.parse("version", |version| TermsVersion::parse(&policy, version).ok())
    })
}

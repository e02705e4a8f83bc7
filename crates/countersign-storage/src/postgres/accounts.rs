//! Accounts of the node: how they are made, what they lead to, and their end.

mod deactivation;
mod password;
mod registration;

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{Account, Device, DeviceId, Localpart, NewLogin, TermsVersion, Timestamp};
use tokio_postgres::Row;

use super::{
    PostgresStorage,
    connection::{Reply, Transaction},
    devices,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first, list},
};
use crate::{
    AccountStore, Deactivated, Deactivation, PasswordChange, PasswordChanged, Registered, Registration,
    StorageError, accounts::parse_localpart,
};

#[async_trait]
impl AccountStore for PostgresStorage {
    async fn register(&self, registration: Registration, now: Timestamp) -> Result<Registered, StorageError> {
        let registration = Arc::new(registration);
        self.write(move |tx| registration::register(tx, Arc::clone(&registration), now)).await
    }

    async fn find_account(&self, localpart: &Localpart) -> Result<Option<Account>, StorageError> {
        let [found] = self.connect().await?.run([find(localpart)]).await?;
        Ok(read_found(&found, localpart)?)
    }

    async fn log_in(&self, login: NewLogin, password_hash: Option<&str>) -> Result<bool, StorageError> {
        let login = Arc::new((login, password_hash.map(str::to_owned)));
        self.write(move |tx| log_in(tx, Arc::clone(&login))).await
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
        let [found] = self.connect().await?.run([devices::list_devices(localpart)]).await?;
        Ok(devices::read_devices(&found, localpart)?)
    }

    async fn change_password(
        &self,
        change: PasswordChange,
        now: Timestamp,
    ) -> Result<PasswordChanged, StorageError> {
        let change = Arc::new(change);
        self.write(move |tx| password::change_password(tx, Arc::clone(&change), now)).await
    }

    async fn deactivate(
        &self,
        deactivation: Deactivation,
        now: Timestamp,
    ) -> Result<Deactivated, StorageError> {
        let deactivation = Arc::new(deactivation);
        self.write(move |tx| deactivation::deactivate(tx, Arc::clone(&deactivation), now)).await
    }

    async fn list_accepted_terms(&self, localpart: &Localpart) -> Result<Vec<TermsVersion>, StorageError> {
        let select = Query::new(
            "select policy, version from terms_acceptances where localpart = $1 order by policy, version",
        )
        .with(localpart.as_str());
        let [found] = self.connect().await?.run([select]).await?;
        let terms = list(&found.rows, |row| {
            let mut columns = Columns::of("terms_acceptances", row);
            let policy = columns.parse("policy", |policy| Some(policy.to_owned()))?;
            columns.parse("version", |version| TermsVersion::parse(&policy, version).ok())
        });
        Ok(terms?)
    }
}

/// Selects an account.
macro_rules! select_account {
    ($lock:literal) => {
        concat!("select password_hash, created_at, deactivated_at from accounts where localpart = $1", $lock)
    };
}

fn find(localpart: &Localpart) -> Query<'_> {
    Query::new(select_account!("")).with(localpart.as_str())
}

/// The account. Others can't change it until the end of the transaction, but may look at it as well.
pub(super) fn find_and_share(localpart: &Localpart) -> Query<'_> {
    Query::new(select_account!(" for share")).with(localpart.as_str())
}

/// The account. Others can neither change it nor rely on it until the end of the transaction.
pub(super) fn find_and_lock(localpart: &Localpart) -> Query<'_> {
    Query::new(select_account!(" for update")).with(localpart.as_str())
}

/// An account, from all columns.
pub(super) fn read(row: &Row) -> Outcome<Account> {
    let mut columns = Columns::of("accounts", row);
    Ok(Account {
        localpart: columns.parse("localpart", parse_localpart)?,
        password_hash: columns.parse_optional("password_hash", |hash| Some(hash.to_owned()))?,
        created_at: columns.timestamp("created_at")?,
        deactivated_at: columns.optional_timestamp("deactivated_at")?,
    })
}

/// What [`find`] found.
pub(super) fn read_found(reply: &Reply, localpart: &Localpart) -> Outcome<Option<Account>> {
    first(&reply.rows, |row| {
        let mut columns = Columns::of("accounts", row);
        Ok(Account {
            localpart: localpart.clone(),
            password_hash: columns.parse_optional("password_hash", |hash| Some(hash.to_owned()))?,
            created_at: columns.timestamp("created_at")?,
            deactivated_at: columns.optional_timestamp("deactivated_at")?,
        })
    })
}

/// The device's row is what logins on one device wait for.
async fn log_in(mut tx: Transaction, login: Arc<(NewLogin, Option<String>)>) -> Outcome<bool> {
    let (login, password_hash) = &*login;
    let localpart = &login.device.localpart;
    let [found] = tx.run([find_and_share(localpart)]).await?;
    let account = read_found(&found, localpart)?;
    if !account.is_some_and(|account| account.still_has(password_hash.as_deref())) {
        tx.roll_back().await?;
        return Ok(false);
    }
    tx.finish(devices::log_in(login)).await?;
    Ok(true)
}

async fn log_out(tx: Transaction, device: Arc<(Localpart, DeviceId)>) -> Outcome<()> {
    tx.finish(devices::log_out(&device.0, &device.1)).await?;
    Ok(())
}

async fn log_out_all(tx: Transaction, localpart: Localpart) -> Outcome<()> {
    tx.finish(devices::log_out_all(&localpart)).await?;
    Ok(())
}

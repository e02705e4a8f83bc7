//! Devices of accounts: with one go its tokens.

use countersign_core::{Device, DeviceId, Localpart, NewLogin, Timestamp};
use rusqlite::{Connection, params};

use super::{
    failure::Outcome,
    rows::{Columns, change, list},
    tokens,
};

/// Gives a device a new access token and refresh token. One that exists keeps its name and loses its earlier ones.
pub(super) fn log_in(tx: &Connection, login: &NewLogin) -> Outcome<()> {
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
    let owner = (&device.localpart, &device.device_id);
    let expires_at: Option<Timestamp> = login.access_expires_at;
    tokens::insert_access_token(tx, owner, login.access_token_hash, expires_at, None)?;
    if let Some((refresh_token, expires_at)) = login.refresh_token {
        tokens::insert_refresh_token(tx, owner, refresh_token, login.access_token_hash, expires_at, None)?;
    }
    Ok(())
}

/// Deletes a device and its tokens.
pub(super) fn log_out(tx: &Connection, localpart: &Localpart, device_id: &DeviceId) -> Outcome<()> {
    delete_tokens(tx, localpart, device_id)?;
    let delete = "delete from devices where localpart = ?1 and device_id = ?2";
    change(tx, delete, params![localpart.as_str(), device_id.as_str()])?;
    Ok(())
}

/// Deletes all devices of an account but one, and their tokens.
pub(super) fn log_out_others(tx: &Connection, localpart: &Localpart, kept: &DeviceId) -> Outcome<()> {
    for delete in [
        "delete from access_tokens where localpart = ?1 and device_id <> ?2",
        "delete from refresh_tokens where localpart = ?1 and device_id <> ?2",
        "delete from openid_tokens where localpart = ?1 and device_id is not ?2",
        "delete from devices where localpart = ?1 and device_id <> ?2",
    ] {
        change(tx, delete, params![localpart.as_str(), kept.as_str()])?;
    }
    Ok(())
}

/// Deletes all devices of an account and their tokens.
pub(super) fn log_out_all(tx: &Connection, localpart: &Localpart) -> Outcome<()> {
    for delete in [
        "delete from access_tokens where localpart = ?1",
        "delete from refresh_tokens where localpart = ?1",
        "delete from openid_tokens where localpart = ?1",
        "delete from devices where localpart = ?1",
    ] {
        change(tx, delete, [localpart.as_str()])?;
    }
    Ok(())
}

fn delete_tokens(tx: &Connection, localpart: &Localpart, device_id: &DeviceId) -> Outcome<()> {
    for delete in [
        "delete from access_tokens where localpart = ?1 and device_id = ?2",
        "delete from refresh_tokens where localpart = ?1 and device_id = ?2",
        "delete from openid_tokens where localpart = ?1 and device_id = ?2",
    ] {
        change(tx, delete, params![localpart.as_str(), device_id.as_str()])?;
    }
    Ok(())
}

/// The devices of an account, oldest first.
pub(super) fn list_devices(tx: &Connection, localpart: &Localpart) -> Outcome<Vec<Device>> {
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

//! Devices of accounts: with one go its tokens.

use countersign_core::{Device, DeviceId, Localpart, NewLogin};

use super::{
    connection::Reply,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, list},
    tokens,
};

/// Gives a device a new access token and refresh token. One that exists keeps its name and loses its earlier ones. Whatever
/// changes tokens of a device waits for its row.
pub(super) fn log_in(login: &NewLogin) -> Vec<Query<'_>> {
    let device = &login.device;
    let owner = (&device.localpart, &device.device_id);
    let insert = Query::new(
        "insert into devices (localpart, device_id, display_name, created_at) values ($1, $2, $3, $4)
         on conflict (localpart, device_id) do update set display_name = excluded.display_name where false",
    )
    .with(device.localpart.as_str())
    .with(device.device_id.as_str())
    .with(device.display_name.as_deref())
    .with(device.created_at.as_millis());
    let mut queries = vec![insert];
    queries.extend(delete_tokens(&device.localpart, &device.device_id));
    queries.push(tokens::insert_access_token(owner, &login.access_token_hash, login.access_expires_at, None));
    if let Some((token, expires_at)) = &login.refresh_token {
        let beside = &login.access_token_hash;
        queries.push(tokens::insert_refresh_token(owner, token, beside, *expires_at, None));
    }
    queries
}

/// Deletes a device and its tokens.
pub(super) fn log_out<'a>(localpart: &'a Localpart, device_id: &'a DeviceId) -> Vec<Query<'a>> {
    let device = Query::new("delete from devices where localpart = $1 and device_id = $2")
        .with(localpart.as_str())
        .with(device_id.as_str());
    [device].into_iter().chain(delete_tokens(localpart, device_id)).collect()
}

/// Deletes all devices of an account but one, and their tokens.
pub(super) fn log_out_others<'a>(localpart: &'a Localpart, kept: &'a DeviceId) -> Vec<Query<'a>> {
    // In the order of their keys, so that two that do so at once don't wait for each other.
    [
        "delete from devices d using (
            select localpart, device_id from devices where localpart = $1 and device_id <> $2
            order by device_id for update) as gone
         where d.localpart = gone.localpart and d.device_id = gone.device_id",
        "delete from access_tokens where localpart = $1 and device_id <> $2",
        "delete from refresh_tokens where localpart = $1 and device_id <> $2",
        "delete from openid_tokens where localpart = $1 and device_id is distinct from $2",
    ]
    .map(|delete| Query::new(delete).with(localpart.as_str()).with(kept.as_str()))
    .into()
}

/// Deletes all devices of an account and their tokens.
pub(super) fn log_out_all(localpart: &Localpart) -> Vec<Query<'_>> {
    [
        "delete from devices d using (
            select localpart, device_id from devices where localpart = $1 order by device_id for update) as gone
         where d.localpart = gone.localpart and d.device_id = gone.device_id",
        "delete from access_tokens where localpart = $1",
        "delete from refresh_tokens where localpart = $1",
        "delete from openid_tokens where localpart = $1",
    ]
    .map(|delete| Query::new(delete).with(localpart.as_str()))
    .into()
}

fn delete_tokens<'a>(localpart: &'a Localpart, device_id: &'a DeviceId) -> [Query<'a>; 3] {
    [
        "delete from access_tokens where localpart = $1 and device_id = $2",
        "delete from refresh_tokens where localpart = $1 and device_id = $2",
        "delete from openid_tokens where localpart = $1 and device_id = $2",
    ]
    .map(|delete| Query::new(delete).with(localpart.as_str()).with(device_id.as_str()))
}

/// The devices of an account, oldest first.
pub(super) fn list_devices(localpart: &Localpart) -> Query<'_> {
    Query::new(
        "select device_id, display_name, created_at from devices where localpart = $1
         order by created_at, came_at, device_id",
    )
    .with(localpart.as_str())
}

/// What [`list_devices`] found.
pub(super) fn read_devices(reply: &Reply, localpart: &Localpart) -> Outcome<Vec<Device>> {
    list(&reply.rows, |row| {
        let mut columns = Columns::of("devices", row);
        Ok(Device {
            localpart: localpart.clone(),
            device_id: columns.parse("device_id", |id| DeviceId::parse(id).ok())?,
            display_name: columns.parse_optional("display_name", |name| Some(name.to_owned()))?,
            created_at: columns.timestamp("created_at")?,
        })
    })
}

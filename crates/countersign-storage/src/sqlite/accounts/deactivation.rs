//! An account is given up.

use countersign_core::{MessageKind, Timestamp, UiaSessionHash};
use rusqlite::{Connection, params};

use super::super::{
    devices,
    failure::Outcome,
    notices,
    rows::{change, change_one},
    uia,
};
use crate::{Deactivated, Deactivation};

pub(super) fn deactivate(
    tx: &Connection,
    deactivation: &Deactivation,
    now: Timestamp,
) -> Outcome<Deactivated> {
    let localpart = &deactivation.localpart;
    if !super::load(tx, localpart)?.is_some_and(|account| account.is_live()) {
        return Ok(Deactivated::Before);
    }
    // Before its addresses are gone.
    let notified = notices::enqueue(tx, localpart, &deactivation.notices, MessageKind::Deactivated, now)?;
    let name = localpart.as_str();
    change_one(
        tx,
        "accounts",
        "update accounts set password_hash = null, deactivated_at = ?2 where localpart = ?1",
        params![name, now.as_millis()],
    )?;
    devices::log_out_all(tx, localpart)?;
    change(tx, "delete from openid_tokens where localpart = ?1", [name])?;
    change(tx, "delete from account_threepids where localpart = ?1", [name])?;
    change(tx, "delete from terms_acceptances where localpart = ?1", [name])?;
    // Looks through the whole table, which is rare enough: the session that made an account has no index by it.
    change(
        tx,
        "delete from uia_sessions where (localpart = ?1 or registered = ?1 or proven = ?1) and id_hash is not ?2",
        params![name, deactivation.uia_session.as_ref().map(UiaSessionHash::as_bytes)],
    )?;
    if let Some(session) = deactivation.uia_session.map(|id| uia::load(tx, id)).transpose()?.flatten() {
        uia::save(tx, &session.finish_for(localpart, now))?;
    }
    Ok(Deactivated::Done { notified })
}

//! An account is given up.

use countersign_core::{Account, MessageKind, Timestamp, UiaSessionHash};
use rusqlite::{Connection, params};

use super::super::{
    authorization, devices,
    failure::Outcome,
    notices,
    rows::{change, change_one},
    sessions, uia,
};
use crate::{Deactivated, Deactivation};

pub(super) fn deactivate(
    tx: &Connection,
    deactivation: &Deactivation,
    now: Timestamp,
) -> Outcome<Deactivated> {
    let localpart = &deactivation.localpart;
    let account = super::load(tx, localpart)?;
    if !account.as_ref().is_some_and(Account::is_live) {
        return Ok(Deactivated::Before);
    }
    let authorization = &deactivation.authorization;
    let grounds = authorization::load(tx, authorization, localpart, account)?;
    let proof = match authorization.check(&grounds, localpart, now) {
        Ok(proof) => proof,
        Err(lapsed) => return Ok(Deactivated::Lapsed(lapsed)),
    };
    // Before its addresses are gone.
    let notified = notices::enqueue(tx, localpart, &deactivation.notices, MessageKind::Deactivated, now)?;
    let name = localpart.as_str();
    change_one(
        tx,
        "accounts",
        "update accounts set password_hash = null, deactivated_at = ?2 where localpart = ?1",
        params![name, now.as_millis()],
    )?;
    proof.as_ref().map_or(Ok(()), |proof| sessions::save(tx, proof))?;
    devices::log_out_all(tx, localpart)?;
    change(tx, "delete from account_threepids where localpart = ?1", [name])?;
    change(
        tx,
        "update recorded_binds set take_back_at = ?2, tries = 0 where localpart = ?1",
        params![name, now.as_millis()],
    )?;
    change(tx, "delete from terms_acceptances where localpart = ?1", [name])?;
    change(tx, "delete from identity_accounts where user_id = ?1", [deactivation.user_id.as_str()])?;
    // Looks through the whole table, which is rare enough: the session that made an account has no index by it.
    change(
        tx,
        "delete from uia_sessions where (localpart = ?1 or registered = ?1 or proven = ?1) and id_hash is not ?2",
        params![name, authorization.uia_session.as_ref().map(UiaSessionHash::as_bytes)],
    )?;
    grounds.uia_session.map_or(Ok(()), |session| uia::save(tx, &session.finish_for(localpart, now)))?;
    Ok(Deactivated::Done { notified })
}

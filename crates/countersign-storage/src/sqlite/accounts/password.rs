//! An account gets a new password.

use countersign_core::{Account, MessageKind, Timestamp};
use rusqlite::{Connection, params};

use super::super::{
    authorization, devices,
    failure::Outcome,
    notices,
    rows::{change as change_rows, change_one},
    sessions, uia,
};
use crate::{LogOut, PasswordChange, PasswordChanged};

/// Checks everything before it writes anything: a refusal must leave nothing behind.
pub(super) fn change_password(
    tx: &Connection,
    change: &PasswordChange,
    now: Timestamp,
) -> Outcome<PasswordChanged> {
    let (localpart, authorization) = (&change.localpart, &change.authorization);
    let account = super::load(tx, localpart)?;
    let grounds = authorization::load(tx, authorization, localpart, account)?;
    if grounds.uia_session.as_ref().is_some_and(|session| session.finished_at.is_some()) {
        return Ok(PasswordChanged::Repeated);
    }
    if !grounds.account.as_ref().is_some_and(Account::is_live) {
        return Ok(PasswordChanged::NoAccount);
    }
    let proof = match authorization.check(&grounds, localpart, now) {
        Ok(proof) => proof,
        Err(lapsed) => return Ok(PasswordChanged::Lapsed(lapsed)),
    };
    change_one(
        tx,
        "accounts",
        "update accounts set password_hash = ?2 where localpart = ?1",
        params![localpart.as_str(), change.password_hash],
    )?;
    proof.as_ref().map_or(Ok(()), |proof| sessions::save(tx, proof))?;
    match &change.log_out {
        LogOut::Nobody => {}
        LogOut::AllBut(device_id) => devices::log_out_others(tx, localpart, device_id)?,
        LogOut::Everybody => devices::log_out_all(tx, localpart)?,
    }
    grounds.uia_session.map_or(Ok(()), |session| uia::save(tx, &session.finish_for(localpart, now)))?;
    change_rows(
        tx,
        "delete from uia_sessions where (localpart = ?1 or proven = ?1) and finished_at is null",
        [localpart.as_str()],
    )?;
    let notified = notices::enqueue(tx, localpart, &change.notices, MessageKind::PasswordChanged, now)?;
    Ok(PasswordChanged::Changed { notified })
}

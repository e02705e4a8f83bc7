//! An account gets a new password.

use countersign_core::{MessageKind, SessionId, Timestamp, ValidationSession};
use rusqlite::{Connection, params};

use super::super::{
    devices,
    failure::Outcome,
    notices,
    rows::{change as change_rows, change_one},
    sessions, threepids, uia,
};
use crate::{LogOut, PasswordChange, PasswordChanged};

/// Checks everything before it writes anything: a refusal must leave nothing behind.
pub(super) fn change_password(
    tx: &Connection,
    change: &PasswordChange,
    now: Timestamp,
) -> Outcome<PasswordChanged> {
    let session = match change.uia_session {
        None => None,
        Some(id) => match uia::load(tx, id)? {
            None => return Ok(PasswordChanged::SessionGone),
            Some(session) if session.finished_at.is_some() => return Ok(PasswordChanged::Repeated),
            session => session,
        },
    };
    let localpart = &change.localpart;
    if !super::load(tx, localpart)?.is_some_and(|account| account.is_live()) {
        return Ok(PasswordChanged::NoAccount);
    }
    let proof = match change.proof {
        None => None,
        Some(sid) => match consume(tx, sid, change, now)? {
            None => return Ok(PasswordChanged::ProofGone),
            proof => proof,
        },
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
    session.as_ref().map_or(Ok(()), |session| uia::save(tx, &session.finish_for(localpart, now)))?;
    change_rows(
        tx,
        "delete from uia_sessions where (localpart = ?1 or proven = ?1) and finished_at is null",
        [localpart.as_str()],
    )?;
    let notified = notices::enqueue(tx, localpart, &change.notices, MessageKind::PasswordChanged, now)?;
    Ok(PasswordChanged::Changed { notified })
}

fn consume(
    tx: &Connection,
    sid: SessionId,
    change: &PasswordChange,
    now: Timestamp,
) -> Outcome<Option<ValidationSession>> {
    let Some(session) = sessions::load(tx, sid)? else { return Ok(None) };
    let owner = threepids::find_owner(tx, session.address_hash)?;
    Ok(ValidationSession::reset_password(Some(&session), owner.as_ref(), &change.localpart, now).ok())
}

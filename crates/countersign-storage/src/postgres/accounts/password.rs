//! An account gets a new password.

use std::sync::Arc;

use countersign_core::{MessageKind, Timestamp, UiaSession, ValidationSession};

use super::{
    super::{
        connection::Transaction, devices, failure::Outcome, notices, parameter::Query, rows::first, sessions,
        threepids, uia,
    },
    find_and_lock, read_found,
};
use crate::{LogOut, PasswordChange, PasswordChanged};

/// What may be saved, once everything is checked and locked.
struct Allowed {
    session: Option<UiaSession>,
    proof: Option<ValidationSession>,
}

pub(super) async fn change_password(
    mut tx: Transaction,
    change: Arc<PasswordChange>,
    now: Timestamp,
) -> Outcome<PasswordChanged> {
    let Allowed { session, proof } = match check(&mut tx, &change, now).await? {
        Ok(allowed) => allowed,
        Err(refused) => {
            tx.roll_back().await?;
            return Ok(refused);
        }
    };
    let finished = session.map(|session| uia::Changed::to(session.finish_for(&change.localpart, now)));
    let localpart = &change.localpart;
    let wanted = notices::Wanted::of(&mut tx, localpart, &change.notices).await?;
    let notices = wanted.notices(MessageKind::PasswordChanged, now);
    let mut queries = vec![
        Query::new("update accounts set password_hash = $2 where localpart = $1")
            .with(localpart.as_str())
            .with(change.password_hash.as_str()),
    ];
    queries.extend(proof.as_ref().map(|proof| sessions::save(vec![proof])));
    match &change.log_out {
        LogOut::Nobody => {}
        LogOut::AllBut(device_id) => queries.extend(devices::log_out_others(localpart, device_id)),
        LogOut::Everybody => queries.extend(devices::log_out_all(localpart)),
    }
    queries.extend(finished.as_ref().map(uia::Changed::save));
    queries.push(
        Query::new("delete from uia_sessions where (localpart = $1 or proven = $1) and finished_at is null")
            .with(localpart.as_str()),
    );
    queries.extend(notices.queries());
    tx.finish(queries).await?[0].must_change("accounts", 1)?;
    Ok(PasswordChanged::Changed { notified: notices.media() })
}

async fn check(
    tx: &mut Transaction,
    change: &PasswordChange,
    now: Timestamp,
) -> Outcome<Result<Allowed, PasswordChanged>> {
    // All that are ended, in their order.
    let lock_sessions = Query::new(
        "select id_hash from uia_sessions
         where ((localpart = $1 or proven = $1) and finished_at is null) or id_hash = $2
         order by id_hash for update",
    )
    .with(change.localpart.as_str())
    .with(change.uia_session.as_ref().map(|id| id.as_bytes().as_slice()));
    tx.run([lock_sessions]).await?;
    let session = match change.uia_session {
        None => None,
        Some(id) => match uia::load_and_lock(tx, id).await? {
            None => return Ok(Err(PasswordChanged::SessionGone)),
            Some(session) if session.finished_at.is_some() => return Ok(Err(PasswordChanged::Repeated)),
            session => session,
        },
    };
    let localpart = &change.localpart;
    let [found] = tx.run([find_and_lock(localpart)]).await?;
    if !read_found(&found, localpart)?.is_some_and(|account| account.is_live()) {
        return Ok(Err(PasswordChanged::NoAccount));
    }
    let Some(sid) = &change.proof else { return Ok(Ok(Allowed { session, proof: None })) };
    let [found] = tx.run([sessions::find_and_lock(sid)]).await?;
    let Some(proof) = sessions::read_found(&found)? else { return Ok(Err(PasswordChanged::ProofGone)) };
    // Nobody may take the address away until the password is set by its proof.
    let [found] = tx.run([threepids::share_owner(&proof.address_hash)]).await?;
    let owner = first(&found.rows, |row| Ok(threepids::read_owner(row)?.1))?;
    Ok(match ValidationSession::reset_password(Some(&proof), owner.as_ref(), localpart, now) {
        Ok(proof) => Ok(Allowed { session, proof: Some(proof) }),
        Err(_) => Err(PasswordChanged::ProofGone),
    })
}

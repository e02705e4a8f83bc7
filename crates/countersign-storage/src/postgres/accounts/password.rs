//! An account gets a new password.

use std::sync::Arc;

use countersign_core::{Account, AccountHome, MessageKind, Timestamp, UiaSession, ValidationSession};

use super::super::{
    authorization::{self, Lock},
    connection::Transaction,
    devices,
    failure::Outcome,
    notices,
    parameter::Query,
    sessions, uia,
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
    let (localpart, authorization) = (&change.localpart, &change.authorization);
    // All that are ended, in their order.
    let lock_sessions = Query::new(
        "select id_hash from uia_sessions
         where ((localpart = $1 or proven = $1) and finished_at is null) or id_hash = $2
         order by id_hash for update",
    )
    .with(localpart.as_str())
    .with(authorization.uia_session.as_ref().map(|id| id.as_bytes().as_slice()));
    tx.run([lock_sessions]).await?;
    let (here, lock) = (AccountHome::Here, Lock::Exclusive);
    let grounds = authorization::load_and_lock(tx, authorization, localpart, here, lock).await?;
    if grounds.uia_session.as_ref().is_some_and(|session| session.finished_at.is_some()) {
        return Ok(Err(PasswordChanged::Repeated));
    }
    if !grounds.account.as_ref().is_some_and(Account::is_live) {
        return Ok(Err(PasswordChanged::NoAccount));
    }
    Ok(match authorization.check(&grounds, localpart, now) {
        Ok(proof) => Ok(Allowed { session: grounds.uia_session, proof }),
        Err(lapsed) => Err(PasswordChanged::Lapsed(lapsed)),
    })
}

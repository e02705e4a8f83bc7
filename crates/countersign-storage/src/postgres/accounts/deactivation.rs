//! An account is given up.

use std::sync::Arc;

use countersign_core::{Account, AccountHome, MessageKind, Timestamp};

use super::super::{
    authorization::{self, Lock},
    connection::Transaction,
    devices,
    failure::Outcome,
    notices,
    parameter::Query,
    sessions, uia,
};
use crate::{Deactivated, Deactivation};

pub(super) async fn deactivate(
    mut tx: Transaction,
    deactivation: Arc<Deactivation>,
    now: Timestamp,
) -> Outcome<Deactivated> {
    let localpart = &deactivation.localpart;
    let authorization = &deactivation.authorization;
    let name = localpart.as_str();
    // First of all the authentication sessions, as everything does. Looks through the whole table, which is rare enough:
    // the session that made an account has no index by it.
    let lock_sessions = Query::new(
        "select id_hash from uia_sessions
         where localpart = $1 or registered = $1 or proven = $1 or id_hash = $2 order by id_hash for update",
    )
    .with(name)
    .with(authorization.uia_session.as_ref().map(|id| id.as_bytes().as_slice()));
    tx.run([lock_sessions]).await?;
    let (here, lock) = (AccountHome::Here, Lock::Exclusive);
    let grounds = authorization::load_and_lock(&mut tx, authorization, localpart, here, lock).await?;
    let allowed = if grounds.account.as_ref().is_some_and(Account::is_live) {
        authorization.check(&grounds, localpart, now).map_err(Deactivated::Lapsed)
    } else {
        Err(Deactivated::Before)
    };
    let proof = match allowed {
        Ok(proof) => proof,
        Err(refused) => {
            tx.roll_back().await?;
            return Ok(refused);
        }
    };
    let finished = grounds.uia_session.map(|session| uia::Changed::to(session.finish_for(localpart, now)));
    let wanted = notices::Wanted::of(&mut tx, localpart, &deactivation.notices).await?;
    let notices = wanted.notices(MessageKind::Deactivated, now);
    let mut queries = vec![
        Query::new("update accounts set password_hash = null, deactivated_at = $2 where localpart = $1")
            .with(name)
            .with(now.as_millis()),
        Query::new("delete from account_threepids where localpart = $1").with(name),
    ];
    queries.extend(proof.as_ref().map(|proof| sessions::save(vec![proof])));
    queries.extend(devices::log_out_all(localpart));
    queries.extend([
        Query::new("update recorded_binds set take_back_at = $2, tries = 0 where localpart = $1")
            .with(name)
            .with(now.as_millis()),
        Query::new("delete from terms_acceptances where localpart = $1").with(name),
        Query::new("delete from identity_accounts where user_id = $1").with(deactivation.user_id.as_str()),
        Query::new(
            "delete from uia_sessions
             where (localpart = $1 or registered = $1 or proven = $1) and id_hash is distinct from $2",
        )
        .with(name)
        .with(authorization.uia_session.as_ref().map(|id| id.as_bytes().as_slice())),
    ]);
    queries.extend(finished.as_ref().map(uia::Changed::save));
    queries.extend(notices.queries());
    tx.finish(queries).await?[0].must_change("accounts", 1)?;
    Ok(Deactivated::Done { notified: notices.media() })
}

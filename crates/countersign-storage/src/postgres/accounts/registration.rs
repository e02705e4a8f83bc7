//! An account is made.

use std::sync::Arc;

use countersign_core::{AccountThreepid, RegisterRefusal, Stage, Timestamp, UiaSession, ValidationSession};

use super::super::{
    connection::Transaction, devices, failure::Outcome, parameter::Query, registration_tokens, rows::first,
    sessions, threepids, uia,
};
use crate::{Registered, RegisteredThreepid, Registration};

/// Writes as it goes, in the order of the locks. A refusal rolls all of it back.
pub(super) async fn register(
    mut tx: Transaction,
    registration: Arc<Registration>,
    now: Timestamp,
) -> Outcome<Registered> {
    match write(&mut tx, &registration, now).await? {
        Err(refused) => {
            tx.roll_back().await?;
            Ok(refused)
        }
        Ok(()) => {
            tx.commit().await?;
            Ok(Registered::Created)
        }
    }
}

async fn write(
    tx: &mut Transaction,
    registration: &Registration,
    now: Timestamp,
) -> Outcome<Result<(), Registered>> {
    let account = &registration.account;
    let session = match &registration.uia_session {
        None => None,
        Some(id) => match uia::load_and_lock(tx, *id).await? {
            None => return Ok(Err(Registered::SessionGone)),
            Some(UiaSession { registered: Some(localpart), .. }) => {
                return Ok(Err(Registered::Repeated(localpart)));
            }
            session => session,
        },
    };
    if let Some(token) = session.as_ref().and_then(|session| session.registration_token.as_ref()) {
        let [booked] = tx.run([registration_tokens::book(token)]).await?;
        if booked.changed() == 0 {
            return Ok(Err(Registered::SessionGone));
        }
    }
    let insert = Query::new(
        "insert into accounts (localpart, password_hash, created_at) values ($1, $2, $3)
         on conflict (localpart) do nothing",
    )
    .with(account.localpart.as_str())
    .with(account.password_hash.as_deref())
    .with(account.created_at.as_millis());
    let [inserted] = tx.run([insert]).await?;
    if inserted.changed() == 0 {
        return Ok(Err(Registered::UserInUse));
    }
    if let Err(refused) = add_threepids(tx, registration, now).await? {
        return Ok(Err(refused));
    }
    let finished = session.map(|session| {
        let registered = Some(account.localpart.clone());
        uia::Changed::to(UiaSession { registered, ..session.finish(now) })
    });
    let mut queries = registration.login.as_ref().map(devices::log_in).unwrap_or_default();
    if let Some(changed) = &finished {
        queries.push(changed.save());
        if changed.session.has_completed(Stage::Terms) {
            queries.push(accept_terms(&changed.session, account.localpart.as_str(), now));
        }
    }
    if !queries.is_empty() {
        tx.run_all(queries).await?;
    }
    Ok(Ok(()))
}

/// Locks the sessions in their order. Of two accounts that begin with one address, the second waits for the first.
async fn add_threepids(
    tx: &mut Transaction,
    registration: &Registration,
    now: Timestamp,
) -> Outcome<Result<(), Registered>> {
    let mut in_order: Vec<&RegisteredThreepid> = registration.threepids.iter().collect();
    in_order.sort_by_key(|threepid| threepid.sid);
    let mut proofs: Vec<(AccountThreepid, ValidationSession)> = Vec::new();
    for threepid in in_order {
        let [found] = tx.run([sessions::find_and_lock(&threepid.sid)]).await?;
        let session = sessions::read_found(&found)?;
        let owner = match &session {
            Some(session) => {
                let addresses = vec![session.address_hash.as_bytes().as_slice()];
                let [found] = tx.run([threepids::list_owners(addresses)]).await?;
                first(&found.rows, |row| Ok(threepids::read_owners_name(row)?.1))?
            }
            None => None,
        };
        let (localpart, sealed_address) = (&registration.account.localpart, &threepid.sealed_address);
        let (session, owner) = (session.as_ref(), owner.as_ref());
        match ValidationSession::register(session, owner, localpart, sealed_address, now) {
            Ok(proof) => proofs.push(proof),
            Err(RegisterRefusal::Unproven) => return Ok(Err(Registered::ThreepidUnproven)),
            Err(RegisterRefusal::InUse) => return Ok(Err(Registered::ThreepidInUse)),
        }
    }
    // Rows of one table by key, as everywhere.
    proofs.sort_by_key(|(threepid, _)| threepid.address_hash);
    for (threepid, session) in &proofs {
        let [inserted, saved] = tx.run([threepids::insert(threepid), sessions::save(vec![session])]).await?;
        if inserted.changed() == 0 {
            return Ok(Err(Registered::ThreepidInUse));
        }
        saved.must_change("validation_sessions", 1)?;
    }
    Ok(Ok(()))
}

fn accept_terms<'a>(session: &'a UiaSession, localpart: &'a str, now: Timestamp) -> Query<'a> {
    Query::new(
        "insert into terms_acceptances (localpart, policy, version, accepted_at)
         select $1, policy, version, $2 from unnest($3::text[], $4::text[]) as n (policy, version)
         on conflict (localpart, policy, version) do nothing",
    )
    .with(localpart)
    .with(now.as_millis())
    .with(session.shown_terms.iter().map(|terms| terms.policy()).collect::<Vec<_>>())
    .with(session.shown_terms.iter().map(|terms| terms.version()).collect::<Vec<_>>())
}

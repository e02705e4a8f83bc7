//! An account is made.

use countersign_core::{
    AccountThreepid, Localpart, RegisterRefusal, RegistrationTokenHash, Stage, Timestamp, UiaSession,
    ValidationSession,
};
use rusqlite::{Connection, params};

use super::super::{
    devices,
    failure::Outcome,
    registration_tokens,
    rows::{change, change_one},
    sessions, threepids, uia,
};
use crate::{Registered, RegisteredThreepid, Registration};

/// Checks everything before it writes anything: a refusal must leave nothing behind.
pub(super) fn register(tx: &Connection, registration: &Registration, now: Timestamp) -> Outcome<Registered> {
    let session = match registration.uia_session {
        None => None,
        Some(id) => match uia::load(tx, id)? {
            None => return Ok(Registered::SessionGone),
            Some(UiaSession { registered: Some(localpart), .. }) => {
                return Ok(Registered::Repeated(localpart));
            }
            session => session,
        },
    };
    let account = &registration.account;
    if super::load(tx, &account.localpart)?.is_some() {
        return Ok(Registered::UserInUse);
    }
    let mut proofs = Vec::new();
    for threepid in &registration.threepids {
        match prove(tx, threepid, &account.localpart, now)? {
            Ok(proof) => proofs.push(proof),
            Err(RegisterRefusal::Unproven) => return Ok(Registered::ThreepidUnproven),
            Err(RegisterRefusal::InUse) => return Ok(Registered::ThreepidInUse),
        }
    }
    let token: Option<RegistrationTokenHash> =
        session.as_ref().and_then(|session| session.registration_token);
    if let Some(token) = token
        && !registration_tokens::book(tx, token)?
    {
        return Ok(Registered::SessionGone);
    }
    change_one(
        tx,
        "accounts",
        "insert into accounts (localpart, password_hash, created_at) values (?1, ?2, ?3)",
        params![account.localpart.as_str(), account.password_hash, account.created_at.as_millis()],
    )?;
    for (threepid, session) in &proofs {
        threepids::insert(tx, threepid)?;
        sessions::save(tx, session)?;
    }
    if let Some(login) = &registration.login {
        devices::log_in(tx, login)?;
    }
    if let Some(session) = &session {
        accept_terms(tx, session, &account.localpart, now)?;
        let registered = Some(account.localpart.clone());
        uia::save(tx, &UiaSession { registered, ..session.finish(now) })?;
    }
    Ok(Registered::Created)
}

/// The account's address and the session that proves it, consumed.
fn prove(
    tx: &Connection,
    threepid: &RegisteredThreepid,
    localpart: &Localpart,
    now: Timestamp,
) -> Outcome<Result<(AccountThreepid, ValidationSession), RegisterRefusal>> {
    let session = sessions::load(tx, threepid.sid)?;
    let owner = match &session {
        Some(session) => threepids::find_owners_name(tx, session.address_hash)?,
        None => None,
    };
    let (session, sealed_address) = (session.as_ref(), &threepid.sealed_address);
    Ok(ValidationSession::register(session, owner.as_ref(), localpart, sealed_address, now))
}

fn accept_terms(tx: &Connection, session: &UiaSession, localpart: &Localpart, now: Timestamp) -> Outcome<()> {
    if !session.has_completed(Stage::Terms) {
        return Ok(());
    }
    for terms in &session.shown_terms {
        change(
            tx,
            "insert or ignore into terms_acceptances (localpart, policy, version, accepted_at)
             values (?1, ?2, ?3, ?4)",
            params![localpart.as_str(), terms.policy(), terms.version(), now.as_millis()],
        )?;
    }
    Ok(())
}

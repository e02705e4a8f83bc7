//! What is there of what allows a change to an account.

use countersign_core::{Account, Authorization, Credential, Grounds, Localpart};
use rusqlite::Connection;

use super::{failure::Outcome, sessions, threepids, uia};

/// Loads what an authorization rests on. `account` is the one that is to change, if it lives here.
pub(super) fn load(
    tx: &Connection,
    authorization: &Authorization,
    localpart: &Localpart,
    account: Option<Account>,
) -> Outcome<Grounds> {
    let uia_session = authorization.uia_session.map(|id| uia::load(tx, id)).transpose()?.flatten();
    let mut grounds = Grounds { account, uia_session, ..Grounds::default() };
    match &authorization.credential {
        Credential::Session | Credential::Password(_) => {}
        Credential::Threepid(sid) => {
            grounds.proof = sessions::load(tx, *sid)?;
            if let Some(proof) = &grounds.proof {
                grounds.proof_owner = threepids::find_owner(tx, proof.address_hash)?;
            }
        }
        Credential::AccessToken => grounds.threepids = threepids::list_threepids(tx, localpart)?.len(),
    }
    Ok(grounds)
}

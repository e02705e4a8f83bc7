//! What is there of what allows a change to an account.

use countersign_core::{AccountHome, Authorization, Credential, Grounds, Localpart, SessionId};

use tokio_postgres::Row;

use super::{
    accounts,
    connection::Transaction,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first},
    sessions, threepids, uia,
};

/// What others may do to the account's row until the end of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// Rely on it, not change it.
    Share,
    /// Neither.
    Exclusive,
}

/// Loads what an authorization rests on, in the order in which everything is locked: authentication session, account,
/// validation session, address. None of it changes until the end of the transaction.
pub(super) async fn load_and_lock(
    tx: &mut Transaction,
    authorization: &Authorization,
    localpart: &Localpart,
    home: AccountHome,
    lock: Lock,
) -> Outcome<Grounds> {
    load_and_lock_beside(tx, authorization, localpart, home, lock, None).await
}

/// The same where the change is about one more validation session: that and the one of the authorization are locked in one
/// order, whichever is which.
pub(super) async fn load_and_lock_beside(
    tx: &mut Transaction,
    authorization: &Authorization,
    localpart: &Localpart,
    home: AccountHome,
    lock: Lock,
    beside: Option<&SessionId>,
) -> Outcome<Grounds> {
    let mut grounds = Grounds::default();
    if let Some(id) = authorization.uia_session {
        grounds.uia_session = uia::load_and_lock(tx, id).await?;
    }
    if home == AccountHome::Here {
        let find = match (lock, &authorization.credential) {
            (Lock::Exclusive, _) | (Lock::Share, Credential::AccessToken) => {
                accounts::find_and_lock(localpart)
            }
            (Lock::Share, Credential::Session | Credential::Password(_) | Credential::Threepid(_)) => {
                accounts::find_and_share(localpart)
            }
        };
        let [found] = tx.run([find]).await?;
        grounds.account = accounts::read_found(&found, localpart)?;
    }
    match &authorization.credential {
        Credential::Session | Credential::Password(_) => {}
        Credential::Threepid(sid) => {
            if let Some(beside) = beside {
                tx.run([sessions::lock_in_order([sid, beside])]).await?;
            }
            let [found] = tx.run([sessions::find_and_lock(sid)]).await?;
            grounds.proof = sessions::read_found(&found)?;
            if let Some(proof) = &grounds.proof {
                let [found] = tx.run([threepids::share_owner(&proof.address_hash)]).await?;
                grounds.proof_owner = first(&found.rows, |row| Ok(threepids::read_owner(row)?.1))?;
            }
        }
        Credential::AccessToken => {
            let [found] = tx.run([count_threepids(localpart)]).await?;
            let count = |row: &Row| Columns::of("account_threepids", row).integer("count");
            grounds.threepids = first(&found.rows, count)?.unwrap_or_default();
        }
    }
    Ok(grounds)
}

fn count_threepids(localpart: &Localpart) -> Query<'_> {
    Query::new("select count(*) from account_threepids where localpart = $1").with(localpart.as_str())
}

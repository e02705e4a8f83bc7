//! What becomes of what another program kept when it is taken over. Taking the same over again changes nothing, in whatever
//! order it comes.

use crate::{Account, AccountHome, AccountThreepid, Association, Localpart};

/// What became of something that was to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Imported {
    /// It came.
    Taken,
    /// It was here already.
    AlreadyThere,
    /// Its address is another user's here.
    OtherUser,
    /// Its account is not here, or was given up.
    NoAccount,
}

impl Association {
    /// What becomes of this one, and what is kept in place of `existing`, which has the same address: of two users the one
    /// that was bound later, else the one that was here. `None`: what is here stays as it is.
    pub fn import(&self, existing: Option<&Self>) -> (Imported, Option<Self>) {
        match existing {
            None => (Imported::Taken, Some(self.clone())),
            Some(existing) if existing.user_id == self.user_id => {
                let is_later = existing.bound_at < self.bound_at;
                (Imported::AlreadyThere, is_later.then(|| self.clone()))
            }
            Some(existing) if existing.bound_at < self.bound_at => (Imported::Taken, Some(self.clone())),
            Some(_) => (Imported::OtherUser, None),
        }
    }
}

impl AccountThreepid {
    /// What becomes of this one, given whose its address is here, where its account lives, and the account, if it is here.
    /// Nobody loses an address by it.
    pub fn import(
        &self,
        owner: Option<&Localpart>,
        home: AccountHome,
        account: Option<&Account>,
    ) -> Imported {
        let has_account = match home {
            AccountHome::Here => account.is_some_and(Account::is_live),
            AccountHome::Elsewhere => true,
        };
        match owner {
            Some(owner) if *owner == self.localpart => Imported::AlreadyThere,
            Some(_) => Imported::OtherUser,
            None if has_account => Imported::Taken,
            None => Imported::NoAccount,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AddressHash, Medium, Sealed, ServerName, Timestamp, UserId};

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn association(name: &str, bound_at: i64) -> Association {
        let server_name = ServerName::parse("example.org").unwrap();
        Association {
            medium: Medium::Email,
            address_hash: AddressHash::from_bytes([1; 32]),
            sealed_address: Sealed::from_bytes(Vec::new()),
            user_id: UserId::new(&Localpart::from_stored(name.to_owned()), &server_name),
            bound_at: Timestamp::from_millis(bound_at),
        }
    }

    #[test]
    fn later_bind_wins_and_what_is_here_wins_a_tie() {
        let here = association("alice", 5);
        for (imported, expected, kept) in [
            (association("alice", 5), Imported::AlreadyThere, None),
            (association("alice", 4), Imported::AlreadyThere, None),
            (association("alice", 6), Imported::AlreadyThere, Some(6)),
            (association("bob", 4), Imported::OtherUser, None),
            (association("bob", 5), Imported::OtherUser, None),
            (association("bob", 6), Imported::Taken, Some(6)),
        ] {
            let (outcome, keep) = imported.import(Some(&here));
            assert_eq!((outcome, keep.as_ref().map(|keep| keep.bound_at.as_millis())), (expected, kept));
            assert!(keep.is_none_or(|keep| keep == imported));
        }
        assert_eq!(here.import(None), (Imported::Taken, Some(here.clone())));
    }

    #[test]
    fn outcome_does_not_depend_on_how_often_what_comes() {
        let rows = [association("alice", 1), association("bob", 5), association("alice", 9)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
            let mut kept = None;
            for index in order.into_iter().chain(order) {
                if let (_, Some(keep)) = rows[index].import(kept.as_ref()) {
                    kept = Some(keep);
                }
            }
            assert_eq!(kept.as_ref(), Some(&rows[2]));
        }
    }

    #[test]
    fn an_address_is_taken_from_nobody_and_needs_an_account() {
        let name = |name: &str| Localpart::from_stored(name.to_owned());
        let threepid = AccountThreepid {
            localpart: name("alice"),
            medium: Medium::Email,
            address_hash: AddressHash::from_bytes([1; 32]),
            sealed_address: Sealed::from_bytes(Vec::new()),
            validated_at: NOW,
            added_at: NOW,
        };
        let live =
            Account { localpart: name("alice"), password_hash: None, created_at: NOW, deactivated_at: None };
        let dead = Account { deactivated_at: Some(NOW), ..live.clone() };
        let (here, elsewhere) = (AccountHome::Here, AccountHome::Elsewhere);
        for (owner, home, account, expected) in [
            (None, here, Some(&live), Imported::Taken),
            (None, here, Some(&dead), Imported::NoAccount),
            (None, here, None, Imported::NoAccount),
            (None, elsewhere, None, Imported::Taken),
            (Some(name("alice")), elsewhere, None, Imported::AlreadyThere),
            (Some(name("bob")), here, Some(&live), Imported::OtherUser),
        ] {
            assert_eq!(threepid.import(owner.as_ref(), home, account), expected);
        }
    }
}

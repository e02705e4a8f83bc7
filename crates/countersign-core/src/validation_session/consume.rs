//! A validated session has its effect: the address goes to an account.

use super::{Consumed, ValidationSession};
use crate::{
    Account, AccountHome, AccountThreepid, ClientSecretHash, Localpart, NoticeDraft, Sealed, SessionId,
    SessionPurpose, Timestamp,
};

/// A wish to add a validated address to an account.
#[derive(Clone, Debug)]
pub struct AddThreepid {
    /// The session.
    pub sid: SessionId,
    /// The client secret.
    pub client_secret_hash: ClientSecretHash,
    /// The account.
    pub localpart: Localpart,
    /// The session's address, sealed for the account's row.
    pub sealed_address: Sealed,
    /// Where the account lives. One that lives here must be there, and not given up.
    pub account: AccountHome,
    /// What is written to the addresses that the account has already.
    pub notices: Vec<NoticeDraft>,
}

/// What is saved when an address goes to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddDecision {
    /// Save the address and the session.
    Add {
        /// The account's new address.
        threepid: AccountThreepid,
        /// The session, consumed.
        session: ValidationSession,
    },
    /// The account has the address already. Save the session, if it changed.
    AlreadyAdded(Option<ValidationSession>),
}

/// Why an address does not go to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddRefusal {
    /// The session is unknown, not for this, not validated, expired or used by someone else; or the account is gone.
    AuthFailed,
    /// Another account has the address.
    InUse,
}

impl ValidationSession {
    /// Decides whether a session's address goes to an account. The same caller's retry after a lost answer succeeds.
    /// An address of another account is never moved.
    ///
    /// `owner` has the session's address, and `account` is the one that is to get it, if it lives here.
    ///
    /// # Errors
    /// When the session proves nothing, the account is gone, or the address has another owner.
    pub fn add_threepid(
        session: Option<&Self>,
        owner: Option<&Localpart>,
        account: Option<&Account>,
        add: &AddThreepid,
        now: Timestamp,
    ) -> Result<AddDecision, AddRefusal> {
        if add.account == AccountHome::Here && !account.is_some_and(Account::is_live) {
            return Err(AddRefusal::AuthFailed);
        }
        let session = session
            .filter(|session| session.client_secret_hash == add.client_secret_hash)
            .filter(|session| session.purpose == SessionPurpose::AddThreepid && !session.decoy)
            .ok_or(AddRefusal::AuthFailed)?;
        let is_owner = owner == Some(&add.localpart);
        if let Some(consumed) = &session.consumed {
            let repeats = consumed.by == add.localpart && is_owner;
            return if repeats { Ok(AddDecision::AlreadyAdded(None)) } else { Err(AddRefusal::AuthFailed) };
        }
        let validated_at = session
            .validated_at
            .filter(|_| !session.is_expired(now) && session.ended.is_none())
            .ok_or(AddRefusal::AuthFailed)?;
        let consumed = session.consumed_by(&add.localpart, now);
        if is_owner {
            return Ok(AddDecision::AlreadyAdded(Some(consumed)));
        }
        if owner.is_some() {
            return Err(AddRefusal::InUse);
        }
        let threepid = session.threepid(&add.localpart, &add.sealed_address, validated_at, now);
        Ok(AddDecision::Add { threepid, session: consumed })
    }

    /// The session after it had its effect.
    pub(super) fn consumed_by(&self, localpart: &Localpart, now: Timestamp) -> Self {
        Self { consumed: Some(Consumed { at: now, by: localpart.clone() }), ..self.clone() }
    }

    /// Its address on an account.
    pub(super) fn threepid(
        &self,
        localpart: &Localpart,
        sealed_address: &Sealed,
        validated_at: Timestamp,
        now: Timestamp,
    ) -> AccountThreepid {
        AccountThreepid {
            localpart: localpart.clone(),
            medium: self.medium,
            address_hash: self.address_hash,
            sealed_address: sealed_address.clone(),
            validated_at,
            added_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::test_data::*, *};
    use crate::{EndReason, Ended};

    fn consumed_by(who: &str) -> ValidationSession {
        ValidationSession {
            consumed: Some(Consumed { at: NOW, by: localpart(who) }),
            ..validated(&request())
        }
    }

    fn decide(
        session: &ValidationSession,
        owner: Option<&str>,
        now: Timestamp,
    ) -> Result<AddDecision, AddRefusal> {
        let owner = owner.map(localpart);
        ValidationSession::add_threepid(Some(session), owner.as_ref(), None, &add("alice"), now)
    }

    #[test]
    fn a_validated_session_adds_its_address_and_is_consumed() {
        let session = validated(&request());
        let now = session.expires_at;
        let Ok(AddDecision::Add { threepid, session: saved }) = decide(&session, None, now) else {
            panic!("not added")
        };
        let expected = AccountThreepid {
            localpart: localpart("alice"),
            medium: session.medium,
            address_hash: session.address_hash,
            sealed_address: add("alice").sealed_address,
            validated_at: NOW,
            added_at: now,
        };
        assert_eq!(threepid, expected);
        let consumed = Some(Consumed { at: now, by: localpart("alice") });
        assert_eq!(saved, ValidationSession { consumed, ..session });
    }

    #[test]
    fn a_session_that_lost_its_key_still_adds() {
        let former = ValidationSession { latest: false, ..validated(&request()) };
        assert!(matches!(decide(&former, None, NOW), Ok(AddDecision::Add { .. })));
    }

    #[test]
    fn a_session_that_proves_nothing_adds_nothing() {
        let good = validated(&request());
        let ended = Some(Ended { at: NOW, reason: EndReason::NotMe });
        let mut refused = vec![
            ("not validated", sent(&request())),
            ("not even sent", opened(&request())),
            ("decoy", ValidationSession { decoy: true, ..good.clone() }),
            ("ended", ValidationSession { ended, ..good.clone() }),
            ("expired", ValidationSession { expires_at: NOW.before(TICK), ..good.clone() }),
            ("used by someone else", consumed_by("bob")),
            (
                "other secret",
                ValidationSession {
                    client_secret_hash: ClientSecretHash::from_bytes([9; 32]),
                    ..good.clone()
                },
            ),
        ];
        for purpose in
            SessionPurpose::ALL.into_iter().filter(|purpose| *purpose != SessionPurpose::AddThreepid)
        {
            refused.push((purpose.as_str(), ValidationSession { purpose, ..good.clone() }));
        }
        for (what, session) in refused {
            for owner in [None, Some("alice"), Some("bob")] {
                assert_eq!(
                    decide(&session, owner, NOW),
                    Err(AddRefusal::AuthFailed),
                    "{what}, owner {owner:?}"
                );
            }
        }
        let unknown = ValidationSession::add_threepid(None, None, None, &add("alice"), NOW);
        assert_eq!(unknown, Err(AddRefusal::AuthFailed));
    }

    #[test]
    fn an_address_of_another_account_is_never_moved() {
        assert_eq!(decide(&validated(&request()), Some("bob"), NOW), Err(AddRefusal::InUse));
    }

    #[test]
    fn the_same_callers_retry_succeeds_while_the_address_is_theirs() {
        let used = consumed_by("alice");
        let long_after = used.expires_at.after(DAY);
        for now in [NOW, long_after] {
            assert_eq!(decide(&used, Some("alice"), now), Ok(AddDecision::AlreadyAdded(None)));
            // Taken from the account since then, or even moved on: one proof has one effect.
            assert_eq!(decide(&used, None, now), Err(AddRefusal::AuthFailed));
            assert_eq!(decide(&used, Some("bob"), now), Err(AddRefusal::AuthFailed));
        }
    }

    #[test]
    fn proving_an_address_that_one_has_consumes_the_session() {
        let session = validated(&request());
        let consumed = Some(Consumed { at: NOW, by: localpart("alice") });
        let expected = AddDecision::AlreadyAdded(Some(ValidationSession { consumed, ..session.clone() }));
        assert_eq!(decide(&session, Some("alice"), NOW), Ok(expected));
    }
}

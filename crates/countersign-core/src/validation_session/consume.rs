//! A validated session has its effect: the address goes to an account.

use super::{Consumed, ValidationSession};
use crate::{
    Account, AccountHome, AccountThreepid, Authorization, ClientSecretHash, Grounds, Lapsed, Localpart,
    NoticeDraft, Sealed, SessionId, SessionPurpose, Timestamp, UiaSession,
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
    /// What allows it.
    pub authorization: Authorization,
    /// What is written to the addresses that the account has already.
    pub notices: Vec<NoticeDraft>,
}

/// What is there when an address is to go to an account.
#[derive(Clone, Debug, Default)]
pub struct AddState {
    /// The session.
    pub session: Option<ValidationSession>,
    /// Who has its address.
    pub owner: Option<Localpart>,
    /// What the authorization rests on, with the account that is to get the address, if it lives here.
    pub grounds: Grounds,
}

/// What is saved when an address goes to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddDecision {
    /// Save the address and the sessions.
    Add {
        /// The account's new address.
        threepid: AccountThreepid,
        /// The session, consumed, and the one that allowed it, if one did.
        sessions: Vec<ValidationSession>,
        /// The authentication session, finished, if there is one.
        uia_session: Option<UiaSession>,
    },
    /// The account has the address already. Save the sessions that changed.
    AlreadyAdded {
        /// As above.
        sessions: Vec<ValidationSession>,
        /// As above.
        uia_session: Option<UiaSession>,
    },
    /// The same caller's retry. Nothing changes.
    Repeated,
}

/// Why an address does not go to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddRefusal {
    /// The session is unknown, not for this, not validated, expired or used by someone else; or the account is gone.
    AuthFailed,
    /// Another account has the address.
    InUse,
    /// What allowed it does so no more.
    Lapsed(Lapsed),
}

impl ValidationSession {
    /// Decides whether a session's address goes to an account. The same caller's retry after a lost answer succeeds, also
    /// though what allowed it was used up. An address of another account is never moved.
    ///
    /// # Errors
    /// When the session proves nothing, the account is gone, the authorization lapsed, or the address has another owner.
    pub fn add_threepid(
        state: &AddState,
        add: &AddThreepid,
        now: Timestamp,
    ) -> Result<AddDecision, AddRefusal> {
        let AddState { session, owner, grounds } = state;
        if add.account == AccountHome::Here && !grounds.account.as_ref().is_some_and(Account::is_live) {
            return Err(AddRefusal::AuthFailed);
        }
        let session = session
            .as_ref()
            .filter(|session| session.client_secret_hash == add.client_secret_hash)
            .filter(|session| session.purpose == SessionPurpose::AddThreepid && !session.decoy)
            .ok_or(AddRefusal::AuthFailed)?;
        let is_owner = owner.as_ref() == Some(&add.localpart);
        if let Some(consumed) = &session.consumed {
            let repeats = consumed.by == add.localpart && is_owner;
            return if repeats { Ok(AddDecision::Repeated) } else { Err(AddRefusal::AuthFailed) };
        }
        let validated_at = session
            .validated_at
            .filter(|_| !session.is_expired(now) && session.ended.is_none())
            .ok_or(AddRefusal::AuthFailed)?;
        let proof = add.authorization.check(grounds, &add.localpart, now).map_err(AddRefusal::Lapsed)?;
        let consumed = session.consumed_by(&add.localpart, now);
        let sessions = [consumed].into_iter().chain(proof).collect();
        let uia_session = grounds.uia_session.as_ref().map(|session| session.finish_for(&add.localpart, now));
        if is_owner {
            return Ok(AddDecision::AlreadyAdded { sessions, uia_session });
        }
        if owner.is_some() {
            return Err(AddRefusal::InUse);
        }
        let threepid = session.threepid(&add.localpart, &add.sealed_address, validated_at, now);
        Ok(AddDecision::Add { threepid, sessions, uia_session })
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
    use crate::{Credential, EndReason, Ended, ThreepidOwner, ValidationRequest};

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
        decide_with(session, owner, &add("alice"), now)
    }

    fn decide_with(
        session: &ValidationSession,
        owner: Option<&str>,
        add: &AddThreepid,
        now: Timestamp,
    ) -> Result<AddDecision, AddRefusal> {
        let (session, owner) = (Some(session.clone()), owner.map(localpart));
        let state = AddState { session, owner, grounds: Grounds::default() };
        ValidationSession::add_threepid(&state, add, now)
    }

    #[test]
    fn a_validated_session_adds_its_address_and_is_consumed() {
        let session = validated(&request());
        let now = session.expires_at;
        let Ok(AddDecision::Add { threepid, sessions, uia_session: None }) = decide(&session, None, now)
        else {
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
        assert_eq!(sessions, [ValidationSession { consumed, ..session }]);
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
        let unknown = ValidationSession::add_threepid(&AddState::default(), &add("alice"), NOW);
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
            assert_eq!(decide(&used, Some("alice"), now), Ok(AddDecision::Repeated));
            // Taken from the account since then, or even moved on: one proof has one effect.
            assert_eq!(decide(&used, None, now), Err(AddRefusal::AuthFailed));
            assert_eq!(decide(&used, Some("bob"), now), Err(AddRefusal::AuthFailed));
        }
    }

    #[test]
    fn proving_an_address_that_one_has_consumes_the_session() {
        let session = validated(&request());
        let consumed = Some(Consumed { at: NOW, by: localpart("alice") });
        let sessions = vec![ValidationSession { consumed, ..session.clone() }];
        let expected = AddDecision::AlreadyAdded { sessions, uia_session: None };
        assert_eq!(decide(&session, Some("alice"), NOW), Ok(expected));
    }

    #[test]
    fn what_allowed_it_is_consumed_with_it_and_a_repeat_needs_it_no_more() {
        let session = validated(&request());
        let reset = ValidationRequest { purpose: SessionPurpose::ResetPassword, ..request() };
        let proof = ValidationSession { sid: sid(9), ..validated(&reset) };
        let authorization = Authorization { uia_session: None, credential: Credential::Threepid(proof.sid) };
        let add = AddThreepid { authorization, ..add("alice") };
        let decide = |session: &ValidationSession, owner: Option<&str>, proof: &ValidationSession| {
            let grounds = Grounds {
                proof: Some(proof.clone()),
                proof_owner: Some(ThreepidOwner { localpart: localpart("alice"), added_at: NOW }),
                ..Grounds::default()
            };
            let state = AddState { session: Some(session.clone()), owner: owner.map(localpart), grounds };
            ValidationSession::add_threepid(&state, &add, NOW)
        };
        let Ok(AddDecision::Add { sessions, .. }) = decide(&session, None, &proof) else {
            panic!("not added")
        };
        let [used, used_proof] = &sessions[..] else { panic!("not both: {sessions:?}") };
        assert_eq!((used.sid, used_proof.sid), (session.sid, proof.sid));
        assert!(used.consumed.is_some() && used_proof.consumed.is_some());
        assert_eq!(decide(used, Some("alice"), used_proof), Ok(AddDecision::Repeated));
        let lapsed = Err(AddRefusal::Lapsed(Lapsed::Proof));
        assert_eq!(decide(&session, None, used_proof), lapsed);
        // Nobody learns whose an address is by a proof that does not count.
        assert_eq!(decide(&session, Some("bob"), used_proof), lapsed);
        assert_eq!(decide(&session, Some("bob"), &proof), Err(AddRefusal::InUse));
    }
}

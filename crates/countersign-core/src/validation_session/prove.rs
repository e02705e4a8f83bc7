//! A validated session proves its address to a stage of an authentication, and is consumed by what that allows.

use std::time::Duration;

use thiserror::Error;

use super::ValidationSession;
use crate::{
    AccountThreepid, ClientSecretHash, Localpart, Medium, Sealed, SessionPurpose, ThreepidOwner, Timestamp,
};

/// A session does not prove its address: it is unknown, for something else, not validated, over or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the session does not prove the address")]
pub struct Unproven;

/// Why no account begins with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterRefusal {
    /// The session proves nothing any more.
    Unproven,
    /// An account has the address.
    InUse,
}

impl ValidationSession {
    /// Whether a session proves an address of that medium to an authentication of that purpose. It stays as it is: what
    /// the authentication allows consumes it ([`register`](Self::register), [`speak_for`](Self::speak_for)).
    ///
    /// # Errors
    /// When it proves nothing (yet).
    pub fn proves<'a>(
        session: Option<&'a Self>,
        secret: &ClientSecretHash,
        purpose: SessionPurpose,
        medium: Medium,
        now: Timestamp,
    ) -> Result<&'a Self, Unproven> {
        let session = session.filter(|session| session.client_secret_hash == *secret).ok_or(Unproven)?;
        let proves = session.medium == medium && session.counts_for(purpose, now).is_some();
        if proves { Ok(session) } else { Err(Unproven) }
    }

    /// The address with which a new account begins, and the session that proved it, consumed. `owner` has the address.
    ///
    /// # Errors
    /// When it proves nothing any more, or an account has the address.
    pub fn register(
        session: Option<&Self>,
        owner: Option<&Localpart>,
        localpart: &Localpart,
        sealed_address: &Sealed,
        now: Timestamp,
    ) -> Result<(AccountThreepid, Self), RegisterRefusal> {
        let (session, validated_at) = session
            .and_then(|session| Some((session, session.counts_for(SessionPurpose::Register, now)?)))
            .ok_or(RegisterRefusal::Unproven)?;
        if owner.is_some() {
            return Err(RegisterRefusal::InUse);
        }
        let threepid = session.threepid(localpart, sealed_address, validated_at, now);
        Ok((threepid, session.consumed_by(localpart, now)))
    }

    /// The session after it spoke for the account that has its address, consumed.
    ///
    /// # Errors
    /// When it proves nothing any more, or not that it was the account's owner who proved it.
    pub fn speak_for(
        session: Option<&Self>,
        owner: Option<&ThreepidOwner>,
        localpart: &Localpart,
        now: Timestamp,
    ) -> Result<Self, Unproven> {
        let session = session
            .filter(|session| session.counts_for(SessionPurpose::ResetPassword, now).is_some())
            .ok_or(Unproven)?;
        if session.is_of(owner, localpart) { Ok(session.consumed_by(localpart, now)) } else { Err(Unproven) }
    }

    /// Whether its address is on the account, and was already when it was proven. An address may move: who had it before
    /// speaks for the account that had it then, and never for the one that got it since.
    pub fn is_of(&self, owner: Option<&ThreepidOwner>, localpart: &Localpart) -> bool {
        match (owner, self.validated_at) {
            (Some(owner), Some(validated_at)) => {
                // By another service's clock it may have been proven before it was even asked for here.
                let proven_at = validated_at.max(self.created_at);
                owner.localpart == *localpart && owner.added_at <= proven_at
            }
            (Some(_) | None, _) => false,
        }
    }

    /// The session after another service validated its address, if that changes it. The time of the proof is the other
    /// service's; the session's life is ours.
    ///
    /// # Errors
    /// When its time is over, or it was ended or used.
    pub fn validated_elsewhere(
        session: Option<&Self>,
        validated_at: Timestamp,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Option<Self>, Unproven> {
        let session = session
            .filter(|session| !session.is_expired(now) && session.ended.is_none() && !session.decoy)
            .filter(|session| session.consumed.is_none())
            .ok_or(Unproven)?;
        if session.validated_at.is_some() {
            return Ok(None);
        }
        // A clock that is ahead of ours must not put the proof into the future.
        let validated_at = Some(validated_at.min(now));
        Ok(Some(Self { validated_at, ..session.validated(lifetime, now) }))
    }

    /// When it proved its address, if it still may have an effect for that purpose.
    fn counts_for(&self, purpose: SessionPurpose, now: Timestamp) -> Option<Timestamp> {
        let counts = self.purpose == purpose
            && !self.decoy
            && !self.is_expired(now)
            && self.ended.is_none()
            && self.consumed.is_none();
        self.validated_at.filter(|_| counts)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::test_data::*, *};
    use crate::{Consumed, EndReason, Ended, ValidationRequest};

    fn good(purpose: SessionPurpose) -> ValidationSession {
        validated(&ValidationRequest { purpose, ..request() })
    }

    /// What a session becomes that proves nothing, with the reason.
    fn spoiled(good: &ValidationSession) -> Vec<(&'static str, ValidationSession)> {
        let ended = Some(Ended { at: NOW, reason: EndReason::NotMe });
        let consumed = Some(Consumed { at: NOW, by: localpart("alice") });
        vec![
            ("not validated", ValidationSession { validated_at: None, ..good.clone() }),
            ("decoy", ValidationSession { decoy: true, ..good.clone() }),
            ("ended", ValidationSession { ended, ..good.clone() }),
            ("used", ValidationSession { consumed, ..good.clone() }),
            ("expired", ValidationSession { expires_at: NOW.before(TICK), ..good.clone() }),
        ]
    }

    #[test]
    fn a_session_proves_its_own_address_for_its_own_purpose() {
        let secret = request().client_secret_hash;
        for purpose in SessionPurpose::ALL {
            let session = good(purpose);
            let check = |session: &ValidationSession, secret: &ClientSecretHash, wanted, medium| {
                ValidationSession::proves(Some(session), secret, wanted, medium, NOW).map(|_| ())
            };
            for wanted in SessionPurpose::ALL {
                let proves = check(&session, &secret, wanted, Medium::Email).is_ok();
                assert_eq!(proves, wanted == purpose, "{purpose:?} for {wanted:?}");
            }
            assert_eq!(check(&session, &secret, purpose, Medium::Msisdn), Err(Unproven));
            let other = ClientSecretHash::from_bytes([9; 32]);
            assert_eq!(check(&session, &other, purpose, Medium::Email), Err(Unproven));
            for (what, session) in spoiled(&session) {
                assert_eq!(check(&session, &secret, purpose, Medium::Email), Err(Unproven), "{what}");
            }
        }
        let unknown = ValidationSession::proves(None, &secret, SessionPurpose::Register, Medium::Email, NOW);
        assert_eq!(unknown, Err(Unproven));
    }

    #[test]
    fn a_new_account_begins_with_an_address_of_nobody() {
        let (alice, sealed) = (localpart("alice"), Sealed::from_bytes(vec![17]));
        let now = NOW.after(TICK);
        let register = |session: &ValidationSession, owner: Option<&Localpart>| {
            ValidationSession::register(Some(session), owner, &alice, &sealed, now)
        };
        let session = good(SessionPurpose::Register);
        let (threepid, saved) = register(&session, None).unwrap();
        assert_eq!((threepid.localpart, threepid.sealed_address), (alice.clone(), sealed.clone()));
        assert_eq!((threepid.validated_at, threepid.added_at), (NOW, now));
        let consumed = Some(Consumed { at: now, by: alice.clone() });
        assert_eq!(saved, ValidationSession { consumed, ..session.clone() });
        for owner in ["alice", "bob"].map(localpart) {
            assert_eq!(register(&session, Some(&owner)), Err(RegisterRefusal::InUse));
        }
        for (what, session) in spoiled(&session) {
            assert_eq!(register(&session, None), Err(RegisterRefusal::Unproven), "{what}");
        }
        for purpose in SessionPurpose::ALL.into_iter().filter(|purpose| *purpose != SessionPurpose::Register)
        {
            assert_eq!(register(&good(purpose), None), Err(RegisterRefusal::Unproven), "{purpose:?}");
        }
    }

    #[test]
    fn a_password_is_reset_by_an_address_of_the_account() {
        let alice = localpart("alice");
        let reset = |session: &ValidationSession, owner: Option<&str>| {
            let owner = owner.map(|name| ThreepidOwner { localpart: localpart(name), added_at: NOW });
            ValidationSession::speak_for(Some(session), owner.as_ref(), &alice, NOW)
        };
        let session = good(SessionPurpose::ResetPassword);
        let consumed = Some(Consumed { at: NOW, by: alice.clone() });
        assert_eq!(reset(&session, Some("alice")), Ok(ValidationSession { consumed, ..session.clone() }));
        for owner in [None, Some("bob")] {
            assert_eq!(reset(&session, owner), Err(Unproven));
        }
        for (what, session) in spoiled(&session) {
            assert_eq!(reset(&session, Some("alice")), Err(Unproven), "{what}");
        }
        let others =
            SessionPurpose::ALL.into_iter().filter(|purpose| *purpose != SessionPurpose::ResetPassword);
        for purpose in others {
            assert_eq!(reset(&good(purpose), Some("alice")), Err(Unproven), "{purpose:?}");
        }
    }

    #[test]
    fn a_proof_never_speaks_for_an_account_that_got_the_address_since() {
        let alice = localpart("alice");
        let session = good(SessionPurpose::ResetPassword);
        for (added_at, speaks) in [(NOW.before(TICK), true), (NOW, true), (NOW.after(TICK), false)] {
            let owner = ThreepidOwner { localpart: alice.clone(), added_at };
            let now = NOW.after(TICK);
            let spoke = ValidationSession::speak_for(Some(&session), Some(&owner), &alice, now);
            assert_eq!((spoke.is_ok(), session.is_of(Some(&owner), &alice)), (speaks, speaks));
            assert!(!session.is_of(Some(&owner), &localpart("bob")));
            assert!(!sent(&request()).is_of(Some(&owner), &alice), "it is not even proven");
        }
        let slow_clock = ValidationSession { validated_at: Some(NOW.before(DAY)), ..session };
        let owner = ThreepidOwner { localpart: alice.clone(), added_at: slow_clock.created_at };
        assert!(slow_clock.is_of(Some(&owner), &alice));
    }

    #[test]
    fn another_service_validates_once_and_not_in_the_future() {
        let open = sent(&request());
        let elsewhere = |session: &ValidationSession, at, now| {
            ValidationSession::validated_elsewhere(Some(session), at, DAY, now)
        };
        let now = NOW.after(TICK);
        let validated = elsewhere(&open, NOW, now).unwrap().unwrap();
        assert_eq!((validated.validated_at, validated.expires_at), (Some(NOW), now.after(DAY)));
        assert_eq!(elsewhere(&validated, now, now), Ok(None));
        assert_eq!(elsewhere(&open, now.after(DAY), now).unwrap().unwrap().validated_at, Some(now));
        for (what, session) in spoiled(&open).into_iter().skip(1) {
            assert_eq!(elsewhere(&session, NOW, NOW), Err(Unproven), "{what}");
        }
        assert_eq!(ValidationSession::validated_elsewhere(None, NOW, DAY, NOW), Err(Unproven));
    }
}

//! A validated session proves its address to a stage of an authentication, and is consumed by what that allows.

use std::time::Duration;

use thiserror::Error;

use super::{AddRefusal, ValidationSession};
use crate::{AccountThreepid, ClientSecretHash, Localpart, Medium, Sealed, SessionPurpose, Timestamp};

/// A session does not prove its address: it is unknown, for something else, not validated, over or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the session does not prove the address")]
pub struct Unproven;

impl ValidationSession {
    /// Whether a session proves an address of that medium to an authentication of that purpose. It stays as it is: what
    /// the authentication allows consumes it ([`register`](Self::register), [`reset_password`](Self::reset_password)).
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
    ) -> Result<(AccountThreepid, Self), AddRefusal> {
        let (session, validated_at) = session
            .and_then(|session| Some((session, session.counts_for(SessionPurpose::Register, now)?)))
            .ok_or(AddRefusal::AuthFailed)?;
        if owner.is_some() {
            return Err(AddRefusal::InUse);
        }
        let threepid = session.threepid(localpart, sealed_address, validated_at, now);
        Ok((threepid, session.consumed_by(localpart, now)))
    }

    /// The session after it allowed to set a new password, consumed. `owner` has the address, and must be the account.
    ///
    /// # Errors
    /// When it proves nothing any more, or its address is not on the account.
    pub fn reset_password(
        session: Option<&Self>,
        owner: Option<&Localpart>,
        localpart: &Localpart,
        now: Timestamp,
    ) -> Result<Self, Unproven> {
        let session = session
            .filter(|session| session.counts_for(SessionPurpose::ResetPassword, now).is_some())
            .ok_or(Unproven)?;
        if owner == Some(localpart) { Ok(session.consumed_by(localpart, now)) } else { Err(Unproven) }
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
            assert_eq!(register(&session, Some(&owner)), Err(AddRefusal::InUse));
        }
        for (what, session) in spoiled(&session) {
            assert_eq!(register(&session, None), Err(AddRefusal::AuthFailed), "{what}");
        }
        for purpose in SessionPurpose::ALL.into_iter().filter(|purpose| *purpose != SessionPurpose::Register)
        {
            assert_eq!(register(&good(purpose), None), Err(AddRefusal::AuthFailed), "{purpose:?}");
        }
    }

    #[test]
    fn a_password_is_reset_by_an_address_of_the_account() {
        let alice = localpart("alice");
        let reset = |session: &ValidationSession, owner: Option<&str>| {
            let owner = owner.map(localpart);
            ValidationSession::reset_password(Some(session), owner.as_ref(), &alice, NOW)
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

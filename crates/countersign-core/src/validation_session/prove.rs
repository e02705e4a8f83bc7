//! A validated session proves its address to a stage of an authentication, and is consumed by what that allows.

use std::time::Duration;

use thiserror::Error;

use super::{AddRefusal, Consumed, ValidationSession};
use crate::{ClientSecretHash, Localpart, Medium, SessionPurpose, Timestamp};

/// A session does not prove its address: it is unknown, for something else, not validated, over or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the session does not prove the address")]
pub struct Unproven;

impl ValidationSession {
    /// Whether a session proves an address of that medium to an authentication of that purpose. It stays as it is: what
    /// the authentication allows consumes it ([`consume_for`](Self::consume_for)).
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
        let proves = session.medium == medium && session.counts_for(purpose, now);
        if proves { Ok(session) } else { Err(Unproven) }
    }

    /// The session after it had its effect on the account `by`: a new account begins with its address, which `owner` must
    /// not have, or the account that has the address gets a new password.
    ///
    /// # Errors
    /// When it proves nothing any more, or its address is not whose it must be.
    pub fn consume_for(
        session: Option<&Self>,
        purpose: SessionPurpose,
        owner: Option<&Localpart>,
        by: &Localpart,
        now: Timestamp,
    ) -> Result<Self, AddRefusal> {
        let session =
            session.filter(|session| session.counts_for(purpose, now)).ok_or(AddRefusal::AuthFailed)?;
        match (purpose, owner) {
            (SessionPurpose::Register, None) => {}
            (SessionPurpose::Register, Some(_)) => return Err(AddRefusal::InUse),
            (SessionPurpose::ResetPassword, Some(owner)) if owner == by => {}
            _ => return Err(AddRefusal::AuthFailed),
        }
        Ok(Self { consumed: Some(Consumed { at: now, by: by.clone() }), ..session.clone() })
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

    fn counts_for(&self, purpose: SessionPurpose, now: Timestamp) -> bool {
        self.purpose == purpose
            && self.validated_at.is_some()
            && !self.decoy
            && !self.is_expired(now)
            && self.ended.is_none()
            && self.consumed.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::test_data::*, *};
    use crate::{EndReason, Ended, ValidationRequest};

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
    fn an_effect_consumes_the_session_of_the_right_owner() {
        let (alice, bob) = (localpart("alice"), localpart("bob"));
        let consume = |session: &ValidationSession, owner: Option<&Localpart>| {
            ValidationSession::consume_for(Some(session), session.purpose, owner, &alice, NOW)
        };
        let register = good(SessionPurpose::Register);
        let consumed = Some(Consumed { at: NOW, by: alice.clone() });
        assert_eq!(consume(&register, None), Ok(ValidationSession { consumed, ..register.clone() }));
        for owner in [&alice, &bob] {
            assert_eq!(consume(&register, Some(owner)), Err(AddRefusal::InUse));
        }
        let reset = good(SessionPurpose::ResetPassword);
        assert!(consume(&reset, Some(&alice)).is_ok());
        for owner in [None, Some(&bob)] {
            assert_eq!(consume(&reset, owner), Err(AddRefusal::AuthFailed));
        }
        for purpose in [SessionPurpose::AddThreepid, SessionPurpose::Identity, SessionPurpose::Verify] {
            for owner in [None, Some(&alice)] {
                assert_eq!(consume(&good(purpose), owner), Err(AddRefusal::AuthFailed), "{purpose:?}");
            }
        }
    }

    #[test]
    fn a_session_that_proves_nothing_has_no_effect() {
        for purpose in [SessionPurpose::Register, SessionPurpose::ResetPassword] {
            for (what, session) in spoiled(&good(purpose)) {
                for owner in [None, Some(&localpart("alice"))] {
                    let consumed = ValidationSession::consume_for(
                        Some(&session),
                        purpose,
                        owner,
                        &localpart("alice"),
                        NOW,
                    );
                    assert_eq!(consumed, Err(AddRefusal::AuthFailed), "{what}");
                }
            }
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

//! A validated session of the identity service has its effect: the address is bound to a user.

use thiserror::Error;

use super::ValidationSession;
use crate::{
    Association, ClientSecretHash, NoticeDraft, PepperedKey, Sealed, SessionId, SessionPurpose, Timestamp,
    UserId,
};

/// A wish to bind the address of a session to a user.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The session.
    pub sid: SessionId,
    /// The client secret.
    pub client_secret_hash: ClientSecretHash,
    /// The user.
    pub user_id: UserId,
    /// The session's address, sealed for the association's row.
    pub sealed_address: Sealed,
    /// A key under each pepper that wants one.
    pub keys: Vec<PepperedKey>,
    /// What is owed to the user's homeserver if invitations wait for the address.
    pub on_bind: NoticeDraft,
}

/// Why a session proves no address to the identity service (yet).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotValidated {
    /// There is no such session, it is for something else, or the client secret is not its.
    #[error("unknown session or wrong client secret")]
    NoSession,
    /// Its time is over, or it was ended.
    #[error("the session is over")]
    Expired,
    /// Its address was not proven.
    #[error("the address is not proven")]
    NotYet,
}

impl ValidationSession {
    /// The session, if it proves its address to the identity service, and since when. It may be used again and again while
    /// it lives.
    ///
    /// # Errors
    /// In this order: when it is unknown, over, or not validated. Without the secret nobody learns that it exists.
    pub fn validated_for_identity<'a>(
        session: Option<&'a Self>,
        secret: &ClientSecretHash,
        now: Timestamp,
    ) -> Result<(&'a Self, Timestamp), NotValidated> {
        let session = session
            .filter(|session| session.client_secret_hash == *secret)
            .filter(|session| session.purpose == SessionPurpose::Identity && !session.decoy)
            .ok_or(NotValidated::NoSession)?;
        if session.is_expired(now) || session.ended.is_some() {
            return Err(NotValidated::Expired);
        }
        let validated_at = session.validated_at.ok_or(NotValidated::NotYet)?;
        Ok((session, validated_at))
    }

    /// The association that binding a session's address makes.
    ///
    /// # Errors
    /// As [`validated_for_identity`](Self::validated_for_identity).
    pub fn bind(session: Option<&Self>, bind: &Bind, now: Timestamp) -> Result<Association, NotValidated> {
        let (session, _) = Self::validated_for_identity(session, &bind.client_secret_hash, now)?;
        Ok(Association {
            medium: session.medium,
            address_hash: session.address_hash,
            sealed_address: bind.sealed_address.clone(),
            user_id: bind.user_id.clone(),
            bound_at: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::test_data::*, *};
    use crate::{EndReason, Ended, ValidationRequest};

    fn good() -> ValidationSession {
        validated(&ValidationRequest { purpose: SessionPurpose::Identity, ..request() })
    }

    fn outcome(session: &ValidationSession, now: Timestamp) -> Result<Timestamp, NotValidated> {
        let secret = request().client_secret_hash;
        ValidationSession::validated_for_identity(Some(session), &secret, now).map(|(_, at)| at)
    }

    #[test]
    fn a_validated_session_counts_to_its_last_moment() {
        let session = good();
        assert_eq!(outcome(&session, session.expires_at), Ok(NOW));
        assert_eq!(outcome(&session, session.expires_at.after(TICK)), Err(NotValidated::Expired));
    }

    #[test]
    fn what_proves_nothing_says_why_in_the_order_of_the_specification() {
        let session = good();
        let ended = Some(Ended { at: NOW, reason: EndReason::NotMe });
        let unvalidated = ValidationSession { validated_at: None, ..session.clone() };
        for (session, why) in [
            (ValidationSession { decoy: true, ..session.clone() }, NotValidated::NoSession),
            (
                ValidationSession {
                    client_secret_hash: ClientSecretHash::from_bytes([9; 32]),
                    ..session.clone()
                },
                NotValidated::NoSession,
            ),
            (ValidationSession { ended, ..session.clone() }, NotValidated::Expired),
            (
                ValidationSession { expires_at: NOW.before(TICK), ..unvalidated.clone() },
                NotValidated::Expired,
            ),
            (unvalidated, NotValidated::NotYet),
        ] {
            assert_eq!(outcome(&session, NOW), Err(why));
        }
        for purpose in SessionPurpose::ALL.into_iter().filter(|purpose| *purpose != SessionPurpose::Identity)
        {
            assert_eq!(outcome(&ValidationSession { purpose, ..good() }, NOW), Err(NotValidated::NoSession));
        }
        let secret = request().client_secret_hash;
        let unknown = ValidationSession::validated_for_identity(None, &secret, NOW);
        assert_eq!(unknown.err(), Some(NotValidated::NoSession));
    }
}

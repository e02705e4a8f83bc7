//! A validated session has its effect: the address goes to an account.

use super::{Consumed, ValidationSession};
use crate::{AccountThreepid, ClientSecretHash, Localpart, Sealed, SessionId, SessionPurpose, Timestamp};

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
    /// The session is unknown, not for this, not validated, expired or used by someone else.
    AuthFailed,
    /// Another account has the address.
    InUse,
}

impl ValidationSession {
    /// Decides whether a session's address goes to an account. The same caller's retry after a lost answer succeeds.
    /// An address of another account is never moved.
    ///
    /// # Errors
    /// When the session proves nothing, or the address has another owner.
    pub fn add_threepid(
        session: Option<&Self>,
        owner: Option<&Localpart>,
        add: &AddThreepid,
        now: Timestamp,
    ) -> Result<AddDecision, AddRefusal> {
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
        let consumed =
            Self { consumed: Some(Consumed { at: now, by: add.localpart.clone() }), ..session.clone() };
        if is_owner {
            return Ok(AddDecision::AlreadyAdded(Some(consumed)));
        }
        if owner.is_some() {
            return Err(AddRefusal::InUse);
        }
        let threepid = AccountThreepid {
            localpart: add.localpart.clone(),
            medium: session.medium,
            address_hash: session.address_hash,
            sealed_address: add.sealed_address.clone(),
            validated_at,
            added_at: now,
        };
        Ok(AddDecision::Add { threepid, session: consumed })
    }
}

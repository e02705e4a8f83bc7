//! What a session of the identity service has proven.

use countersign_core::{
    ClientSecret, NotValidated, SessionId, ThirdPartyIdentifier, Timestamp, ValidationSession,
};
use countersign_delivery::PeerError;
use countersign_storage::StorageError;
use thiserror::Error;

use super::Verifier;
use crate::{
    delegate::FindSessionError,
    session_address::{SessionAddressError, open_session_address},
};

/// An address that a session has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedThreepid {
    /// The address.
    pub threepid: ThirdPartyIdentifier,
    /// Since when it is proven.
    pub validated_at: Timestamp,
}

/// Why it can't be said what a session has proven.
#[derive(Debug, Error)]
pub enum GetValidatedError {
    /// It has proven nothing.
    #[error(transparent)]
    NotValidated(NotValidated),
    /// Another service proves this address, and gave no answer that can be used.
    #[error("the identity service can't say whether the address is proven")]
    Unreachable(#[source] PeerError),
    /// The address can't be read.
    #[error("the address of a validated session can't be read")]
    Address(#[source] SessionAddressError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Verifier {
    /// What a session of the identity service has proven.
    ///
    /// # Errors
    /// In this order: when the session is unknown, over, or not validated. When another service would know and does not
    /// answer; when the database fails.
    pub async fn get_validated(
        &self,
        sid: Option<SessionId>,
        client_secret: &ClientSecret,
    ) -> Result<ValidatedThreepid, GetValidatedError> {
        let sid = sid.ok_or(GetValidatedError::NotValidated(NotValidated::NoSession))?;
        let secret = self.keyring.client_secret_hash(client_secret);
        let session = match self.delegate.find_session(sid, &secret).await {
            Ok(session) => session,
            Err(FindSessionError::Unreachable(cause)) => return Err(GetValidatedError::Unreachable(cause)),
            Err(FindSessionError::Storage(cause)) => return Err(cause.into()),
        };
        let now = self.clock.now();
        let (session, validated_at) =
            ValidationSession::validated_for_identity(session.as_ref(), &secret, now)
                .map_err(GetValidatedError::NotValidated)?;
        let threepid = open_session_address(&self.keyring, session).map_err(GetValidatedError::Address)?;
        Ok(ValidatedThreepid { threepid, validated_at })
    }
}

//! The address of a session, readable.

use countersign_core::{Keyring, OpenError, SealedColumn, ThirdPartyIdentifier, ValidationSession};
use thiserror::Error;

/// Why the address of a session can't be read. It never will be.
#[derive(Debug, Error)]
pub enum SessionAddressError {
    /// It does not open: a key is gone from the master key file, or the row is damaged.
    #[error("the session's address does not open")]
    Sealed(#[source] OpenError),
    /// What is sealed is no address.
    #[error("the session's address makes no sense")]
    Corrupt,
}

/// Opens the address of a session.
pub(crate) fn open_session_address(
    keyring: &Keyring,
    session: &ValidationSession,
) -> Result<ThirdPartyIdentifier, SessionAddressError> {
    let (row, sealed) = (session.sid.as_bytes(), &session.sealed_address);
    let opened = keyring.sealer().open(SealedColumn::SessionAddress, row, sealed);
    let address = opened.map_err(SessionAddressError::Sealed)?;
    let address = str::from_utf8(&address).map_err(|_| SessionAddressError::Corrupt)?;
    ThirdPartyIdentifier::from_canonical(session.medium, address).ok_or(SessionAddressError::Corrupt)
}

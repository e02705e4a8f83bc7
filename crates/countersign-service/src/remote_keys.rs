//! The keys of other servers, for what comes that they signed.

use std::{sync::Arc, time::Duration};

use countersign_core::{ClientNetwork, Clock, Keyring, PublicKeys, ServerName, SigningKeyId};
use countersign_delivery::{Federation, PeerError};
use countersign_storage::{Storage, StorageError};
use thiserror::Error;

use crate::{Limits, Signing};

/// The keys of other servers. Cheap to clone.
#[derive(Clone)]
pub struct RemoteKeys {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    federation: Arc<Federation>,
    signing: Signing,
    limits: Arc<Limits>,
}

/// Why there is no key.
#[derive(Debug, Error)]
pub enum RemoteKeyError {
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The server gave no answer that can be used.
    #[error("the server does not say which keys it has")]
    Unreachable(#[source] PeerError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl RemoteKeys {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        federation: Arc<Federation>,
        signing: Signing,
        limits: Limits,
    ) -> Self {
        Self { storage, keyring, clock, federation, signing, limits: limits.into() }
    }

    /// The keys that a server signs with; the one of that name may not be among them. `network` pays where
    /// the server must be asked, since what comes from there makes us call.
    ///
    /// # Errors
    /// When the server can't be asked, or too many were asked for; when the database fails.
    pub(crate) async fn get(
        &self,
        server: &ServerName,
        key: &SigningKeyId,
        network: ClientNetwork,
    ) -> Result<PublicKeys, RemoteKeyError> {
        // Beside a homeserver the name is that server's, and so are keys that aren't ours.
        if server == self.signing.server_name() {
            // A key that gave way to another signs no new request.
            let own = self.signing.current_keys(key).await?;
            if own.contains_key(key) {
                return Ok(own);
            }
        }
        if let Some(known) = self.federation.known_server_keys(server, key) {
            return Ok(known);
        }
        let charges = self.limits.server_key(&self.keyring, network);
        let charged = self.storage.charge(charges, self.clock.now()).await?;
        charged.map_err(|limited| RemoteKeyError::Limited(limited.retry_after))?;
        self.federation.server_keys(server, key).await.map_err(RemoteKeyError::Unreachable)
    }
}

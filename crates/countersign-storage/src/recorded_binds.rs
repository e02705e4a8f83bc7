//! Where users of this node bound their addresses.

use async_trait::async_trait;
use countersign_core::{AddressHash, Localpart, RecordedBind};

use crate::StorageError;

/// Where users of this node bound their addresses.
#[async_trait]
pub trait RecordedBindStore: Send + Sync {
    /// Remembers a bind. Again changes nothing but its time.
    async fn record_bind(&self, bind: RecordedBind) -> Result<(), StorageError>;

    /// What an account bound, oldest first: of one address, or all.
    async fn list_recorded_binds(
        &self,
        localpart: &Localpart,
        address: Option<AddressHash>,
    ) -> Result<Vec<RecordedBind>, StorageError>;

    /// Forgets a bind. Forgetting what isn't there changes nothing.
    async fn delete_recorded_bind(
        &self,
        localpart: &Localpart,
        address: AddressHash,
        id_server: &str,
    ) -> Result<(), StorageError>;
}

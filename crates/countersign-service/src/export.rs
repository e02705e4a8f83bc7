//! Writes everything out, one JSON object a line, addresses in clear (docs/moving.md). Secrets stay: passwords, tokens that
//! let people in, the private halves of keys.

use std::{io, sync::Arc};

use countersign_core::{
    AddressHash, Clock, Keyring, Localpart, Medium, OpenError, Sealed, SealedColumn, ServerName, Timestamp,
    UserId, encode_base64,
};
use countersign_storage::{Storage, StorageError};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// How many rows are read at once.
const BATCH: usize = 500;

/// The number of the format. It grows when a reader of the last one would go wrong.
const FORMAT: u32 = 1;

/// Writes everything out. Cheap to clone.
#[derive(Clone)]
pub struct Exporter {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    server_name: ServerName,
}

/// Why an export stopped. What was written is not all.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Something does not open: a key is gone from the master key file, or the row is damaged.
    #[error("a sealed value of {0} does not open")]
    Sealed(&'static str, #[source] OpenError),
    /// What is sealed makes no sense.
    #[error("a sealed value of {0} makes no sense")]
    Corrupt(&'static str),
    /// The lines can't be written.
    #[error("the output can't be written")]
    Output(#[source] io::Error),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Where lines go.
type Output<'a> = &'a mut dyn FnMut(&Value) -> io::Result<()>;

impl Exporter {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        server_name: ServerName,
    ) -> Self {
        Self { storage, keyring, clock, server_name }
    }

    /// Hands each line to `write`, and answers how many there were.
    ///
    /// A node may run meanwhile: what comes or goes while this runs may be in it or not.
    ///
    /// # Errors
    /// When something can't be read or written.
    pub async fn export(&self, mut write: impl FnMut(&Value) -> io::Result<()>) -> Result<u64, ExportError> {
        let mut lines = 0;
        let mut counted = |line: &Value| {
            lines += 1;
            write(line)
        };
        let head = json!({
            "type": "export", "format": FORMAT, "server_name": self.server_name.as_str(),
            "exported_at": self.clock.now().as_millis(),
        });
        counted(&head).map_err(ExportError::Output)?;
        self.export_accounts(&mut counted).await?;
        self.export_identity_service(&mut counted).await?;
        self.export_keys(&mut counted).await?;
        Ok(lines)
    }

    /// Accounts of the node and what is theirs.
    async fn export_accounts(&self, write: Output<'_>) -> Result<(), ExportError> {
        let accounts = pages(
            async |after| self.storage.export_accounts(after, BATCH).await,
            |account| account.localpart.clone(),
            |account| {
                Ok(json!({
                    "type": "account", "user_id": self.user_id(&account.localpart),
                    "created_at": account.created_at.as_millis(), "deactivated_at": millis(account.deactivated_at),
                }))
            },
            &mut *write,
        );
        accounts.await?;
        let devices = pages(
            async |after| self.storage.export_devices(after, BATCH).await,
            |device| (device.localpart.clone(), device.device_id.clone()),
            |device| {
                Ok(json!({
                    "type": "device", "user_id": self.user_id(&device.localpart),
                    "device_id": device.device_id.as_str(), "display_name": device.display_name,
                    "created_at": device.created_at.as_millis(),
                }))
            },
            &mut *write,
        );
        devices.await?;
        let threepids = pages(
            async |after| self.storage.export_threepids(after, BATCH).await,
            |threepid| threepid.address_hash,
            |threepid| {
                let column = SealedColumn::AccountThreepidAddress;
                Ok(json!({
                    "type": "threepid", "user_id": self.user_id(&threepid.localpart),
                    "medium": threepid.medium.as_str(),
                    "address": self.address(column, &threepid.address_hash, &threepid.sealed_address)?,
                    "validated_at": threepid.validated_at.as_millis(), "added_at": threepid.added_at.as_millis(),
                }))
            },
            &mut *write,
        );
        threepids.await?;
        let terms = pages(
            async |after| self.storage.export_terms(after, BATCH).await,
            |terms| (terms.user.clone(), terms.version.clone()),
            |terms| {
                Ok(json!({
                    "type": "terms", "user_id": self.user_id(&terms.user), "policy": terms.version.policy(),
                    "version": terms.version.version(), "accepted_at": terms.accepted_at.as_millis(),
                }))
            },
            &mut *write,
        );
        terms.await?;
        let binds = pages(
            async |after| self.storage.export_recorded_binds(after, BATCH).await,
            |bind| (bind.localpart.clone(), bind.address_hash, bind.id_server.clone()),
            |bind| {
                let column = SealedColumn::RecordedBindAddress;
                Ok(json!({
                    "type": "recorded_bind", "user_id": self.user_id(&bind.localpart),
                    "medium": bind.medium.as_str(),
                    "address": self.address(column, &bind.address_hash, &bind.sealed_address)?,
                    "id_server": bind.id_server, "bound_at": bind.bound_at.as_millis(),
                }))
            },
            write,
        );
        binds.await
    }

    /// What the identity service keeps.
    async fn export_identity_service(&self, write: Output<'_>) -> Result<(), ExportError> {
        let associations = pages(
            async |after| self.storage.list_associations(after, BATCH).await,
            |association| association.address_hash,
            |association| {
                let column = SealedColumn::AssociationAddress;
                Ok(json!({
                    "type": "association", "medium": association.medium.as_str(),
                    "address": self.address(column, &association.address_hash, &association.sealed_address)?,
                    "user_id": association.user_id.as_str(), "bound_at": association.bound_at.as_millis(),
                }))
            },
            &mut *write,
        );
        associations.await?;
        let invitations = pages(
            async |after| self.storage.export_invitations(after, BATCH).await,
            |invitation| invitation.token_hash,
            |invitation| {
                let row = invitation.token_hash.as_bytes();
                let details = self.open(SealedColumn::Invitation, row, &invitation.sealed_details)?;
                let mut details: Map<String, Value> =
                    serde_json::from_str(&details).map_err(|_| ExportError::Corrupt("invitations"))?;
                details.remove("private_key");
                Ok(json!({
                    "type": "invitation", "medium": Medium::Email.as_str(), "sender": invitation.sender.as_str(),
                    "details": details, "created_at": invitation.created_at.as_millis(),
                    "handed_over_at": millis(invitation.handed_over_at),
                }))
            },
            &mut *write,
        );
        invitations.await?;
        let accounts = pages(
            async |after| self.storage.export_identity_tokens(after, BATCH).await,
            |token| token.token,
            |token| {
                Ok(json!({
                    "type": "identity_account", "user_id": token.user_id.as_str(),
                    "created_at": token.created_at.as_millis(),
                }))
            },
            &mut *write,
        );
        accounts.await?;
        let terms = pages(
            async |after| self.storage.export_identity_terms(after, BATCH).await,
            |terms| (terms.user.clone(), terms.version.clone()),
            |terms| {
                Ok(json!({
                    "type": "identity_terms", "user_id": terms.user.as_str(), "policy": terms.version.policy(),
                    "version": terms.version.version(), "accepted_at": terms.accepted_at.as_millis(),
                }))
            },
            write,
        );
        terms.await
    }

    /// Peppers, which every client is told, and the public halves of the keys that this server signs with.
    async fn export_keys(&self, write: Output<'_>) -> Result<(), ExportError> {
        for held in self.storage.list_peppers().await? {
            let line =
                json!({ "type": "pepper", "pepper": held.pepper.as_str(), "state": held.state.as_str() });
            write(&line).map_err(ExportError::Output)?;
        }
        for key in self.storage.list_signing_keys().await? {
            let line = json!({
                "type": "signing_key", "key_id": key.key_id, "public_key": encode_base64(&key.public_key),
                "created_at": key.created_at.as_millis(), "retired_at": millis(key.retired_at),
            });
            write(&line).map_err(ExportError::Output)?;
        }
        Ok(())
    }

    fn user_id(&self, localpart: &Localpart) -> String {
        UserId::new(localpart, &self.server_name).to_string()
    }

    fn address(
        &self,
        column: SealedColumn,
        hash: &AddressHash,
        sealed: &Sealed,
    ) -> Result<String, ExportError> {
        self.open(column, hash.as_bytes(), sealed)
    }

    fn open(&self, column: SealedColumn, row: &[u8], sealed: &Sealed) -> Result<String, ExportError> {
        let table = table(column);
        let opened = self.keyring.sealer().open(column, row, sealed);
        let plain = opened.map_err(|error| ExportError::Sealed(table, error))?;
        str::from_utf8(&plain).map(str::to_owned).map_err(|_| ExportError::Corrupt(table))
    }
}

/// The table that a column is of, to name it in an error.
fn table(column: SealedColumn) -> &'static str {
    match column {
        SealedColumn::AccountThreepidAddress => "account_threepids",
        SealedColumn::AssociationAddress => "associations",
        SealedColumn::RecordedBindAddress => "recorded_binds",
        SealedColumn::Invitation => "invitations",
        SealedColumn::SessionAddress | SealedColumn::SessionNextLink => "validation_sessions",
        SealedColumn::UiaParams => "uia_sessions",
        SealedColumn::RegistrationToken => "registration_tokens",
        SealedColumn::DelegatedSession => "delegated_sessions",
        SealedColumn::SigningKey => "signing_keys",
        SealedColumn::IndexKey => "index_keys",
    }
}

fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

/// Reads rows batch by batch, each from where the last one ended, and writes a line for each.
async fn pages<R, K>(
    read: impl AsyncFn(Option<K>) -> Result<Vec<R>, StorageError>,
    key: impl Fn(&R) -> K,
    line: impl Fn(R) -> Result<Value, ExportError>,
    write: Output<'_>,
) -> Result<(), ExportError> {
    let mut after = None;
    loop {
        let rows = read(after).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(key(last));
        for row in rows {
            write(&line(row)?).map_err(ExportError::Output)?;
        }
    }
}

//! Addresses whose owners want no messages.

use async_trait::async_trait;
use countersign_core::{
    AddressHash, DropReason, MessageId, MessageOutcome, NotMe, Timestamp, ValidationSession,
};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    outbox,
    rows::{Columns, change, list},
    sessions,
};
use crate::{StorageError, SuppressionStore};

#[async_trait]
impl SuppressionStore for SqliteStorage {
    async fn suppress(&self, not_me: NotMe, now: Timestamp) -> Result<bool, StorageError> {
        self.write(move |tx| suppress(tx, &not_me, now)).await
    }
}

/// Whether the owner of the address wants no messages.
pub(super) fn is_suppressed(tx: &Connection, address: AddressHash) -> Outcome<bool> {
    let mut statement = tx.prepare_cached("select 1 from suppressions where address_hash = ?1")?;
    Ok(statement.exists([address.as_bytes()])?)
}

fn suppress(tx: &Connection, not_me: &NotMe, now: Timestamp) -> Outcome<bool> {
    let session = sessions::load(tx, not_me.sid)?;
    let Some(address) = ValidationSession::suppression(session.as_ref(), not_me) else { return Ok(false) };
    change(
        tx,
        "insert or ignore into suppressions (address_hash, created_at) values (?1, ?2)",
        params![address.as_bytes(), now.as_millis()],
    )?;
    for id in waiting_for(tx, address)? {
        outbox::finish(tx, id, MessageOutcome::Dropped(DropReason::Ended), None, now)?;
    }
    Ok(true)
}

/// Messages to an address that no worker holds; what a homeserver is owed because of the address does not go to it. Looks through the whole outbox: an index by address would cost each
/// request more than this rare wish does.
fn waiting_for(tx: &Connection, address: AddressHash) -> Outcome<Vec<MessageId>> {
    let statement = tx.prepare_cached(
        "select outbox.id from outbox join validation_sessions using (session_number, sid)
         where outbox.lease_id is null and outbox.medium <> 'federation'
            and validation_sessions.address_hash = ?1",
    )?;
    list(statement, [address.as_bytes()], |row| {
        Columns::of("outbox", row).bytes("id").map(MessageId::from_bytes)
    })
}

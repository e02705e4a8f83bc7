//! Addresses whose owners want no messages.

use async_trait::async_trait;
use countersign_core::{DropReason, MessageOutcome, NotMe, Timestamp, ValidationSession};

use super::{PostgresStorage, connection::Transaction, failure::Outcome, parameter::Query, sessions};
use crate::{StorageError, SuppressionStore};

#[async_trait]
impl SuppressionStore for PostgresStorage {
    async fn suppress(&self, not_me: NotMe, now: Timestamp) -> Result<bool, StorageError> {
        self.write(move |tx| suppress(tx, not_me.clone(), now)).await
    }
}

/// Those of the addresses whose owners want no messages.
pub(super) fn list_suppressed(addresses: Vec<&[u8]>) -> Query<'_> {
    Query::new("select address_hash from suppressions where address_hash = any($1)").with(addresses)
}

/// A request for the address that was decided but not committed when the owner spoke may still send its message, as one
/// that a worker holds does.
async fn suppress(mut tx: Transaction, not_me: NotMe, now: Timestamp) -> Outcome<bool> {
    let [found] = tx.run([sessions::find(&not_me.sid)]).await?;
    let session = sessions::read_found(&found)?;
    let Some(address) = ValidationSession::suppression(session.as_ref(), &not_me) else {
        tx.roll_back().await?;
        return Ok(false);
    };
    let insert = Query::new(
        "insert into suppressions (address_hash, created_at) values ($1, $2) on conflict (address_hash) do nothing",
    )
    .with(address.as_bytes().as_slice())
    .with(now.as_millis());
    // What a homeserver is owed because of the address does not go to it. Looks through the whole outbox: an index by address would cost each request more than this rare wish does.
    let drop = Query::new(
        "with gone as (
            delete from outbox where id in (
                select outbox.id from outbox join validation_sessions on validation_sessions.sid = outbox.sid
                where outbox.lease_id is null and outbox.medium <> 'federation'
                    and validation_sessions.address_hash = $1
                order by outbox.id for update of outbox skip locked)
            returning *)
         insert into message_history
            (id, kind, medium, sid, send_attempt, outcome, reason, tries, created_at, finished_at)
         select id, kind, medium, sid, send_attempt, $2, null, tries, created_at, $3 from gone",
    )
    .with(address.as_bytes().as_slice())
    .with(MessageOutcome::Dropped(DropReason::Ended).as_str())
    .with(now.as_millis());
    tx.finish(vec![insert, drop]).await?;
    Ok(true)
}

//! Messages that tell the owner of an account what became of it.

use countersign_core::{Localpart, Medium, MessageKind, NoticeDraft, Timestamp, ValidationSession};
use rusqlite::Connection;

use super::{failure::Outcome, outbox, sessions, suppressions, threepids};

/// Queues the notices to addresses that are on the account now and whose owners want messages. Answers their media.
pub(super) fn enqueue(
    tx: &Connection,
    localpart: &Localpart,
    drafts: &[NoticeDraft],
    kind: MessageKind,
    now: Timestamp,
) -> Outcome<Vec<Medium>> {
    let mut notified = Vec::new();
    for draft in drafts {
        let owner = threepids::find_owners_name(tx, draft.address_hash)?;
        if owner.as_ref() != Some(localpart) || suppressions::is_suppressed(tx, draft.address_hash)? {
            continue;
        }
        let (session, message) = ValidationSession::notice(draft, kind, now);
        sessions::insert(tx, &session)?;
        outbox::enqueue(tx, &message)?;
        if !notified.contains(&draft.medium) {
            notified.push(draft.medium);
        }
    }
    Ok(notified)
}

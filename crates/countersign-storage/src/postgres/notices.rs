//! Messages that tell the owner of an account what became of it.

use std::collections::BTreeSet;

use countersign_core::{
    AddressHash, Localpart, Medium, MessageKind, NoticeDraft, OutboxMessage, Timestamp, ValidationSession,
};

use super::{
    connection::Transaction,
    failure::Outcome,
    outbox,
    parameter::Query,
    rows::{Columns, list},
    sessions,
    suppressions::list_suppressed,
    threepids::{list_owners, read_owners_name},
};

/// The drafts to addresses that are on the account now and whose owners want messages.
pub(super) struct Wanted<'a>(Vec<&'a NoticeDraft>);

impl<'a> Wanted<'a> {
    pub(super) async fn of(
        tx: &mut Transaction,
        localpart: &Localpart,
        drafts: &'a [NoticeDraft],
    ) -> Outcome<Self> {
        if drafts.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let addresses: Vec<&[u8]> =
            drafts.iter().map(|draft| draft.address_hash.as_bytes().as_slice()).collect();
        let [owners, suppressed] =
            tx.run([list_owners(addresses.clone()), list_suppressed(addresses)]).await?;
        let on_account: BTreeSet<AddressHash> = list(&owners.rows, read_owners_name)?
            .into_iter()
            .filter(|(_, owner)| owner == localpart)
            .map(|(address, _)| address)
            .collect();
        let suppressed: BTreeSet<AddressHash> = list(&suppressed.rows, |row| {
            Columns::of("suppressions", row).bytes("address_hash").map(AddressHash::from_bytes)
        })?
        .into_iter()
        .collect();
        let is_wanted = |draft: &&NoticeDraft| {
            on_account.contains(&draft.address_hash) && !suppressed.contains(&draft.address_hash)
        };
        Ok(Self(drafts.iter().filter(is_wanted).collect()))
    }

    /// As [`Wanted`], but for one address, which needs no notice.
    pub(super) fn but(mut self, address: AddressHash) -> Self {
        self.0.retain(|draft| draft.address_hash != address);
        self
    }

    /// The notices.
    pub(super) fn notices(&self, kind: MessageKind, now: Timestamp) -> Notices {
        let notice = |draft: &&NoticeDraft| ValidationSession::notice(draft, kind, now);
        let (sessions, messages) = self.0.iter().map(notice).unzip();
        Notices { sessions, messages }
    }
}

/// Notices, ready to be queued.
pub(super) struct Notices {
    sessions: Vec<ValidationSession>,
    messages: Vec<OutboxMessage>,
}

impl Notices {
    /// Queues them.
    pub(super) fn queries(&self) -> Vec<Query<'_>> {
        if self.messages.is_empty() {
            return Vec::new();
        }
        vec![sessions::insert(self.sessions.iter().collect()), outbox::enqueue(&self.messages)]
    }

    /// Their media, each once, in the order of the drafts.
    pub(super) fn media(&self) -> Vec<Medium> {
        let mut media = Vec::new();
        for session in &self.sessions {
            if !media.contains(&session.medium) {
                media.push(session.medium);
            }
        }
        media
    }
}

//! The development inbox: keeps what would have been sent, in memory, for a page to show.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde::Serialize;
use tokio::sync::watch;

use crate::{Accepted, EmailMessage, EmailTransport, SendError, SmsGateway, SmsMessage};

/// Older messages make room for new ones.
const CAPACITY: usize = 1000;

/// One message as the inbox's page and JSON show it.
#[derive(Clone, Serialize)]
pub struct InboxEntry {
    /// Counts up from 1 in order of arrival.
    pub sequence: u64,
    /// The outbox id; a repeat arrives as an entry of its own with the same id.
    pub id: String,
    /// `email` or `msisdn`, as in the Matrix API.
    pub medium: &'static str,
    /// The address or phone number.
    pub to: String,
    /// The template that the message was rendered from.
    pub template: &'static str,
    /// The subject, in mail only.
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// The HTML body, in mail only.
    pub html: Option<String>,
    /// The link inside, if any.
    pub link: Option<String>,
    /// The code inside, if any.
    pub code: Option<String>,
    /// When it was sent, in milliseconds since the Unix epoch.
    pub received_at: i64,
}

/// Accepts every message and keeps the last 1000. Clones share one inbox.
#[derive(Clone, Default)]
pub struct Inbox {
    inner: Arc<Inner>,
}

struct Inner {
    entries: Mutex<VecDeque<InboxEntry>>,
    latest: watch::Sender<u64>,
}

impl Default for Inner {
    fn default() -> Self {
        Self { entries: Mutex::default(), latest: watch::Sender::new(0) }
    }
}

impl Inbox {
    /// Opens an empty inbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists all entries, oldest first.
    pub fn list(&self) -> Vec<InboxEntry> {
        self.messages_since(0)
    }

    /// Lists the entries that came after the one with this sequence number, oldest first.
    pub fn messages_since(&self, sequence: u64) -> Vec<InboxEntry> {
        self.entries().iter().filter(|entry| sequence < entry.sequence).cloned().collect()
    }

    /// Follows the latest sequence number, 0 while nothing came: read the value, list, then wait
    /// for its change.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.latest.subscribe()
    }

    fn add(&self, mut entry: InboxEntry) -> Accepted {
        let mut entries = self.entries();
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        self.inner.latest.send_modify(|latest| {
            *latest += 1;
            entry.sequence = *latest;
            entries.push_back(entry);
        });
        Accepted { reply: "inbox".to_owned() }
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<InboxEntry>> {
        // Entries are moved in whole, so a panic elsewhere leaves nothing half done.
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EmailTransport for Inbox {
    async fn send(&self, message: &EmailMessage) -> Result<Accepted, SendError> {
        Ok(self.add(InboxEntry {
            sequence: 0,
            id: message.id.clone(),
            medium: "email",
            to: message.to.clone(),
            template: message.template,
            subject: Some(message.subject.clone()),
            text: message.text.clone(),
            html: Some(message.html.clone()),
            link: message.link.clone(),
            code: message.code.clone(),
            received_at: message.date_ms,
        }))
    }
}

#[async_trait]
impl SmsGateway for Inbox {
    async fn send(&self, message: &SmsMessage) -> Result<Accepted, SendError> {
        Ok(self.add(InboxEntry {
            sequence: 0,
            id: message.id.clone(),
            medium: "msisdn",
            to: message.to.clone(),
            template: message.template,
            subject: None,
            text: message.text.clone(),
            html: None,
            link: None,
            code: message.code.clone(),
            received_at: message.date_ms,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{email, sms};

    #[tokio::test]
    async fn both_media_arrive_in_order() {
        let inbox = Inbox::new();
        let mut changed = inbox.changed();
        EmailTransport::send(&inbox, &email::tests::message()).await.unwrap();
        changed.changed().await.unwrap();
        SmsGateway::send(&inbox.clone(), &sms::tests::message()).await.unwrap();
        changed.changed().await.unwrap();
        assert_eq!(*changed.borrow(), 2);

        let entries = inbox.list();
        assert_eq!(
            entries.iter().map(|entry| (entry.sequence, entry.medium)).collect::<Vec<_>>(),
            [(1, "email"), (2, "msisdn")]
        );
        assert_eq!(inbox.messages_since(1).len(), 1);
        let json = serde_json::to_value(&entries[0]).unwrap();
        assert_eq!(json["to"], "alice@example.com");
        assert_eq!(json["code"], "123456");
        assert_eq!(json["received_at"], 1_794_996_000_000_i64);
    }

    #[tokio::test]
    async fn the_oldest_messages_make_room() {
        let inbox = Inbox::new();
        for _ in 0..CAPACITY + 5 {
            SmsGateway::send(&inbox, &sms::tests::message()).await.unwrap();
        }
        let entries = inbox.list();
        assert_eq!(entries.len(), CAPACITY);
        assert_eq!((entries[0].sequence, entries[CAPACITY - 1].sequence), (6, CAPACITY as u64 + 5));
    }
}

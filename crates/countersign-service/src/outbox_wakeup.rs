//! Tells the outbox workers that a message was committed.

use std::sync::Arc;

use countersign_core::Medium;
use tokio::sync::Notify;

/// Tells the outbox workers that a message was committed. Clones share one bell for each medium.
#[derive(Clone, Debug, Default)]
pub struct OutboxWakeup {
    email: Arc<Notify>,
    msisdn: Arc<Notify>,
}

impl OutboxWakeup {
    /// Wakes the worker of this medium, now or when it next waits.
    pub fn ring(&self, medium: Medium) {
        self.bell(medium).notify_one();
    }

    /// Waits until [`ring`](Self::ring) was called since the last wait.
    pub(crate) async fn wait(&self, medium: Medium) {
        self.bell(medium).notified().await;
    }

    fn bell(&self, medium: Medium) -> &Notify {
        match medium {
            Medium::Email => &self.email,
            Medium::Msisdn => &self.msisdn,
        }
    }
}

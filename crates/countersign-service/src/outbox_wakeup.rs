//! Tells the outbox workers that a message was committed.

use std::sync::Arc;

use countersign_core::Carrier;
use tokio::sync::Notify;

/// Tells the outbox workers that a message was committed. Clones share one bell for each carrier.
#[derive(Clone, Debug, Default)]
pub struct OutboxWakeup {
    email: Arc<Notify>,
    msisdn: Arc<Notify>,
    federation: Arc<Notify>,
}

impl OutboxWakeup {
    /// Wakes the worker of this carrier, now or when it next waits.
    pub fn ring(&self, carrier: Carrier) {
        self.bell(carrier).notify_one();
    }

    /// Waits until [`ring`](Self::ring) was called since the last wait.
    pub(crate) async fn wait(&self, carrier: Carrier) {
        self.bell(carrier).notified().await;
    }

    fn bell(&self, carrier: Carrier) -> &Notify {
        match carrier {
            Carrier::Email => &self.email,
            Carrier::Msisdn => &self.msisdn,
            Carrier::Federation => &self.federation,
        }
    }
}

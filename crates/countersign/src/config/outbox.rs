//! `[outbox]`: how messages leave.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;
use super::error::Problems;

/// How messages leave.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboxConfig {
    /// How many mails are sent at the same time; also how many connections to the mail server are kept.
    pub email_workers: NonZeroUsize,
    /// How many SMS are sent at the same time.
    pub sms_workers: NonZeroUsize,
    /// How many homeservers are told at the same time of invitations that waited.
    pub federation_workers: NonZeroUsize,
    /// How long one attempt may take.
    #[serde(with = "duration")]
    pub send_timeout: Duration,
    /// How long a worker holds a message. When a process dies, its messages are tried again after this time, so it
    /// must be longer than `send_timeout`.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// The delay before the second attempt; it doubles with each further one, give or take some.
    #[serde(with = "duration")]
    pub retry_delay_min: Duration,
    /// The longest delay between two attempts.
    #[serde(with = "duration")]
    pub retry_delay_max: Duration,
    /// How often the queue is looked at without being woken, for messages whose time has come.
    #[serde(with = "duration")]
    pub poll_interval: Duration,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            email_workers: NonZeroUsize::new(16).expect("16 is not 0"),
            sms_workers: NonZeroUsize::new(8).expect("8 is not 0"),
            federation_workers: NonZeroUsize::new(4).expect("4 is not 0"),
            send_timeout: Duration::from_secs(60),
            lease: Duration::from_secs(90),
            retry_delay_min: Duration::from_secs(5),
            retry_delay_max: Duration::from_secs(10 * 60),
            poll_interval: Duration::from_secs(1),
        }
    }
}

impl OutboxConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.lease <= self.send_timeout {
            let message = "must be longer than outbox.send_timeout, or two workers could send one message";
            problems.add("outbox.lease", message);
        }
        if self.send_timeout < Duration::from_secs(1) {
            problems.add("outbox.send_timeout", "must be at least \"1s\"");
        }
        if self.retry_delay_min.is_zero() {
            problems.add("outbox.retry_delay_min", "must not be 0");
        }
        if self.retry_delay_max < self.retry_delay_min {
            problems.add("outbox.retry_delay_max", "must not be shorter than outbox.retry_delay_min");
        }
        if self.poll_interval < Duration::from_millis(10) {
            problems.add("outbox.poll_interval", "must be at least \"10ms\"");
        }
    }
}

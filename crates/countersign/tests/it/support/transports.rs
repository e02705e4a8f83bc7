//! Transports that record what they are given, and fail when they are told to.

use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;
use countersign_delivery::{Accepted, EmailMessage, EmailTransport, SendError, SmsGateway, SmsMessage};
use tokio::sync::watch;

use super::PATIENCE;

/// Keeps messages of one kind.
struct Record<M> {
    messages: Mutex<Vec<M>>,
    failures: Mutex<VecDeque<SendError>>,
    tries: watch::Sender<usize>,
}

impl<M> Default for Record<M> {
    fn default() -> Self {
        Self { messages: Mutex::default(), failures: Mutex::default(), tries: watch::Sender::new(0) }
    }
}

impl<M: Clone> Record<M> {
    fn take(&self, message: M) -> Result<Accepted, SendError> {
        let failure = self.failures.lock().expect("not poisoned").pop_front();
        let result = match failure {
            Some(failure) => Err(failure),
            None => {
                self.messages.lock().expect("not poisoned").push(message);
                Ok(Accepted { reply: "recorded".to_owned() })
            }
        };
        self.tries.send_modify(|tries| *tries += 1);
        result
    }

    fn messages(&self) -> Vec<M> {
        self.messages.lock().expect("not poisoned").clone()
    }

    async fn wait(&self, what: &str, done: impl Fn(usize, usize) -> bool) {
        let mut tries = self.tries.subscribe();
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                // First the tries: a message that comes after this look is news to `changed`.
                let tried = *tries.borrow_and_update();
                if done(self.messages().len(), tried) {
                    break;
                }
                tries.changed().await.expect("the record lives");
            }
        });
        assert!(waited.await.is_ok(), "{what} did not come: {} came", self.messages().len());
    }
}

/// A mail server that records.
#[derive(Default)]
pub(crate) struct RecordingMailer(Record<EmailMessage>);

/// An SMS gateway that records.
#[derive(Default)]
pub(crate) struct RecordingSmsGateway(Record<SmsMessage>);

impl RecordingMailer {
    /// Waits until this many mails came in all, and answers them.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<EmailMessage> {
        self.0.wait("mail", |came, _| count <= came).await;
        self.0.messages()
    }

    /// Waits until sending was tried this often, successful or not.
    pub(crate) async fn wait_for_tries(&self, count: usize) {
        self.0.wait("a try", |_, tries| count <= tries).await;
    }

    /// What came so far.
    pub(crate) fn messages(&self) -> Vec<EmailMessage> {
        self.0.messages()
    }

    /// Lets the next tries fail so.
    pub(crate) fn fail_next(&self, errors: impl IntoIterator<Item = SendError>) {
        self.0.failures.lock().expect("not poisoned").extend(errors);
    }
}

impl RecordingSmsGateway {
    /// Waits until this many SMS came in all, and answers them.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<SmsMessage> {
        self.0.wait("SMS", |came, _| count <= came).await;
        self.0.messages()
    }

    /// What came so far.
    pub(crate) fn messages(&self) -> Vec<SmsMessage> {
        self.0.messages()
    }

    /// Lets the next tries fail so.
    pub(crate) fn fail_next(&self, errors: impl IntoIterator<Item = SendError>) {
        self.0.failures.lock().expect("not poisoned").extend(errors);
    }
}

#[async_trait]
impl EmailTransport for RecordingMailer {
    async fn send(&self, message: &EmailMessage) -> Result<Accepted, SendError> {
        self.0.take(message.clone())
    }
}

#[async_trait]
impl SmsGateway for RecordingSmsGateway {
    async fn send(&self, message: &SmsMessage) -> Result<Accepted, SendError> {
        self.0.take(message.clone())
    }
}

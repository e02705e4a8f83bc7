//! Sends what the outbox owes: leases rows, writes and sends outside any transaction, records the result (docs/decisions/0002).

use std::{sync::Arc, time::Duration};

use countersign_core::{
    Carrier, Clock, CodePolicy, GiveUpReason, LeaseId, LeasedMessage, Medium, OutboxMessage, Random,
    RetryPolicy, Timestamp,
};
use countersign_delivery::{EmailTransport, SendError, SmsGateway};
use countersign_storage::{LeaseRequest, Storage, StorageError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Delegate, MessageWriter, OnBind, OutboxWakeup,
    message_writer::{WriteError, Written},
};

/// The waits before a failed database is asked again: doubled from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// The same before a result is recorded again, which is due while the lease lasts.
const FIRST_RECORD_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_RECORD_PAUSE: Duration = Duration::from_secs(1);

/// Sends the messages of one carrier.
pub struct OutboxWorker {
    shared: Arc<Shared>,
    wakeup: OutboxWakeup,
}

struct Shared {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    writer: Arc<MessageWriter>,
    transport: Transport,
    settings: WorkerSettings,
}

enum Transport {
    Email(Arc<dyn EmailTransport>),
    Sms(Arc<dyn SmsGateway>),
    Delegate(Medium, Delegate),
    Federation(OnBind),
}

impl Transport {
    fn carrier(&self) -> Carrier {
        match self {
            Self::Email(_) => Carrier::Email,
            Self::Sms(_) => Carrier::Msisdn,
            Self::Delegate(medium, _) => Carrier::from(*medium),
            Self::Federation(_) => Carrier::Federation,
        }
    }
}

/// What an operator decides about sending.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// How many messages are sent at once.
    pub concurrency: usize,
    /// How long one try may take.
    pub send_timeout: Duration,
    /// How long a worker holds a message. Longer than a try.
    pub lease: Duration,
    /// How long to wait between tries.
    pub retry: RetryPolicy,
    /// How often the outbox is looked at, when nothing calls.
    pub poll_interval: Duration,
    /// Which messages carry a code, and how long it lives.
    pub codes: CodePolicy,
}

/// What a worker needs beside its transport.
pub struct WorkerParts {
    /// Where the outbox is.
    pub storage: Arc<dyn Storage>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where lease ids and jitter come from.
    pub random: Arc<dyn Random>,
    /// What writes the messages.
    pub writer: Arc<MessageWriter>,
    /// What wakes it.
    pub wakeup: OutboxWakeup,
    /// What an operator decides about sending.
    pub settings: WorkerSettings,
}

impl OutboxWorker {
    /// A worker for mail.
    pub fn for_email(parts: WorkerParts, transport: Arc<dyn EmailTransport>) -> Self {
        Self::new(parts, Transport::Email(transport))
    }

    /// A worker for SMS.
    pub fn for_sms(parts: WorkerParts, gateway: Arc<dyn SmsGateway>) -> Self {
        Self::new(parts, Transport::Sms(gateway))
    }

    /// A worker for a medium whose addresses another service proves, which sends its own messages.
    pub fn for_delegate(parts: WorkerParts, medium: Medium, delegate: Delegate) -> Self {
        Self::new(parts, Transport::Delegate(medium, delegate))
    }

    /// A worker that calls homeservers.
    pub fn for_federation(parts: WorkerParts, on_bind: OnBind) -> Self {
        Self::new(parts, Transport::Federation(on_bind))
    }

    fn new(parts: WorkerParts, transport: Transport) -> Self {
        let WorkerParts { storage, clock, random, writer, wakeup, settings } = parts;
        Self { shared: Arc::new(Shared { storage, clock, random, writer, transport, settings }), wakeup }
    }

    /// Sends until `shutdown`, then finishes what is being sent.
    pub async fn run(self, shutdown: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.shared.settings.concurrency));
        let mut sending = JoinSet::new();
        let mut trouble = Trouble::default();
        while !shutdown.is_cancelled() {
            // One free slot to begin with, then as many as there are: a message is never leased to wait for a slot.
            let first = tokio::select! {
                () = shutdown.cancelled() => break,
                slot = slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
            };
            while sending.try_join_next().is_some() {}
            let mut permits = vec![first];
            while let Ok(permit) = slots.clone().try_acquire_owned() {
                permits.push(permit);
            }
            match self.lease(permits.len()).await {
                Ok((lease_id, messages)) if !messages.is_empty() => {
                    trouble.ends();
                    for (message, permit) in messages.into_iter().zip(permits) {
                        sending.spawn(send(self.shared.clone(), lease_id, message, permit));
                    }
                }
                Ok(_) => {
                    drop(permits);
                    trouble.ends();
                    self.wait(&shutdown).await;
                }
                Err(error) => {
                    drop(permits);
                    pause(trouble.begins_or_lasts(&error), &shutdown).await;
                }
            }
        }
        while sending.join_next().await.is_some() {}
    }

    async fn lease(&self, limit: usize) -> Result<(LeaseId, Vec<LeasedMessage>), StorageError> {
        let Shared { storage, clock, random, transport, settings, .. } = &*self.shared;
        let now = clock.now();
        let lease_id = LeaseId::generate(&**random);
        let request = LeaseRequest {
            lease_id,
            carrier: transport.carrier(),
            limit,
            leased_until: now.after(settings.lease),
            codes: settings.codes.clone(),
        };
        Ok((lease_id, storage.lease(request, now).await?))
    }

    /// Waits until a message was committed, one is due again, or it is time to look anyway.
    async fn wait(&self, shutdown: &CancellationToken) {
        let carrier = self.shared.transport.carrier();
        let due_in = match self.shared.storage.next_due_at(carrier).await {
            Ok(Some(due_at)) => due_at.since(self.shared.clock.now()).max(Duration::from_millis(1)),
            Ok(None) => self.shared.settings.poll_interval,
            // The lease that follows fails as well, and says so.
            Err(_) => FIRST_PAUSE,
        };
        tokio::select! {
            () = self.wakeup.wait(carrier) => {}
            () = pause(due_in.min(self.shared.settings.poll_interval), shutdown) => {}
        }
    }
}

/// While the outbox can't be read. Told to the log when it begins and when it ends, unless the storage does so itself.
#[derive(Default)]
struct Trouble {
    paused: Option<Duration>,
    told: bool,
}

impl Trouble {
    /// Answers how long to wait for the next try.
    fn begins_or_lasts(&mut self, error: &StorageError) -> Duration {
        if !self.told && !error.is_outage() {
            self.told = true;
            tracing::error!(error = error as &dyn std::error::Error, "Reading the outbox failed");
        }
        let pause = self.paused.map_or(FIRST_PAUSE, |paused| LONGEST_PAUSE.min(paused * 2));
        self.paused = Some(pause);
        pause
    }

    fn ends(&mut self) {
        if std::mem::take(self).told {
            tracing::info!("The outbox can be read again");
        }
    }
}

async fn pause(duration: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(duration) => {}
    }
}

/// Writes one message, tries to send it, and records what became of it.
async fn send(shared: Arc<Shared>, lease_id: LeaseId, leased: LeasedMessage, _slot: OwnedSemaphorePermit) {
    let began = Instant::now();
    let result = shared.attempt(&leased).await;
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let LeasedMessage { message, session } = &leased;
    let verdict = match result {
        Ok(reply) => {
            tracing::info!(
                outbox.id = %message.id,
                session.sid = %message.sid,
                threepid.medium = %session.medium,
                outbox.carrier = message.carrier.as_str(),
                outbox.tries = message.tries,
                duration_ms,
                "Delivered message {} after {} tries ({reply})", message.id, message.tries
            );
            Verdict::Delivered
        }
        Err(failure) => shared.judge(&leased, failure),
    };
    match shared.record(message, lease_id, &verdict).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(
            outbox.id = %message.id,
            "The lease of message {} ran out before its result was recorded; it may be sent twice", message.id
        ),
        Err(error) => tracing::error!(
            outbox.id = %message.id,
            error = &error as &dyn std::error::Error,
            "Recording the result of message {} failed; it may be sent twice", message.id
        ),
    }
}

/// What became of a try.
enum Verdict {
    Delivered,
    RetryAt(Timestamp),
    GiveUp { reason: GiveUpReason, said: String },
}

enum Failure {
    Write(WriteError),
    Send(SendError),
}

/// Only a failure of the database may pass.
fn unwritten(error: WriteError) -> Failure {
    match error {
        WriteError::Storage(cause) => Failure::Send(SendError::Transient {
            reason: format!("the message could not be written: {cause}"),
            retry_after: None,
        }),
        error => Failure::Write(error),
    }
}

impl Shared {
    /// One try, bounded in time.
    async fn attempt(&self, leased: &LeasedMessage) -> Result<String, Failure> {
        match timeout(self.settings.send_timeout, self.send(leased)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Send(SendError::Transient {
                reason: "the try took too long".to_owned(),
                retry_after: None,
            })),
        }
    }

    async fn send(&self, leased: &LeasedMessage) -> Result<String, Failure> {
        match &self.transport {
            Transport::Delegate(_, delegate) => return delegate.send(leased).await.map_err(Failure::Send),
            Transport::Federation(on_bind) => return on_bind.send(leased).await.map_err(Failure::Send),
            Transport::Email(_) | Transport::Sms(_) => {}
        }
        let written = self.writer.write(leased, self.clock.now()).await.map_err(unwritten)?;
        let accepted = match (&self.transport, &written) {
            (Transport::Email(transport), Written::Email(message)) => transport.send(message).await,
            (Transport::Sms(gateway), Written::Sms(message)) => gateway.send(message).await,
            (
                Transport::Email(_) | Transport::Sms(_) | Transport::Delegate(..) | Transport::Federation(_),
                _,
            ) => Err(SendError::Permanent {
                reason: format!("a message by {} came to the wrong worker", written.medium()),
            }),
        };
        accepted.map(|accepted| accepted.reply).map_err(Failure::Send)
    }

    /// Decides what a failed try means, and logs it.
    fn judge(&self, leased: &LeasedMessage, failure: Failure) -> Verdict {
        let LeasedMessage { message, session } = leased;
        let now = self.clock.now();
        let (reason, said) = match failure {
            Failure::Write(error) => {
                tracing::error!(
                    outbox.id = %message.id,
                    session.sid = %message.sid,
                    error = &error as &dyn std::error::Error,
                    "Message {} can't be written", message.id
                );
                (GiveUpReason::Unreadable, error.to_string())
            }
            Failure::Send(SendError::Permanent { reason }) => (GiveUpReason::Refused, reason),
            Failure::Send(SendError::Transient { reason, retry_after }) => {
                let not_before = now.after(self.delay(message, retry_after));
                if not_before <= session.expires_at {
                    tracing::warn!(
                            outbox.id = %message.id,
                            session.sid = %message.sid,
                            threepid.medium = %session.medium,
                    outbox.carrier = message.carrier.as_str(),
                            outbox.tries = message.tries,
                            "Message {} was not accepted and is tried again in {} s: {reason}",
                            message.id,
                            not_before.since(now).as_secs()
                        );
                    return Verdict::RetryAt(not_before);
                }
                (GiveUpReason::Expired, reason)
            }
        };
        tracing::warn!(
            outbox.id = %message.id,
            session.sid = %message.sid,
            threepid.medium = %session.medium,
                outbox.carrier = message.carrier.as_str(),
            outbox.tries = message.tries,
            "Message {} is given up: {said}", message.id
        );
        Verdict::GiveUp { reason, said }
    }

    /// Records what became of a try. While the lease lasts, a database that is busy or fails for a moment is asked again:
    /// what is not recorded is sent twice.
    async fn record(
        &self,
        message: &OutboxMessage,
        lease_id: LeaseId,
        verdict: &Verdict,
    ) -> Result<bool, StorageError> {
        let began = Instant::now();
        let mut pause = FIRST_RECORD_PAUSE;
        loop {
            match self.record_once(message, lease_id, verdict).await {
                Err(error)
                    if (error.is_outage() || matches!(error, StorageError::Backend(_)))
                        && began.elapsed() < self.settings.lease =>
                {
                    tokio::time::sleep(pause).await;
                    pause = LONGEST_RECORD_PAUSE.min(pause * 2);
                }
                recorded => return recorded,
            }
        }
    }

    async fn record_once(
        &self,
        message: &OutboxMessage,
        lease_id: LeaseId,
        verdict: &Verdict,
    ) -> Result<bool, StorageError> {
        let (id, now) = (message.id, self.clock.now());
        match verdict {
            Verdict::Delivered => self.storage.mark_delivered(id, lease_id, now).await,
            Verdict::RetryAt(not_before) => self.storage.retry_at(id, lease_id, *not_before).await,
            Verdict::GiveUp { reason, said } => {
                self.storage.give_up(id, lease_id, *reason, Some(said.clone()), now).await
            }
        }
    }

    fn delay(&self, message: &OutboxMessage, asked_for: Option<Duration>) -> Duration {
        let jitter = u16::from_be_bytes(self.random.bytes());
        self.settings.retry.delay(message.tries, asked_for, jitter)
    }
}

//! Tells the other nodes that a message was committed, and hears it from them. Only to be quick: whoever misses it finds
//! the message when it next looks.

use std::{collections::HashSet, future::poll_fn, sync::Arc, time::Duration};

use countersign_core::Carrier;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_postgres::AsyncMessage;

use super::{
    failure::{Failure, NoConnection, Outcome},
    pool::Pool,
    servers::Servers,
};

/// What is called when a message for that carrier was committed, by this node or another.
pub type OnMessage = Arc<dyn Fn(Carrier) + Send + Sync>;

/// How many announcements may wait. One that finds no place is left out.
const QUEUE: usize = 64;

/// The waits between tries to listen, while the database can't be reached.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Announces messages once their round is committed: outside its transaction, since the transactions that notify commit
/// one after the other, and without a sync, since nothing is lost with it.
pub(super) struct Announcer {
    queue: mpsc::Sender<Carrier>,
}

impl Announcer {
    pub(super) fn start(pool: Arc<Pool>) -> Self {
        let (queue, mut announced) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(first) = announced.recv().await {
                let mut carriers = HashSet::from([first]);
                while let Ok(carrier) = announced.try_recv() {
                    carriers.insert(carrier);
                }
                if let Err(failure) = announce(&pool, &carriers).await {
                    tracing::debug!(error = &failure as &dyn std::error::Error, "announcing messages failed");
                }
            }
        });
        Self { queue }
    }

    /// Announces a message that was just committed. Never waits.
    pub(super) fn announce(&self, carrier: Carrier) {
        let _ = self.queue.try_send(carrier);
    }
}

async fn announce(pool: &Pool, carriers: &HashSet<Carrier>) -> Outcome<()> {
    let mut script = "begin; set local synchronous_commit to off;".to_owned();
    for carrier in carriers {
        script.push_str(match carrier {
            Carrier::Email => "notify countersign_outbox, 'email';",
            Carrier::Msisdn => "notify countersign_outbox, 'msisdn';",
            Carrier::Federation => "notify countersign_outbox, 'federation';",
        });
    }
    script.push_str("commit");
    pool.connect().await?.run_script(&script).await
}

/// Listens on a connection of its own until the task is ended.
pub(super) fn listen(servers: Servers, on_message: OnMessage) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut interruption = Interruption::default();
        loop {
            let error = listen_once(&servers, &on_message, &mut interruption).await.err();
            let wait = interruption.begins_or_lasts(error.as_ref());
            tokio::time::sleep(wait).await;
        }
    })
}

/// While nobody listens. Told to the log when it begins and when it ends.
#[derive(Default)]
struct Interruption {
    waited: Option<Duration>,
}

impl Interruption {
    /// Answers how long to wait for the next try.
    fn begins_or_lasts(&mut self, error: Option<&Failure>) -> Duration {
        if self.waited.is_none() {
            tracing::warn!(
                error = error.map(|error| error as &dyn std::error::Error),
                "Listening for messages of other nodes was interrupted; until it works again, they are found by looking"
            );
        }
        let wait = self.waited.map_or(FIRST_WAIT, |waited| LONGEST_WAIT.min(waited * 2));
        self.waited = Some(wait);
        wait
    }

    fn ends(&mut self) {
        if self.waited.take().is_some() {
            tracing::info!("Listening for messages of other nodes again");
        }
    }
}

async fn listen_once(
    servers: &Servers,
    on_message: &OnMessage,
    interruption: &mut Interruption,
) -> Outcome<()> {
    let connected = timeout(servers.patience(), servers.connect()).await;
    let connected = connected.map_err(|_| Failure::unreachable(NoConnection::ConnectTimeout))?;
    let (client, mut connection) = connected.map_err(Failure::connecting)?;
    let hear = poll_fn(|cx| {
        loop {
            match connection.poll_message(cx) {
                std::task::Poll::Ready(Some(Ok(AsyncMessage::Notification(notification)))) => {
                    if let Some(carrier) = Carrier::parse(notification.payload()) {
                        on_message(carrier);
                    }
                }
                std::task::Poll::Ready(Some(Ok(_))) => {}
                std::task::Poll::Ready(Some(Err(error))) => return std::task::Poll::Ready(Err(error)),
                std::task::Poll::Ready(None) => return std::task::Poll::Ready(Ok(())),
                std::task::Poll::Pending => return std::task::Poll::Pending,
            }
        }
    });
    let begin = async {
        client.batch_execute("listen countersign_outbox").await?;
        interruption.ends();
        // Some may have been missed.
        Carrier::ALL.into_iter().for_each(|carrier| on_message(carrier));
        // Dropping the client would end the connection.
        std::future::pending::<Result<(), tokio_postgres::Error>>().await
    };
    tokio::select! {
        ended = hear => Ok(ended?),
        failed = begin => Ok(failed?),
    }
}

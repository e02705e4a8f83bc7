//! Tells the other nodes that a message was committed, and hears it from them. Only to be quick: whoever misses it finds
//! the message when it next looks.

use std::{collections::HashSet, future::poll_fn, sync::Arc, time::Duration};

use countersign_core::Medium;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_postgres::{AsyncMessage, Config};

use super::{failure::Outcome, pool::Pool, tls::Tls};

/// What is called when a message of that medium was committed, by this node or another.
pub type OnMessage = Arc<dyn Fn(Medium) + Send + Sync>;

/// How many announcements may wait. One that finds no place is left out.
const QUEUE: usize = 64;

/// The waits between tries to listen, while the database can't be reached.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Announces messages once their round is committed: outside its transaction, since the transactions that notify commit
/// one after the other, and without a sync, since nothing is lost with it.
pub(super) struct Announcer {
    queue: mpsc::Sender<Medium>,
}

impl Announcer {
    pub(super) fn start(pool: Arc<Pool>) -> Self {
        let (queue, mut announced) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(first) = announced.recv().await {
                let mut media = HashSet::from([first]);
                while let Ok(medium) = announced.try_recv() {
                    media.insert(medium);
                }
                if let Err(failure) = announce(&pool, &media).await {
                    tracing::debug!(error = &failure as &dyn std::error::Error, "announcing messages failed");
                }
            }
        });
        Self { queue }
    }

    /// Announces a message that was just committed. Never waits.
    pub(super) fn announce(&self, medium: Medium) {
        let _ = self.queue.try_send(medium);
    }
}

async fn announce(pool: &Pool, media: &HashSet<Medium>) -> Outcome<()> {
    let mut script = "begin; set local synchronous_commit to off;".to_owned();
    for medium in media {
        script.push_str(match medium {
            Medium::Email => "notify countersign_outbox, 'email';",
            Medium::Msisdn => "notify countersign_outbox, 'msisdn';",
        });
    }
    script.push_str("commit");
    pool.connect().await?.run_script(&script).await
}

/// Listens on a connection of its own until the task is ended.
pub(super) fn listen(config: Config, tls: Tls, on_message: OnMessage) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut wait = FIRST_WAIT;
        loop {
            let error = listen_once(&config, tls.clone(), &on_message, &mut wait).await.err();
            tracing::warn!(
                error = error.as_ref().map(|error| error as &dyn std::error::Error),
                "Listening for messages of other nodes was interrupted; until it works again, they are found by looking"
            );
            tokio::time::sleep(wait).await;
            wait = LONGEST_WAIT.min(wait * 2);
        }
    })
}

async fn listen_once(
    config: &Config,
    tls: Tls,
    on_message: &OnMessage,
    wait: &mut Duration,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(tls).await?;
    let hear = poll_fn(|cx| {
        loop {
            match connection.poll_message(cx) {
                std::task::Poll::Ready(Some(Ok(AsyncMessage::Notification(notification)))) => {
                    if let Some(medium) = Medium::parse(notification.payload()) {
                        on_message(medium);
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
        *wait = FIRST_WAIT;
        // Some may have been missed.
        on_message(Medium::Email);
        on_message(Medium::Msisdn);
        // Dropping the client would end the connection.
        std::future::pending::<Result<(), tokio_postgres::Error>>().await
    };
    tokio::select! {
        ended = hear => ended,
        failed = begin => failed,
    }
}

//! A node to test: real routes on a real socket, a real database, a clock that stands still, and transports that record.

mod clock;
mod data;
mod front;
mod homeserver;
mod transports;

use std::{
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use countersign::{
    config::Config,
    server::{self, Listeners, ServerLimits},
    wiring::{Node, Outside},
};
use countersign_client::{AuthData, Client, RegisterRequest, UserIdentifier};
use countersign_core::Timestamp;
use countersign_service::{OutboxWakeup, SystemRandom};
use countersign_storage::postgres::LeaseClock;
use tokio::{net::TcpListener, sync::oneshot};
use tokio_util::sync::CancellationToken;

use self::data::TestData;
pub(crate) use self::{
    clock::TestClock,
    front::{Front, TwoNodes},
    homeserver::OtherHomeserver,
    transports::{RecordingMailer, RecordingSmsGateway},
};

/// When every test begins: 2026-11-21 12:00:00 UTC.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_262_400_000);

/// How long a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How often the database is looked at while something has to happen there.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

/// The password of every test account.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A running node. Dropping it stops it, and fails the test if a message was accepted and not delivered.
pub(crate) struct TestNode {
    /// Where it listens: `http://127.0.0.1:…`.
    pub(crate) url: String,
    /// Where its health is told.
    pub(crate) operator_url: String,
    /// Where version 1 of the identity API is served.
    pub(crate) identity_v1_url: String,
    /// A client without an access token.
    pub(crate) client: Client,
    /// Its clock.
    pub(crate) clock: Arc<TestClock>,
    /// Its mail server.
    pub(crate) mailer: Arc<RecordingMailer>,
    /// Its SMS gateway.
    pub(crate) sms: Arc<RecordingSmsGateway>,
    data: Arc<TestData>,
    wakeup: OutboxWakeup,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
    undelivered: Undelivered,
}

/// Whether a test may leave messages behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Undelivered {
    Fail,
    Allow,
}

/// A user of a test node, logged in.
pub(crate) struct TestUser {
    /// The user id.
    pub(crate) user_id: String,
    /// A client with the user's access token.
    pub(crate) client: Client,
    /// The token.
    pub(crate) access_token: String,
}

impl TestNode {
    /// A node with the configuration of `countersign dev`, its messages recorded.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same without limits, for tests that ask a lot.
    pub(crate) async fn start_without_limits() -> Self {
        Self::start_with(|config| config.limits.enabled = false).await
    }

    /// The same with changes to the configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(Arc::new(TestData::create().await), TestClock::at(START), change).await
    }

    /// A node on the data of one that was stopped.
    pub(crate) async fn restart(mut self, change: impl FnOnce(&mut Config)) -> Self {
        self.stop();
        self.undelivered = Undelivered::Allow;
        Self::start_on(self.data.clone(), self.clock.clone(), change).await
    }

    async fn start_on(data: Arc<TestData>, clock: Arc<TestClock>, change: impl FnOnce(&mut Config)) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let operator_listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let operator_url = format!("http://{}", operator_listener.local_addr().expect("bound"));
        let identity_v1 = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let identity_v1_url = format!("http://{}", identity_v1.local_addr().expect("bound"));
        let mut config = data.config(listener.local_addr().expect("bound").port());
        change(&mut config);
        let (mailer, sms) = (Arc::new(RecordingMailer::default()), Arc::new(RecordingSmsGateway::default()));
        let outside = Outside {
            clock: clock.clone(),
            lease_clock: LeaseClock::Given,
            random: Arc::new(SystemRandom),
            email: Some(mailer.clone()),
            sms: Some(sms.clone()),
            dns: None,
        };
        let shutdown = CancellationToken::new();
        let (started, wakeup) = oneshot::channel();
        let listeners = [listener, operator_listener, identity_v1].map(into_std);
        let token = shutdown.clone();
        // A runtime of its own, so that dropping the node can wait for it whatever runtime the test has.
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let node = Node::open(&config, outside, token.clone()).await.expect("the node opens");
                let _ = started.send(node.wakeup.clone());
                let [main, operator, identity_v1] = listeners.map(from_std);
                let listeners = Listeners { main, operator, identity_v1: Some(identity_v1) };
                let limits = ServerLimits { max_connections: 512, grace: Duration::from_secs(5) };
                server::run(node, listeners, token, limits).await.expect("the node serves");
            });
        });
        let wakeup = wakeup.await.expect("the node starts");
        let client = Client::builder(&url).build().expect("a client");
        Self {
            url,
            operator_url,
            identity_v1_url,
            client,
            clock,
            mailer,
            sms,
            data,
            wakeup,
            shutdown,
            thread: Some(thread),
            undelivered: Undelivered::Fail,
        }
    }

    /// Moves the clock on, and lets the workers see.
    pub(crate) fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
        self.wake_workers();
    }

    /// Lets the workers look at the outbox.
    pub(crate) fn wake_workers(&self) {
        for carrier in countersign_core::Carrier::ALL {
            self.wakeup.ring(carrier);
        }
    }

    /// Lets this test leave messages undelivered.
    pub(crate) fn allow_undelivered(&mut self) {
        self.undelivered = Undelivered::Allow;
    }

    /// Registers a user.
    pub(crate) async fn register(&self, name: &str) -> TestUser {
        let request = RegisterRequest::new(name, PASSWORD);
        let registered = self.client.register_with_dummy(&request).await.expect("registered");
        let access_token = registered.access_token.expect("logged in");
        let client = self.client.with_access_token(&access_token);
        TestUser { user_id: registered.user_id, client, access_token }
    }

    /// The folder with its files; the database is elsewhere where it is PostgreSQL.
    pub(crate) fn folder(&self) -> PathBuf {
        self.data.folder()
    }

    /// A configuration that names this node's data.
    pub(crate) fn config(&self) -> Config {
        self.data.config(0)
    }

    /// The bytes of the database as they are stored.
    pub(crate) fn database_bytes(&self) -> Vec<u8> {
        self.data.database_bytes()
    }

    /// Looks into the database from outside: the first column of what a query answers, as text.
    pub(crate) fn look_up(&self, query: &str) -> Vec<String> {
        self.data.look_up(query)
    }

    /// The number that a query answers.
    pub(crate) fn look_up_count(&self, query: &str) -> i64 {
        let found = self.look_up(query);
        found.first().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{query}: {found:?}"))
    }

    /// How many messages are still to be delivered.
    fn count_owed(&self) -> i64 {
        self.look_up_count("select count(*) from outbox")
    }

    /// Stops the node as a signal would, and waits for it.
    pub(crate) fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || thread::panicking(), "the node panicked");
        }
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        let delivers = self.undelivered == Undelivered::Fail && !thread::panicking();
        if delivers && self.thread.is_some() {
            // What no test waited for, such as a notice: a node that goes down leaves it to the next start. Only mail and SMS
            // still arrive: whatever runs on the test's own runtime stands still meanwhile.
            let patience_ends = Instant::now() + PATIENCE;
            while self.count_owed() != 0 && Instant::now() < patience_ends {
                thread::sleep(GLANCE);
            }
        }
        self.stop();
        if delivers {
            assert_eq!(self.count_owed(), 0, "messages were accepted and not delivered");
        }
    }
}

impl TestUser {
    /// `auth` with this user's password, for a session of user-interactive authentication.
    pub(crate) fn password_auth(&self, session: Option<String>) -> AuthData {
        AuthData::password(session, self.identifier(), PASSWORD)
    }

    /// This user, as a login names it.
    pub(crate) fn identifier(&self) -> UserIdentifier {
        UserIdentifier::user(&self.user_id)
    }
}

fn into_std(listener: TcpListener) -> std::net::TcpListener {
    listener.into_std().expect("a listener")
}

fn from_std(listener: std::net::TcpListener) -> TcpListener {
    TcpListener::from_std(listener).expect("a listener")
}

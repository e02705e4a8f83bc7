//! The PostgreSQL backend: several nodes share one database, none of them special (docs/decisions/0009).
//!
//! Each operation is a transaction of few rounds, in the file of its aggregate: load and lock, let core decide, save. Locks
//! are taken in one order everywhere: authentication sessions, registration tokens, accounts, session keys, sessions,
//! peppers, addresses, associations, lookup keys, devices, tokens, budgets, messages; rows of one table by key. A bind holds a
//! message before that, one that nobody else holds or waits for. The operations that come most often share their rounds.

mod accounts;
mod associations;
mod authorization;
mod budgets;
mod connection;
mod delegations;
mod devices;
mod export;
mod failure;
pub(crate) mod foreign;
mod health;
mod identity_accounts;
mod import;
mod invitations;
mod keys;
mod lane;
mod locks;
mod migrations;
mod notices;
mod openid;
mod outbox;
mod parameter;
mod peppers;
mod pool;
mod recorded_binds;
mod registration_tokens;
mod retention;
mod rows;
mod servers;
mod sessions;
mod signing_keys;
mod standby;
mod suppressions;
#[cfg(test)]
mod tests;
mod threepids;
mod tls;
mod tokens;
pub(crate) mod transfer;
mod uia;
mod wakeups;

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_postgres::{
    Config,
    config::{SslMode, TargetSessionAttrs},
};

pub use self::wakeups::OnMessage;
use self::{
    connection::{Connection, ConnectionSettings, Transaction},
    failure::{Failure, Outcome},
    lane::Lane,
    outbox::{delivered::MarkDelivered, lease::ClockOffset},
    pool::Pool,
    retention::BudgetCursor,
    servers::Servers,
    sessions::requests::RequestValidation,
    tls::Tls,
    wakeups::Announcer,
};
use crate::{StorageError, outage::Condition};

/// How many rounds of requests, and of results, are under way at once. Each takes a connection.
const REQUEST_ROUNDS: usize = 2;
const RESULT_ROUNDS: usize = 1;

/// Statements find rows by key. Their plans are made once for a connection, maybe while the tables are empty or nobody has
/// counted their rows, and must still be good when they are large: never read a whole table where an index will do.
const BY_INDEX: &str = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

/// How often an operation is tried while others are in its way.
const TRIES: usize = 5;

/// Where the database is and how to treat it.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://…`, of the database or of a pooler in front of it.
    pub url: String,
    /// The password, for whichever URL holds none.
    pub password: Option<String>,
    /// The database itself, where `url` names a pooler: for migrations, and to hear from other nodes.
    pub direct_url: Option<String>,
    /// Certificates, as PEM, that the server's must lead to. With it, `sslmode=prefer` checks as well.
    pub ca_pem: Option<Vec<u8>>,
    /// Whether opening brings the tables up to date.
    pub migrate: Migrate,
    /// How many connections there are beside those of the lanes.
    pub connections: NonZeroUsize,
    /// How many operations may wait in each lane.
    pub queue_capacity: NonZeroUsize,
    /// How long a statement, a connection attempt or the wait for a free connection may take.
    pub statement_timeout: Duration,
    /// Whether statements are prepared once for each connection.
    pub prepared_statements: PreparedStatements,
    /// Whose clock says when a lease runs out.
    pub lease_clock: LeaseClock,
    /// What to call when a message was committed by some node.
    pub on_message: Option<OnMessage>,
}

impl PostgresSettings {
    /// That database, everything else by default.
    pub fn new(url: impl Into<String>) -> Self {
        let number = |number| NonZeroUsize::new(number).expect("the defaults are not zero");
        Self {
            url: url.into(),
            password: None,
            direct_url: None,
            ca_pem: None,
            migrate: Migrate::Auto,
            connections: number(8),
            queue_capacity: number(4096),
            statement_timeout: Duration::from_secs(10),
            prepared_statements: PreparedStatements::Kept,
            lease_clock: LeaseClock::Database,
            on_message: None,
        }
    }
}

/// Whether opening brings the tables up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    /// It does.
    Auto,
    /// It refuses tables that are not up to date.
    Manual,
}

/// Whether statements are prepared once for each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreparedStatements {
    /// They are, and kept: the fastest way.
    Kept,
    /// They are not: for a pooler that hands out a connection for each transaction and does not follow statements.
    None,
}

/// Whose clock says when a lease runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseClock {
    /// The database's: nodes whose clocks differ agree on who holds a message.
    Database,
    /// The one that the operations are told the time by. For tests, which hold its hands.
    Given,
}

/// A database on a PostgreSQL server, shared with other nodes.
///
/// Needs a tokio runtime with time and I/O.
pub struct PostgresStorage {
    pool: Arc<Pool>,
    lanes: Arc<Pool>,
    requests: Lane<RequestValidation>,
    results: Lane<MarkDelivered>,
    listener: Option<JoinHandle<()>>,
    lease_clock: LeaseClock,
    clock_offset: ClockOffset,
    budgets_swept: Mutex<BudgetCursor>,
}

impl PostgresStorage {
    /// Connects, brings the tables up to date or checks that they are, and starts the lanes.
    ///
    /// # Errors
    /// When the database can't be reached, or its tables are not those of this version.
    pub async fn open(settings: PostgresSettings) -> Result<Self, StorageError> {
        Ok(Self::start(settings).await?)
    }

    async fn start(settings: PostgresSettings) -> Outcome<Self> {
        let servers = servers_of(&settings, &settings.url, settings.prepared_statements)?;
        let connection_settings =
            ConnectionSettings { prepared: settings.prepared_statements, patience: patience(&settings) };
        let condition = Arc::new(Condition::default());
        let pool = |size| {
            Pool::new(servers.clone(), size, connection_settings, Arc::clone(&condition)).map(Arc::new)
        };
        let (pool, lanes) = (pool(settings.connections.get())?, pool(REQUEST_ROUNDS + RESULT_ROUNDS)?);
        match settings.migrate {
            Migrate::Auto => migrate_directly(&settings).await?,
            Migrate::Manual => migrations::check(&mut pool.connect().await?).await?,
        }
        migrations::check_filled(&mut pool.connect().await?).await?;
        standby::warn_unless_synchronous(&mut pool.connect().await?).await?;
        let direct_url = settings.direct_url.as_ref().unwrap_or(&settings.url);
        let listener = match settings.on_message.clone() {
            Some(on_message) => {
                let servers = servers_of(&settings, direct_url, PreparedStatements::None)?;
                Some(wakeups::listen(servers, on_message))
            }
            None => None,
        };
        let capacity = settings.queue_capacity;
        let requests = RequestValidation { announcer: Announcer::start(Arc::clone(&pool)) };
        Ok(Self {
            requests: Lane::start(requests, &lanes, REQUEST_ROUNDS, capacity),
            results: Lane::start(MarkDelivered, &lanes, RESULT_ROUNDS, capacity),
            listener,
            lease_clock: settings.lease_clock,
            clock_offset: ClockOffset::default(),
            budgets_swept: Mutex::default(),
            pool,
            lanes,
        })
    }

    /// Brings the tables of a database up to date, and does nothing else.
    ///
    /// # Errors
    /// When the database can't be reached, or its tables are newer than those of this version.
    pub async fn migrate(settings: &PostgresSettings) -> Result<(), StorageError> {
        Ok(migrate_directly(settings).await?)
    }

    /// Finishes the operations that wait in lanes, then ends all connections. Operations that come later fail with
    /// [`StorageError::Closed`]. Closing twice does no harm.
    pub async fn close(&self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
        self.requests.finish().await;
        self.results.finish().await;
        self.lanes.close();
        self.pool.close();
    }

    /// A connection to read on.
    async fn connect(&self) -> Outcome<Connection> {
        self.pool.connect().await
    }

    /// Carries out an operation that may write, in a transaction of its own; again if others were in its way. It goes on
    /// even if the caller stops waiting.
    async fn write<T, F, R>(&self, operation: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: Fn(Transaction) -> R + Send + 'static,
        R: Future<Output = Outcome<T>> + Send,
    {
        let pool = Arc::clone(&self.pool);
        let task = tokio::spawn(async move {
            let mut tries = 0;
            loop {
                tries += 1;
                let tx = Transaction::on(pool.connect().await?);
                let attempt = operation(tx);
                match attempt.await {
                    Err(failure) if failure.is_transient() && tries < TRIES => {}
                    outcome => return outcome,
                }
            }
        });
        let outcome = task.await.map_err(|error| match error.is_panic() {
            true => StorageError::Panicked,
            false => StorageError::Closed,
        })?;
        Ok(outcome?)
    }

    /// Where in `budgets` the last sweep stopped.
    fn budgets_swept(&self) -> MutexGuard<'_, BudgetCursor> {
        self.budgets_swept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PostgresStorage {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl std::fmt::Debug for PostgresStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStorage").finish_non_exhaustive()
    }
}

/// Migrations take as long as they take, on a connection of their own.
async fn migrate_directly(settings: &PostgresSettings) -> Outcome<()> {
    migrations::migrate(connect_directly(settings).await?).await
}

/// A connection to the database itself, for what takes long.
async fn connect_directly(settings: &PostgresSettings) -> Outcome<Connection> {
    let url = settings.direct_url.as_ref().unwrap_or(&settings.url);
    let servers = servers_of(settings, url, PreparedStatements::None)?;
    let patience = Duration::from_secs(24 * 60 * 60);
    let connection_settings = ConnectionSettings { prepared: PreparedStatements::None, patience };
    Pool::new(servers, 1, connection_settings, Arc::default())?.connect().await
}

/// How long to wait for an answer: the database's own limit comes first, where it has one.
fn patience(settings: &PostgresSettings) -> Duration {
    settings.statement_timeout + Duration::from_secs(1)
}

fn servers_of(settings: &PostgresSettings, url: &str, prepared: PreparedStatements) -> Outcome<Servers> {
    let mut config: Config = url.parse().map_err(Failure::Postgres)?;
    let timeout = settings.statement_timeout;
    config.target_session_attrs(TargetSessionAttrs::ReadWrite).keepalives_idle(Duration::from_secs(30));
    if let Some(password) = settings.password.as_ref().filter(|_| config.get_password().is_none()) {
        config.password(password);
    }
    if config.get_application_name().is_none() {
        config.application_name("countersign");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(timeout);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(timeout);
    }
    // A pooler refuses what it can't promise for the next transaction.
    if prepared == PreparedStatements::Kept {
        let options = config.get_options().unwrap_or_default();
        let options = format!("{options} {BY_INDEX} -c statement_timeout={}", timeout.as_millis());
        config.options(options.trim());
    }
    if settings.ca_pem.is_some() && config.get_ssl_mode() == SslMode::Prefer {
        config.ssl_mode(SslMode::Require);
    }
    let tls = Tls::new(config.get_ssl_mode(), settings.ca_pem.as_deref())?;
    Ok(Servers::new(&config, tls, patience(settings)))
}

//! Connections: a bounded number of them, made when needed, and not too often while that fails.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod, Runtime};
use tokio::time::Instant;

use super::{
    connection::{Connection, ConnectionSettings},
    failure::{Failure, NoConnection, Outcome},
    servers::Servers,
};
use crate::{OutageReason, StorageError, outage::Condition};

/// The waits between tries to connect while all fail: doubled from the first to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A bounded number of connections.
pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    settings: ConnectionSettings,
    gate: Gate,
    condition: Arc<Condition>,
}

impl Pool {
    /// A pool that has no connection yet.
    pub(super) fn new(
        servers: Servers,
        size: usize,
        settings: ConnectionSettings,
        condition: Arc<Condition>,
    ) -> Outcome<Self> {
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let create_timeout = servers.patience();
        let manager = Manager::from_connect(tokio_postgres::Config::new(), servers, manager_config);
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(settings.patience))
            .create_timeout(Some(create_timeout))
            .build()
            .map_err(|error| Failure::Storage(StorageError::Backend(Box::new(error))))?;
        Ok(Self { connections, settings, gate: Gate::default(), condition })
    }

    /// Whether the database works, as far as this pool saw.
    pub(super) fn condition(&self) -> &Arc<Condition> {
        &self.condition
    }

    /// A connection that works, as far as anyone knows.
    pub(super) async fn connect(&self) -> Outcome<Connection> {
        // One that is there already needs no new one.
        if self.connections.status().available == 0 {
            self.gate.pass()?;
        }
        match self.connections.get().await.map_err(Failure::from) {
            Ok(client) => {
                self.gate.open();
                Ok(Connection::new(client, self.settings, Arc::clone(&self.condition)))
            }
            Err(failure) => {
                if let Some(reason) = failure.outage() {
                    self.gate.shut(reason);
                    self.condition.fails(reason, &failure);
                }
                Err(failure)
            }
        }
    }

    /// Ends the connections that nobody uses, and each of the others when it comes back.
    pub(super) fn close(&self) {
        self.connections.close();
    }
}

/// Keeps requests from trying to connect all at once to a database that is not there.
#[derive(Default)]
struct Gate(Mutex<Option<Shut>>);

#[derive(Clone, Copy)]
struct Shut {
    until: Instant,
    wait: Duration,
    reason: OutageReason,
}

impl Gate {
    fn pass(&self) -> Outcome<()> {
        let shut = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match shut.filter(|shut| Instant::now() < shut.until) {
            Some(shut) => Err(Failure::no_connection(shut.reason, NoConnection::BackingOff)),
            None => Ok(()),
        }
    }

    fn open(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn shut(&self, reason: OutageReason) {
        let mut shut = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Those that were under way together count as one.
        if shut.is_some_and(|shut| now < shut.until) {
            return;
        }
        let wait = shut.map_or(FIRST_WAIT, |shut| LONGEST_WAIT.min(shut.wait * 2));
        *shut = Some(Shut { until: now + wait, wait, reason });
    }
}

//! The open connections that wait for the next message.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    SmtpSettings,
    connection::{Connection, Dialer},
};

/// Keeps few connections, newest first, and closes those that nobody used for a while.
pub(super) struct Pool {
    dialer: Dialer,
    permits: Semaphore,
    idle: Mutex<Idle>,
    idle_timeout: Duration,
    max_messages: u32,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    reaper: Reaper,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Reaper {
    #[default]
    Asleep,
    Running,
}

impl Pool {
    pub(super) fn new(dialer: Dialer, settings: &SmtpSettings) -> Arc<Self> {
        Arc::new(Self {
            dialer,
            permits: Semaphore::new(settings.max_connections.max(1)),
            idle: Mutex::default(),
            idle_timeout: settings.idle_timeout,
            max_messages: settings.max_messages_per_connection.max(1),
        })
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Waits for the right to use a connection.
    pub(super) async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    /// Takes the connection that was used last, if it is fresh enough.
    pub(super) fn take_idle(&self) -> Option<Connection> {
        let connection = self.idle().connections.pop()?;
        (connection.idle_for() < self.idle_timeout).then_some(connection)
    }

    /// Takes a connection back, or closes it after its last message.
    pub(super) fn put_back(self: &Arc<Self>, connection: Connection) {
        if self.max_messages <= connection.messages() {
            tokio::spawn(connection.quit());
            return;
        }
        let mut idle = self.idle();
        idle.connections.push(connection);
        if idle.reaper == Reaper::Asleep {
            idle.reaper = Reaper::Running;
            tokio::spawn(reap(Arc::downgrade(self), self.idle_timeout));
        }
    }

    /// Removes what nobody used for the idle time; `None` once nothing is left to watch.
    fn take_expired(&self) -> Option<Vec<Connection>> {
        let mut idle = self.idle();
        if idle.connections.is_empty() {
            idle.reaper = Reaper::Asleep;
            return None;
        }
        let is_expired = |connection: &mut Connection| self.idle_timeout <= connection.idle_for();
        Some(idle.connections.extract_if(.., is_expired).collect())
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // The lock is held for moves of whole connections only, so a panic leaves nothing half done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes unused connections, as long as there are any.
async fn reap(pool: Weak<Pool>, idle_timeout: Duration) {
    loop {
        tokio::time::sleep(idle_timeout).await;
        let Some(expired) = pool.upgrade().and_then(|pool| pool.take_expired()) else { return };
        for connection in expired {
            connection.quit().await;
        }
    }
}

//! Connections that are lent to one reader at a time.

use std::{
    ops::Deref,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

/// Connections, each lent to one reader at a time, until they are closed.
pub(super) struct Pool {
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    /// Those that nobody has. The last one that came back goes first: it has the most in memory.
    idle: Vec<Connection>,
    /// How many are open, lent ones too.
    open: usize,
    /// How many wait for one.
    waiting: usize,
}

/// A connection that comes back when this is dropped.
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    /// `None` while it is dropped.
    connection: Option<Connection>,
}

impl Pool {
    /// Lends these.
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        let open = connections.len();
        Self { state: Mutex::new(State { idle: connections, open, waiting: 0 }), returned: Condvar::new() }
    }

    /// One that nobody has.
    pub(super) fn try_take(&self) -> Option<Lent<'_>> {
        let connection = self.state().idle.pop()?;
        Some(Lent { pool: self, connection: Some(connection) })
    }

    /// Waits for one. `None` once all are closed.
    pub(super) fn take(&self) -> Option<Lent<'_>> {
        let connection = self.wait(self.state()).idle.pop()?;
        Some(Lent { pool: self, connection: Some(connection) })
    }

    /// Closes all, those that are lent as soon as they come back.
    pub(super) fn close(&self) {
        let mut state = self.state();
        while state.open != 0 {
            state = self.wait(state);
            state.open -= state.idle.len();
            state.idle.clear();
        }
        // Whoever still waits waits for nothing.
        self.returned.notify_all();
    }

    /// Waits until one is idle, or none is open.
    fn wait<'s>(&self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.waiting += 1;
        let nothing = |state: &mut State| state.idle.is_empty() && state.open != 0;
        let mut state = self.returned.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.idle.extend(self.connection.take());
        // To notify is a system call.
        if state.waiting != 0 {
            self.pool.returned.notify_one();
        }
    }
}

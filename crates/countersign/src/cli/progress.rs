//! How a command shows how it goes on: one line that changes where someone watches, else a line now and then.

use std::{
    io::{IsTerminal as _, Stderr, Write as _, stderr},
    time::{Duration, Instant},
};

/// How often something that takes long is told of where nobody watches.
const PAUSE: Duration = Duration::from_secs(5);

/// Whether there is more to come of what a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is.
    Under,
    /// That was the last of it.
    Last,
}

/// Shows how it goes on, on standard error. What can't be shown is no reason to stop.
pub(super) struct Progress {
    out: Stderr,
    is_terminal: bool,
    said_at: Instant,
}

impl Progress {
    /// Looks whether someone watches.
    pub(super) fn new() -> Self {
        Self { out: stderr(), is_terminal: stderr().is_terminal(), said_at: Instant::now() }
    }

    /// Shows how far it got.
    pub(super) fn show(&mut self, line: &str, step: Step) {
        if self.is_terminal {
            self.rewrite(line);
        } else if step == Step::Last || PAUSE < self.said_at.elapsed() {
            self.say(line);
        }
    }

    /// Writes a line that stays.
    pub(super) fn say(&mut self, line: &str) {
        self.end();
        let _ = writeln!(self.out, "{line}");
        self.said_at = Instant::now();
    }

    /// Writes a line that stays, for a person only: it goes into no file and no log.
    pub(super) fn tell_person(&mut self, line: &str) {
        if self.is_terminal {
            self.say(line);
        }
    }

    /// Clears the line that changes.
    pub(super) fn end(&mut self) {
        if self.is_terminal {
            self.rewrite("");
        }
    }

    /// Puts a line in the place of the last one.
    fn rewrite(&mut self, line: &str) {
        let _ = write!(self.out, "\r\x1b[K{line}");
    }
}

/// `12 of 40 rows, 30 %`.
pub(super) fn share(rows: u64, of: u64) -> String {
    let percent = rows.saturating_mul(100).checked_div(of).unwrap_or(100);
    format!("{rows} of {of} rows, {percent} %")
}

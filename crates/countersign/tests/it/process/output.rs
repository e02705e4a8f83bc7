//! The lines that a process writes, as they come.

use std::{
    io::{BufRead, BufReader, Read},
    thread,
    time::Duration,
};

use tokio::sync::watch;

/// What a process wrote so far.
pub(crate) struct Output(watch::Receiver<Written>);

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Output {
    /// Reads lines until the process closes its end.
    pub(super) fn read(pipe: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = watch::channel(Written::default());
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                sender.send_modify(|written| written.lines.push(line));
            }
            sender.send_modify(|written| written.ended = true);
        });
        Self(receiver)
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.clone()
    }

    /// How many lines there are so far.
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().lines.len()
    }

    /// All lines so far as one text.
    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Waits for a line, among those that came already too; `None` if it does not come.
    pub(super) async fn wait_for(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let mut written = self.0.clone();
        let find = |written: &Written| written.lines.iter().find(|line| wanted(line)).cloned();
        let found = tokio::time::timeout(limit, async {
            let written = written.wait_for(|written| find(written).is_some() || written.ended).await;
            written.ok().and_then(|written| find(&written))
        });
        found.await.ok().flatten()
    }

    /// Waits until there are this many lines; false if they don't come.
    pub(super) async fn wait_for_count(&self, limit: Duration, count: usize) -> bool {
        let mut written = self.0.clone();
        let waited = tokio::time::timeout(limit, written.wait_for(|written| count <= written.lines.len()));
        waited.await.is_ok_and(|waited| waited.is_ok())
    }

    /// Waits until nothing more can come.
    pub(super) async fn close(&self) {
        let _ = self.0.clone().wait_for(|written| written.ended).await;
    }
}

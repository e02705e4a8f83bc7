//! The real program and the real programs it talks to, as processes of their own: started, watched, signalled, killed.
//!
//! Nothing here waits for luck: each wait is for a line, an exit or an answer, and fails at a deadline with all that was
//! printed so far.

mod node;
mod output;
mod smtp_server;

use std::{
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use reqwest::redirect::Policy;

use self::output::Output;
pub(crate) use self::{
    node::{ServeFolder, ServedNode},
    smtp_server::{NotedMail, ReceivedMail, SmtpServer, smtp_config},
};

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often something is looked at that can't tell by itself.
const GLANCE: Duration = Duration::from_millis(10);

/// A running process. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    /// What it prints.
    pub(crate) stdout: Output,
    /// What it says beside.
    pub(crate) stderr: Output,
}

/// A process that ended by itself.
pub(crate) struct Ended {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// All that it printed.
    pub(crate) stdout: String,
    /// All that it said beside.
    pub(crate) stderr: String,
}

/// `countersign` with these arguments, in a folder, without the settings of the person who runs the tests.
pub(crate) fn countersign(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("COUNTERSIGN_") {
            command.env_remove(name);
        }
    }
    command.env("RUST_BACKTRACE", "0");
    command
}

/// Runs `countersign` with these arguments until it ends.
pub(crate) async fn run(folder: &Path, arguments: &[&str]) -> Ended {
    Process::start(countersign(folder, arguments)).ended().await
}

/// Sends a signal to a process; false if it is gone.
pub(crate) fn signal(id: u32, name: &str) -> bool {
    // The shell's own `kill`, for not every system has the program.
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("kill -{name} {id}")]).stderr(Stdio::null());
    shell.status().expect("a shell").success()
}

/// A client for what the client library does not ask.
pub(crate) fn http() -> reqwest::Client {
    // It looks for the process's TLS provider; an error means that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client")
}

/// Waits until something holds, looking again and again.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(GLANCE).await;
    }
}

impl Process {
    /// Starts it, with nothing to read.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Output::read(child.stdout.take().expect("piped"));
        let stderr = Output::read(child.stderr.take().expect("piped"));
        Self { child, stdout, stderr }
    }

    /// Waits for a line of standard output that holds this text.
    pub(crate) async fn printed(&self, text: &str) -> String {
        self.wait_for_line(&self.stdout, text).await
    }

    /// Waits for a line of standard error that holds this text.
    pub(crate) async fn said(&self, text: &str) -> String {
        self.wait_for_line(&self.stderr, text).await
    }

    async fn wait_for_line(&self, output: &Output, text: &str) -> String {
        match output.wait_for(PATIENCE, |line| line.contains(text)).await {
            Some(line) => line,
            None => panic!("no line with {text:?} in\n{}\n{}", self.stdout.text(), self.stderr.text()),
        }
    }

    /// Sends a signal: `TERM`, `INT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        assert!(signal(self.child.id(), name), "SIG{name} was not sent");
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> Ended {
        self.ended_within(PATIENCE).await
    }

    /// The same, sooner.
    pub(crate) async fn ended_within(mut self, limit: Duration) -> Ended {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                self.stdout.close().await;
                self.stderr.close().await;
                return Ended { status, stdout: self.stdout.text(), stderr: self.stderr.text() };
            }
            if deadline < Instant::now() {
                panic!("it still runs after {limit:?}:\n{}\n{}", self.stdout.text(), self.stderr.text());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

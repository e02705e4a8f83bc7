//! A real mail server: Debian's aiosmtpd, with a handler that tells what it received.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tempfile::TempDir;

use super::{PATIENCE, Process};

/// Debian's own, for its packages are not those of another Python on the path.
const PYTHON: &str = "/usr/bin/python3";

/// A running mail server. Dropping it stops it.
pub(crate) struct SmtpServer {
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
    process: Process,
    folder: TempDir,
}

/// A message as the server received it, read by Python's mail parser.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReceivedMail {
    /// The sender of the envelope.
    pub(crate) envelope_from: String,
    /// The recipients of the envelope.
    pub(crate) envelope_to: Vec<String>,
    headers: Vec<(String, String)>,
    /// What the parser found wrong.
    pub(crate) defects: Vec<String>,
    /// The content type of the whole.
    pub(crate) content_type: String,
    /// The content types of its parts.
    pub(crate) parts: Vec<String>,
    /// The `Date`, in seconds since the Unix epoch.
    pub(crate) date: Option<f64>,
    /// The plain text.
    pub(crate) text: Option<String>,
    /// The HTML.
    pub(crate) html: Option<String>,
    raw: String,
}

/// What a busy server tells of a message.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NotedMail {
    /// The recipient.
    pub(crate) to: String,
    /// The `Message-ID`.
    pub(crate) message_id: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Event {
    Refused { refused: String },
    Noted(NotedMail),
    Received(Box<ReceivedMail>),
}

impl SmtpServer {
    /// Starts one at a free port.
    pub(crate) async fn start() -> Self {
        Self::start_at(0).await
    }

    /// Starts one at this port.
    pub(crate) async fn start_at(port: u16) -> Self {
        Self::start_with(port, None).await
    }

    /// Starts one at a free port that takes this long over each message, and only notes it.
    pub(crate) async fn start_busy(pause: Duration) -> Self {
        Self::start_with(0, Some(pause)).await
    }

    async fn start_with(port: u16, pause: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/process/smtp_server.py");
        let mut command = Command::new(PYTHON);
        command.arg("-B").arg(script).arg(port.to_string()).arg(refusal_in(&folder));
        command.args(pause.map(|pause| pause.as_secs_f64().to_string()));
        let process = Process::start(command);
        let Some(port) = process.stdout.wait_for(PATIENCE, |_| true).await else {
            let said = process.stderr.text();
            panic!("no mail server; it takes Debian's python3-aiosmtpd, which scripts/test installs\n{said}")
        };
        Self { port: port.parse().expect("the first line is the port"), process, folder }
    }

    /// The section of a configuration that sends mail here.
    pub(crate) fn config(&self) -> String {
        smtp_config(self.port)
    }

    /// Refuses recipients with this reply from now on.
    pub(crate) fn refuse(&self, reply: &str) {
        fs::write(refusal_in(&self.folder), reply).expect("writable");
    }

    /// Takes everything again.
    pub(crate) fn accept(&self) {
        fs::remove_file(refusal_in(&self.folder)).expect("it refused");
    }

    /// What came so far.
    pub(crate) fn received(&self) -> Vec<ReceivedMail> {
        self.events().into_iter().filter_map(Event::into_mail).collect()
    }

    /// What a busy server took so far, in this order.
    pub(crate) fn noted(&self) -> Vec<NotedMail> {
        self.events().into_iter().filter_map(Event::into_note).collect()
    }

    /// How many messages and refusals there were so far.
    pub(crate) fn event_count(&self) -> usize {
        self.process.stdout.count().saturating_sub(1)
    }

    /// Waits until this many messages were taken or refused, and answers those taken.
    pub(crate) async fn wait_for_events(&self, count: usize) -> Vec<ReceivedMail> {
        let came = self.process.stdout.wait_for_count(PATIENCE, count + 1).await;
        assert!(came, "{} of {count} came\n{}", self.event_count(), self.process.stderr.text());
        self.received()
    }

    /// The recipients that were refused so far.
    pub(crate) fn refused(&self) -> Vec<String> {
        let refused = |event| match event {
            Event::Refused { refused } => Some(refused),
            Event::Noted(_) | Event::Received(_) => None,
        };
        self.events().into_iter().filter_map(refused).collect()
    }

    fn events(&self) -> Vec<Event> {
        let lines = self.process.stdout.lines();
        let event =
            |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        lines.iter().skip(1).map(event).collect()
    }
}

/// The section of a configuration that sends mail to this port.
pub(crate) fn smtp_config(port: u16) -> String {
    format!(
        "[email]\nfrom = \"Exämple <no-reply@example.org>\"\n[email.smtp]\nhost = \"127.0.0.1\"\nport = {port}\n"
    )
}

fn refusal_in(folder: &TempDir) -> PathBuf {
    folder.path().join("refusal")
}

impl Event {
    fn into_mail(self) -> Option<ReceivedMail> {
        match self {
            Self::Refused { .. } | Self::Noted(_) => None,
            Self::Received(mail) => Some(*mail),
        }
    }

    fn into_note(self) -> Option<NotedMail> {
        match self {
            Self::Refused { .. } | Self::Received(_) => None,
            Self::Noted(mail) => Some(mail),
        }
    }
}

impl ReceivedMail {
    /// The one recipient.
    pub(crate) fn to(&self) -> &str {
        assert_eq!(self.envelope_to.len(), 1, "{self:?}");
        &self.envelope_to[0]
    }

    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.iter().filter(|(key, _)| key == name).collect();
        assert_eq!(values.len(), 1, "{name} in {:?}", self.headers);
        &values[0].1
    }

    /// The bytes after `DATA`, as they came.
    pub(crate) fn raw(&self) -> Vec<u8> {
        STANDARD.decode(&self.raw).expect("our own encoding")
    }

    /// The typed code in the text: six digits that stand alone.
    pub(crate) fn code(&self) -> Option<String> {
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        let text = self.text.as_deref()?;
        text.split(|c: char| !c.is_ascii_alphanumeric()).find(is_code).map(str::to_owned)
    }

    /// The first link in the text that goes to this path.
    pub(crate) fn link(&self, path: &str) -> Option<String> {
        let words = self.text.as_deref()?.split_whitespace();
        words.into_iter().find(|word| word.starts_with("http") && word.contains(path)).map(str::to_owned)
    }
}

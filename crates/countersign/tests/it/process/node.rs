//! `countersign serve` on a configuration file.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use countersign_client::Client;
use countersign_core::MasterKeys;
use countersign_service::SystemRandom;
use serde_json::Value;
use tempfile::TempDir;

use super::{Process, countersign, http, until};

/// A folder with a configuration file, a master key and, once a node ran, its data.
pub(crate) struct ServeFolder {
    folder: TempDir,
}

/// A node on a [`ServeFolder`].
pub(crate) struct ServedNode {
    /// The process.
    pub(crate) process: Process,
    /// Where it listens: `http://127.0.0.1:…`.
    pub(crate) url: String,
    /// Where its health is told.
    pub(crate) operator_url: String,
    /// A client without an access token.
    pub(crate) client: Client,
    /// A client for what the client library does not ask.
    pub(crate) http: reqwest::Client,
}

impl ServeFolder {
    /// A configuration with SQLite, any free ports and open registration, and these sections besides.
    pub(crate) fn new(sections: &str) -> Self {
        Self::on("sqlite:countersign.db", sections)
    }

    /// The same on another database.
    pub(crate) fn on(storage_url: &str, sections: &str) -> Self {
        let folder = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        folder.write_master_key();
        folder.write_config(&format!(
            r#"
[server]
name = "example.org"
public_url = "https://id.example.org"
listen = "127.0.0.1:0"
operator_listen = "127.0.0.1:0"

[storage]
url = "{storage_url}"

[keys]
master_key_file = "master.key"

[registration]
enabled = true

{sections}"#
        ));
        folder
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The master key file.
    pub(crate) fn master_key(&self) -> PathBuf {
        self.path().join("master.key")
    }

    /// Makes up a master key.
    pub(crate) fn write_master_key(&self) {
        fs::write(self.master_key(), MasterKeys::generate(&SystemRandom).as_bytes()).expect("writable");
        fs::set_permissions(self.master_key(), fs::Permissions::from_mode(0o600)).expect("ours");
    }

    /// Takes another folder's master key, as a node that shares its database must.
    pub(crate) fn take_master_key_of(&self, other: &Self) {
        fs::copy(other.master_key(), self.master_key()).expect("writable");
    }

    /// The configuration file's text.
    pub(crate) fn config(&self) -> String {
        fs::read_to_string(self.path().join("config.toml")).expect("readable")
    }

    /// Replaces the configuration file.
    pub(crate) fn write_config(&self, text: &str) {
        fs::write(self.path().join("config.toml"), text).expect("writable");
    }

    /// A connection to the database, to look at it from outside.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path().join("countersign.db")).expect("opens")
    }

    /// Starts a node here and waits until it serves.
    pub(crate) async fn serve(&self) -> ServedNode {
        self.serve_with(|_| {}).await
    }

    /// The same with changes to how the process is started.
    pub(crate) async fn serve_with(&self, change: impl FnOnce(&mut Command)) -> ServedNode {
        let mut command = countersign(self.path(), &["serve", "--config", "config.toml"]);
        change(&mut command);
        let process = Process::start(command);
        let line = process.said("Serving ").await;
        let [url, operator_url] = addresses(&line).map(|address| format!("http://{address}"));
        let client = Client::builder(&url).build().expect("a client");
        let node = ServedNode { process, url, operator_url, client, http: http() };
        until("the node is ready", async || node.ready().await.is_some()).await;
        node
    }
}

impl ServedNode {
    /// What `/health/ready` tells of a node that is.
    pub(crate) async fn ready(&self) -> Option<Value> {
        let answer = self.http.get(format!("{}/health/ready", self.operator_url)).send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        answer.json().await.ok()
    }

    /// How many messages this process delivered.
    pub(crate) fn delivered_count(&self) -> usize {
        let lines = self.process.stderr.lines();
        lines.iter().filter(|line| line.contains("Delivered message ")).count()
    }

    /// Waits until no message waits in the outbox.
    pub(crate) async fn drained(&self) {
        until("the outbox is empty", async || {
            self.ready().await.is_some_and(|health| health["outbox"]["waiting"] == 0)
        })
        .await;
    }
}

/// The two addresses in `Serving … on 127.0.0.1:1, health on 127.0.0.1:2`, whatever the log's format.
fn addresses(line: &str) -> [&str; 2] {
    [" on ", " health on "].map(|before| {
        let (_, rest) = line.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {line}"));
        rest.split([',', '"', ' ']).next().expect("a split has a first part")
    })
}

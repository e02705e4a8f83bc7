//! What goes wrong with a database, with real parts: PostgreSQL servers, replicas and poolers of the test's own, and nodes
//! that are processes. A node answers 503 and says why, goes on by itself, and loses nothing that got 200.

mod cluster;
mod connections;
mod disk;
mod disks;
mod load;
mod network;
mod pooler;
mod proxy;
mod servers;
mod tls;

use std::process::Command;

use crate::process::{ServeFolder, ServedNode, SmtpServer};

/// Nothing takes long, so that a test doesn't either: statements, leases, polls.
const QUICK: &str = r#"
[limits]
enabled = false
[outbox]
send_timeout = "2s"
lease = "3s"
retry_delay_min = "100ms"
poll_interval = "200ms"
"#;

/// A folder for quick nodes on this database, with these keys in `[storage]` besides.
fn quick_folder(storage_url: &str, storage: &str, mail: &SmtpServer) -> ServeFolder {
    let folder = ServeFolder::on(storage_url, &format!("{}\n{QUICK}", mail.config()));
    let config = folder.config();
    folder.write_config(&config.replace("[storage]\n", &format!("[storage]\n{storage}\n")));
    folder
}

/// How often the log of a node tells of trouble with the database.
fn count_trouble(node: &ServedNode) -> usize {
    let lines = node.process.stderr.lines();
    lines.iter().filter(|line| line.contains("Trouble with the database")).count()
}

/// Fails if a node told more than a few lines of what went wrong, however often it did. A message whose lease ran out is told
/// each time: it may come twice.
fn assert_quiet(node: &ServedNode) {
    let lines = node.process.stderr.lines();
    let is_loud = |line: &&String| {
        (line.contains("WARN") || line.contains("ERROR"))
            && !line.contains("ran out before its result was recorded")
    };
    let loud: Vec<_> = lines.iter().filter(is_loud).collect();
    assert!(loud.len() <= 20, "{} lines of trouble:\n{}", loud.len(), node.process.stderr.text());
}

/// Adds variables, each `NAME=value`, to what a process is started with.
fn add_environment(command: &mut Command, environment: &[String]) {
    for variable in environment {
        let (name, value) = variable.split_once('=').expect("NAME=value");
        command.env(name, value);
    }
}

//! The command line.

mod client;
mod config;
mod dev;
mod export;
mod identity;
mod import;
mod migrate;
mod migrate_storage;
mod progress;
mod registration_token;
mod serve;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

/// Proves that a person controls an e-mail address or a phone number, and records whose it is.
#[derive(Parser)]
#[command(name = "countersign", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a node to try things with: no configuration, this machine only, messages into an inbox page.
    Dev(dev::DevArgs),
    /// Runs a node.
    Serve(ConfigArgs),
    /// Brings the tables of the database up to date: for PostgreSQL with `storage.migrate = "manual"`.
    Migrate(ConfigArgs),
    /// Moves everything from SQLite into the PostgreSQL database that the configuration names. Stop the node first.
    MigrateStorage(migrate_storage::MigrateStorageArgs),
    /// Takes over what another program kept, beside a running node or without one.
    #[command(subcommand)]
    Import(Box<import::ImportCommand>),
    /// Writes everything out, one JSON object a line, addresses in clear.
    Export(export::ExportArgs),
    /// Makes, lists and deletes tokens that let people register, beside a running node or without one.
    RegistrationToken(registration_token::RegistrationTokenArgs),
    /// Replaces the pepper of the identity service's lookups, beside a running node or without one.
    Identity(identity::IdentityArgs),
    /// Shows and checks configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Talks to a running node, as a client does.
    Client(Box<client::ClientArgs>),
}

/// Where the configuration is.
#[derive(clap::Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file. Any key can come from the environment instead, as COUNTERSIGN_SECTION__KEY.
    #[arg(long, short, value_name = "FILE", env = "COUNTERSIGN_CONFIG", global = true)]
    config: Option<PathBuf>,
}

impl Cli {
    /// Does what the command line asks for.
    ///
    /// # Errors
    /// In words for the person at the terminal.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Dev(args) => dev::run(args),
            Command::Serve(args) => serve::run(&args),
            Command::Migrate(args) => migrate::run(&args),
            Command::MigrateStorage(args) => migrate_storage::run(&args),
            Command::Import(command) => import::run(*command),
            Command::Export(args) => export::run(&args),
            Command::RegistrationToken(args) => registration_token::run(args),
            Command::Identity(args) => identity::run(args),
            Command::Config(command) => config::run(command),
            Command::Client(args) => client::run(*args),
        }
    }
}

/// A token that is cancelled by SIGTERM or Ctrl-C. A second one ends the process at once.
fn shutdown_on_signal() -> Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let cancelled = token.clone();
    tokio::spawn(async move {
        for wanted in [Stop::Cleanly, Stop::AtOnce] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            match wanted {
                Stop::Cleanly => cancelled.cancel(),
                Stop::AtOnce => std::process::exit(130),
            }
        }
    });
    Ok(token)
}

enum Stop {
    Cleanly,
    AtOnce,
}

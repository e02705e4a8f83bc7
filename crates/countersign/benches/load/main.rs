//! The benchmark: what `requestToken` costs beside the HTTP floor and the storage limit, and on PostgreSQL beside SQLite, and
//! what lookups cost with few and with many associations, all in one run.
//!
//! `benches/run` starts it. The process that measures makes the load and takes the mail; each server is a process of its
//! own, whose CPU time is read from outside: the program itself, or one of the subcommands below.

mod bare_loop;
mod figures;
mod generator;
mod lookups;
mod node;
mod on_postgres;
mod postgres;
mod report;
mod rounds;
mod server;
mod sink;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use clap::{Parser, Subcommand};

use self::{bare_loop::BareLoop, postgres::Programs, rounds::Plan, server::Serves};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures `requestToken` beside the HTTP floor and the storage limit.
#[derive(Parser)]
#[command(name = "benches/run")]
struct Cli {
    /// Three short rounds: enough to see that everything runs, too few to compare.
    #[arg(long)]
    quick: bool,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each load lasts, in seconds.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// A library that makes `fsync` take 1 ms; without it those lines are left out.
    #[arg(long, env = "SLOW_FSYNC", value_name = "FILE")]
    slow_fsync: Option<PathBuf>,
    /// Leaves PostgreSQL out, as where it isn't installed.
    #[arg(long)]
    without_postgres: bool,
    /// What cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a constant answer behind the layers of a node.
    #[command(hide = true)]
    ServeFloor { config: PathBuf },
    /// Serves a node whose workers do not run.
    #[command(hide = true)]
    ServePaused { config: PathBuf },
    /// Writes the rows of `requestToken` and nothing else.
    #[command(hide = true)]
    BareLoop(BareLoop),
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::ServeFloor { config }) => server::run(Serves::Floor, &config),
        Some(Command::ServePaused { config }) => server::run(Serves::Paused, &config),
        Some(Command::BareLoop(bare_loop)) => bare_loop.run(),
        None => {
            let postgres = if cli.without_postgres { None } else { Programs::find()? };
            let slow_fsync = cli.slow_fsync;
            let plan = if cli.quick {
                let (load, associations) = (Duration::from_secs(1), 100_000);
                Plan { rounds: 3, load, messages: 2_000, associations, slow_fsync, postgres }
            } else {
                let load = Duration::from_secs(cli.seconds);
                let (rounds, associations) = (cli.rounds, 1_000_000);
                Plan { rounds, load, messages: 10_000, associations, slow_fsync, postgres }
            };
            let rounds = rounds::measure(&plan)?;
            report::print(&plan, &rounds)
        }
    }
}

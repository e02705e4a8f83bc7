//! `countersign migrate-storage`: moves an installation from SQLite into PostgreSQL.

use std::io::{Write as _, stdout};

use anyhow::{Context as _, Result};

use super::{
    ConfigArgs,
    progress::{Progress, Step, share},
};
use crate::{
    config::{Config, StorageUrl},
    logging,
    wiring::{self, Beginning, Event, Phase, Transferred},
};

/// What to move. Where to, is what `storage.url` of the configuration says.
#[derive(clap::Args)]
pub(super) struct MigrateStorageArgs {
    /// The SQLite database, as `storage.url` named it: sqlite:///var/lib/countersign/countersign.db
    // Not parsed by clap, which repeats what it refuses: that may hold a password.
    #[arg(long, value_name = "URL")]
    from: String,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &MigrateStorageArgs) -> Result<()> {
    let from = StorageUrl::parse(&args.from).context("--from")?;
    let config = Config::load_checked(args.config.config.as_deref(), std::env::vars())?;
    logging::init(&config.log)?;
    let mut progress = Progress::new();
    let transfer = wiring::transfer(&config, &from, |event| show(&mut progress, event));
    // One thread: rows are read on it, and nothing else goes on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let transferred = runtime.block_on(transfer);
    progress.end();
    print(&transferred?, &from, &config.storage.url)
}

fn print(transferred: &Transferred, from: &StorageUrl, to: &StorageUrl) -> Result<()> {
    let mut out = stdout().lock();
    match transferred {
        Transferred::Moved(tables) => {
            let rows: u64 = tables.iter().map(|(_, rows)| rows).sum();
            writeln!(out, "Moved {rows} rows; the counts and sums of both databases agree.")?;
            for (table, rows) in tables {
                writeln!(out, "  {table:<20}{rows:>12}")?;
            }
        }
        Transferred::Before => writeln!(out, "Everything was moved before; nothing is left to do.")?,
    }
    writeln!(out, "Start nodes on {to}. {from} is as it was: keep it until you are sure.")?;
    Ok(())
}

fn show(progress: &mut Progress, event: Event) {
    match event {
        Event::Began(beginning) => progress.say(match beginning {
            Beginning::Afresh => "copying into an empty database",
            Beginning::Resumed => "going on where the last run stopped",
            Beginning::Anew => "copying anew, for the SQLite database has changed since the last run",
        }),
        Event::Progress { phase, table, rows, of } => {
            let doing = match phase {
                Phase::Reading => "reading",
                Phase::Copying => "copying",
                Phase::Checking => "checking",
            };
            let step = if rows == of { Step::Last } else { Step::Under };
            progress.show(&format!("{doing} {table}: {}", share(rows, of)), step);
        }
    }
}

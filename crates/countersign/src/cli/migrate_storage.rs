//! `countersign migrate-storage`: moves an installation from SQLite into PostgreSQL.

use std::{
    io::{IsTerminal as _, Stderr, Write as _, stderr, stdout},
    time::{Duration, Instant},
};

use anyhow::Result;

use super::ConfigArgs;
use crate::{
    config::{Config, StorageUrl},
    logging,
    wiring::{self, Beginning, Event, Phase, Transferred},
};

/// How often a table that takes long is told of where nobody watches.
const PAUSE: Duration = Duration::from_secs(5);

/// What to move. Where to, is what `storage.url` of the configuration says.
#[derive(clap::Args)]
pub(super) struct MigrateStorageArgs {
    /// The SQLite database, as `storage.url` named it: sqlite:///var/lib/countersign/countersign.db
    #[arg(long, value_name = "URL", value_parser = StorageUrl::parse)]
    from: StorageUrl,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &MigrateStorageArgs) -> Result<()> {
    let config = Config::load_checked(args.config.config.as_deref(), std::env::vars())?;
    logging::init(&config.log)?;
    let mut display = Display::new();
    let transfer = wiring::transfer(&config, &args.from, |event| display.show(event));
    // One thread: rows are read on it, and nothing else goes on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let transferred = runtime.block_on(transfer);
    display.end();
    print(&transferred?, &args.from, &config.storage.url)
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

/// Shows how it goes on: one line that changes where someone watches, else a line now and then.
struct Display {
    out: Stderr,
    is_terminal: bool,
    said_at: Instant,
}

impl Display {
    fn new() -> Self {
        Self { out: stderr(), is_terminal: stderr().is_terminal(), said_at: Instant::now() }
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Began(beginning) => self.say(match beginning {
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
                let percent = rows.saturating_mul(100).checked_div(of).unwrap_or(100);
                let line = format!("{doing} {table}: {rows} of {of} rows, {percent} %");
                if self.is_terminal {
                    self.rewrite(&line);
                } else if rows == of || PAUSE < self.said_at.elapsed() {
                    self.say(&line);
                }
            }
        }
    }

    /// Writes a line that stays. One that can't be written is no reason to stop.
    fn say(&mut self, line: &str) {
        self.end();
        let _ = writeln!(self.out, "{line}");
        self.said_at = Instant::now();
    }

    /// Puts a line in the place of the last one.
    fn rewrite(&mut self, line: &str) {
        let _ = write!(self.out, "\r\x1b[K{line}");
    }

    /// Clears the line that changes.
    fn end(&mut self) {
        if self.is_terminal {
            self.rewrite("");
        }
    }
}

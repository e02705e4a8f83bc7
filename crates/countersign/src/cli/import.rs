//! `countersign import`: takes over what another program kept.

mod sydent_config;

use std::{
    fs,
    io::{Write as _, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use countersign_core::SigningKey;
use countersign_service::{
    Effect, ImportEvent, ImportKind, ImportReport, PepperOutcome, SigningKeyOutcome, Tally,
};

use super::{
    ConfigArgs,
    progress::{Progress, Step, share},
};
use crate::{
    config::{Config, PostgresUrl, Secret},
    logging, server,
    wiring::{self, SynapseDatabase},
};

/// Whose data to take over.
#[derive(Subcommand)]
pub(super) enum ImportCommand {
    /// Takes over the associations, invitations, users, pepper and signing key of a Sydent.
    Sydent(SydentArgs),
    /// Takes over the addresses of the accounts of a Synapse.
    Synapse(SynapseArgs),
}

#[derive(Args)]
pub(super) struct SydentArgs {
    /// Sydent's SQLite database, `db.file` in its sydent.conf
    #[arg(value_name = "PATH")]
    database: PathBuf,
    /// Sydent's sydent.conf, to take the signing key from
    #[arg(long, value_name = "FILE", conflicts_with = "signing_key")]
    sydent_config: Option<PathBuf>,
    /// A file with the signing key: one line `ed25519 VERSION SEED`
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args)]
pub(super) struct SynapseArgs {
    /// Synapse's database: the path of a SQLite file, or postgres://user@host/database
    #[arg(value_name = "PATH|URL")]
    database: String,
    /// A file with the password, if the URL holds none
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args)]
struct CommonArgs {
    /// Reads everything and says what would come into an empty database, but writes nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl CommonArgs {
    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Rehearsed } else { Effect::Real }
    }

    fn load_config(&self) -> Result<Config> {
        let config = Config::load_checked(self.config.config.as_deref(), std::env::vars())?;
        logging::init(&config.log)?;
        Ok(config)
    }
}

pub(super) fn run(command: ImportCommand) -> Result<()> {
    match command {
        ImportCommand::Sydent(args) => import_sydent(&args),
        ImportCommand::Synapse(args) => import_synapse(args),
    }
}

fn import_sydent(args: &SydentArgs) -> Result<()> {
    let config = args.common.load_config()?;
    if is_url(&args.database.to_string_lossy()) {
        bail!("the database is the path of a SQLite file");
    }
    let signing_key = read_signing_key(args)?;
    let mut progress = Progress::new();
    let mut watch = |event| show(&mut progress, event);
    let effect = args.common.effect();
    let import = wiring::import_sydent(&config, &args.database, signing_key.as_ref(), effect, &mut watch);
    let report = server::runtime()?.block_on(import);
    progress.end();
    print(&report?, effect)
}

fn import_synapse(args: SynapseArgs) -> Result<()> {
    let config = args.common.load_config()?;
    let SynapseArgs { database, password_file, common } = args;
    let from = match PostgresUrl::parse(&database) {
        Ok(url) => {
            let password = password_file.as_deref().map(read_file).transpose()?;
            SynapseDatabase::Postgres(url, password.map(|text| Secret::new(text.trim_end())))
        }
        Err(_) if is_url(&database) => {
            bail!("the database is the path of a SQLite file, or postgres://user@host/database")
        }
        Err(_) => SynapseDatabase::Sqlite(database.into()),
    };
    let mut progress = Progress::new();
    let mut watch = |event| show(&mut progress, event);
    let import = wiring::import_synapse(&config, &from, common.effect(), &mut watch);
    let report = server::runtime()?.block_on(import);
    progress.end();
    print(&report?, common.effect())
}

/// Whether this is a URL and no path, such as one for another program's driver. It may hold a password, so it is not
/// repeated.
fn is_url(text: &str) -> bool {
    text.contains("://")
}

fn read_signing_key(args: &SydentArgs) -> Result<Option<SigningKey>> {
    let (path, parse): (_, fn(&str) -> Result<SigningKey>) = match (&args.sydent_config, &args.signing_key) {
        (Some(path), _) => (path, sydent_config::signing_key),
        (None, Some(path)) => (path, sydent_config::parse_key),
        (None, None) => return Ok(None),
    };
    let key = parse(&read_file(path)?).with_context(|| format!("{}", path.display()))?;
    Ok(Some(key))
}

fn read_file(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
}

fn show(progress: &mut Progress, event: ImportEvent) {
    match event {
        ImportEvent::Progress { rows: 0, of: 0, .. } => {}
        ImportEvent::Progress { kind, rows, of } => {
            let step = if rows == of { Step::Last } else { Step::Under };
            progress.show(&format!("taking over {kind}: {}", share(rows, of)), step);
        }
        ImportEvent::Merged { masked_address } => {
            progress.tell_person(&format!("merged: {masked_address} stands there more than once"));
        }
    }
}

fn print(report: &ImportReport, effect: Effect) -> Result<()> {
    let mut out = stdout().lock();
    if effect == Effect::Rehearsed {
        writeln!(out, "Nothing was written. Into an empty database would come:")?;
    }
    writeln!(out, "{:<16}{:>12}{:>14}{:>12}{:>12}", "", "taken", "here already", "merged", "left")?;
    for (kind, tally) in &report.tallies {
        let (taken, there, left) = (tally.taken, tally.already_there, tally.left_count());
        writeln!(out, "{kind:<16}{taken:>12}{there:>14}{:>12}{left:>12}", tally.merged)?;
    }
    for line in report.tallies.iter().flat_map(|(kind, tally)| reasons(*kind, tally)) {
        writeln!(out, "{line}")?;
    }
    if let Some(pepper) = report.pepper {
        writeln!(out, "{}", pepper_line(pepper))?;
    }
    if let Some(key) = &report.signing_key {
        writeln!(out, "{}", signing_key_line(key))?;
    }
    Ok(())
}

fn reasons(kind: ImportKind, tally: &Tally) -> impl Iterator<Item = String> {
    let merged = (tally.merged != 0)
        .then(|| format!("Merged: {} {kind} have the address of another, written otherwise.", tally.merged));
    let left = tally.left.iter().map(move |(why, count)| format!("Left: {count} {kind} {why}."));
    merged.into_iter().chain(left)
}

fn pepper_line(outcome: PepperOutcome) -> &'static str {
    match outcome {
        PepperOutcome::Taken => "Pepper: taken over; what clients hashed with it finds people.",
        PepperOutcome::AlreadyCurrent => "Pepper: the same already.",
        PepperOutcome::None => "Pepper: there is none.",
        PepperOutcome::Unusable => {
            "Pepper: left, for it is not of letters and digits; clients learn ours at their next lookup."
        }
        PepperOutcome::InUse => {
            "Pepper: left, for associations are found by ours already; clients learn it at their next lookup."
        }
    }
}

fn signing_key_line(outcome: &SigningKeyOutcome) -> String {
    match outcome {
        SigningKeyOutcome::Current(id) => {
            format!("Signing key: {id} is the one that this server signs with; restart the nodes that run.")
        }
        SigningKeyOutcome::Refused(id) => {
            format!("Signing key: left, for another {id} is here, or this one was replaced here.")
        }
        SigningKeyOutcome::NotGiven => {
            "Signing key: none was given; --sydent-config or --signing-key brings it over.".to_owned()
        }
    }
}

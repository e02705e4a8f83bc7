//! `countersign export`: writes everything out.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter, Write, stderr, stdout},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::ConfigArgs;
use crate::{config::Config, logging, server, wiring};

/// Where to write to.
#[derive(clap::Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The file to write, readable for its owner only. It must not exist [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &ExportArgs) -> Result<()> {
    let config = Config::load_checked(args.config.config.as_deref(), std::env::vars())?;
    logging::init(&config.log)?;
    let Some(path) = &args.output else { return write_out(&config, stdout()) };
    let written = write_out(&config, create(path)?);
    if written.is_err() {
        // What came so far is of no use, and holds addresses.
        fs::remove_file(path).with_context(|| format!("can't remove {}", path.display()))?;
    }
    written
}

fn write_out(config: &Config, out: impl Write) -> Result<()> {
    let mut out = BufWriter::new(out);
    writeln!(
        stderr(),
        "The output holds the addresses of all users in clear: keep it as you would keep a key."
    )?;
    let export = wiring::export(config, |line| write_line(&mut out, line));
    let lines = server::runtime()?.block_on(export)?;
    out.flush().context("the output can't be written")?;
    writeln!(stderr(), "Wrote {lines} lines.")?;
    Ok(())
}

fn create(path: &Path) -> Result<impl Write + use<>> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("can't make {}", path.display()))
}

fn write_line(out: &mut dyn Write, line: &Value) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

//! `countersign migrate`: brings the tables of the database up to date.

use std::io::{Write as _, stdout};

use anyhow::Result;

use super::{ConfigArgs, runtime};
use crate::{config::Config, logging, wiring};

pub(super) fn run(args: &ConfigArgs) -> Result<()> {
    let config = Config::load_checked(args.config.as_deref(), std::env::vars())?;
    logging::init(&config.log)?;
    runtime()?.block_on(wiring::migrate(&config))?;
    writeln!(stdout(), "The tables are up to date.")?;
    Ok(())
}

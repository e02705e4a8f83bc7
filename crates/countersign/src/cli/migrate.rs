//! `countersign migrate`: brings the tables of the database up to date.

use std::io::{Write as _, stdout};

use anyhow::Result;

use super::ConfigArgs;
use crate::{config::Config, logging, server, wiring};

pub(super) fn run(args: &ConfigArgs) -> Result<()> {
    let config = Config::load_checked(args.config.as_deref(), std::env::vars())?;
    logging::init(&config.log)?;
    server::runtime()?.block_on(wiring::migrate(&config))?;
    writeln!(stdout(), "The tables are up to date.")?;
    Ok(())
}

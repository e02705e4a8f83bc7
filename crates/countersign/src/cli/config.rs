//! `countersign config`: shows and checks configuration.

use std::io::{Write, stdout};

use anyhow::Result;
use clap::Subcommand;

use super::ConfigArgs;
use crate::config::{Config, EXAMPLE};

/// What to do with the configuration.
#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Prints a configuration file with every key, its default, and what it is for.
    Example,
    /// Checks a configuration without starting anything.
    Check(ConfigArgs),
    /// Prints the configuration as it is in effect, defaults included, secrets hidden.
    Show(ConfigArgs),
}

pub(super) fn run(command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Example => stdout().write_all(EXAMPLE.as_bytes())?,
        ConfigCommand::Check(args) => {
            Config::load_checked(args.config.as_deref(), std::env::vars())?;
            writeln!(stdout(), "The configuration is good.")?;
        }
        ConfigCommand::Show(args) => {
            let config = Config::load(args.config.as_deref(), std::env::vars())?;
            stdout().write_all(config.redacted().as_bytes())?;
        }
    }
    Ok(())
}

//! `countersign identity`: what an operator does with the identity service.

use std::io::{Write as _, stdout};

use anyhow::Result;
use clap::{Args, Subcommand};

use super::ConfigArgs;
use crate::{
    config::Config,
    logging, server,
    wiring::{Desk, Outside},
};

/// What to do with the identity service.
#[derive(Args)]
pub(super) struct IdentityArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Puts a new pepper in the place of the one that lookups are hashed with, and prints it. Clients look up all the while;
    /// one that was told the old pepper is told the new one. Where it was broken off, it goes on when it is called again.
    RotatePepper,
}

pub(super) fn run(args: IdentityArgs) -> Result<()> {
    let config = Config::load_checked(args.config.config.as_deref(), std::env::vars())?;
    logging::init(&config.log)?;
    server::runtime()?.block_on(serve(&config, args.command))
}

async fn serve(config: &Config, command: Command) -> Result<()> {
    let desk = Desk::open(config, Outside::default()).await?;
    let done = carry_out(&desk, command).await;
    desk.close().await?;
    done
}

async fn carry_out(desk: &Desk, command: Command) -> Result<()> {
    match command {
        Command::RotatePepper => writeln!(stdout(), "{}", desk.peppers.rotate().await?.as_str())?,
    }
    Ok(())
}

//! `countersign registration-token`: tokens that let people register.

use std::{
    io::{Write as _, stdout},
    time::Duration,
};

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use countersign_core::RegistrationTokenText;
use countersign_service::{CreateToken, ListedToken, RegistrationTokens, RegistrationTokensError};

use super::ConfigArgs;
use crate::{
    config::{Config, parse_duration},
    logging,
    pages::When,
    server,
    wiring::{Desk, Outside},
};

/// What to do with registration tokens.
#[derive(Args)]
pub(super) struct RegistrationTokenArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a token and prints it.
    New(NewArgs),
    /// Prints all tokens, oldest first: uses allowed, pending and completed, and when it expires.
    List,
    /// Deletes a token. Who is registering with it can't finish.
    Delete {
        /// The token.
        #[arg(value_parser = parse_token)]
        token: RegistrationTokenText,
    },
}

#[derive(Args)]
struct NewArgs {
    /// The token, 1 to 64 of 0-9a-zA-Z._~- [default: made up]
    #[arg(long, value_parser = parse_token)]
    token: Option<RegistrationTokenText>,
    /// How many accounts may be made with it [default: any number]
    #[arg(long, value_name = "N")]
    uses: Option<u32>,
    /// How long it is good, such as 12h or 7d [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = parse_lifetime)]
    expires: Option<Duration>,
}

pub(super) fn run(args: RegistrationTokenArgs) -> Result<()> {
    let config = Config::load_checked(args.config.config.as_deref(), std::env::vars())?;
    logging::init(&config.log)?;
    server::runtime()?.block_on(serve(&config, args.command))
}

async fn serve(config: &Config, command: Command) -> Result<()> {
    let desk = Desk::open(config, Outside::default()).await?;
    let done = carry_out(&desk.registration_tokens, command).await;
    desk.close().await?;
    done
}

async fn carry_out(tokens: &RegistrationTokens, command: Command) -> Result<()> {
    match command {
        Command::New(NewArgs { token, uses, expires }) => {
            let create = CreateToken { token, uses_allowed: uses, lifetime: expires };
            match tokens.create(create).await {
                Ok(made) => writeln!(stdout(), "{}", *made.token)?,
                Err(RegistrationTokensError::Exists) => bail!("there is such a token already"),
                Err(error) => return Err(error.into()),
            }
        }
        Command::List => {
            for token in tokens.list().await? {
                writeln!(stdout(), "{}", line(&token))?;
            }
        }
        Command::Delete { token } => {
            if !tokens.delete(&token).await? {
                bail!("there is no such token");
            }
        }
    }
    Ok(())
}

/// A token for a person and for `cut`: fields separated by tabs.
fn line(token: &ListedToken) -> String {
    let uses = token.uses_allowed.map_or_else(|| "any".to_owned(), |uses| uses.to_string());
    let expires = token.expires_at.map_or_else(|| "never".to_owned(), |at| When::from(at).machine);
    format!(
        "{}\tuses {uses}\tpending {}\tcompleted {}\texpires {expires}",
        *token.token, token.pending, token.completed
    )
}

fn parse_token(text: &str) -> Result<RegistrationTokenText> {
    Ok(RegistrationTokenText::parse(text)?)
}

fn parse_lifetime(text: &str) -> Result<Duration> {
    parse_duration(text).ok_or_else(|| anyhow!("a duration is a number and s, m, h or d, such as 7d"))
}

//! `countersign client`: the client library from the shell.

mod answer;
mod args;
mod command;
mod failure;

use std::io::{Write, stdout};

use anyhow::Result;
use clap::Args;
use countersign_client::{Client, Error};
use tokio::runtime;

use self::{
    answer::{Answer, Format},
    command::ClientCommand,
};

const FLOW: &str = "\
The whole flow, with `countersign dev` on this machine; its inbox is at http://127.0.0.1:8008/inbox:

  export COUNTERSIGN_USER=alice
  export COUNTERSIGN_PASSWORD=...        # dev prints it
  export COUNTERSIGN_ACCESS_TOKEN=...    # dev prints one, login makes another
  countersign client request-token email alice@example.org
  countersign client submit-token --sid SID --client-secret SECRET --token CODE
  countersign client add --sid SID --client-secret SECRET
  countersign client list

Arguments show in process lists, so give access tokens and client secrets by the environment, and passwords
by the environment or with --password-stdin.

The exit code is 0 for success, 1 if the node refuses or can't be reached, 2 for a wrong command line.";

/// What to ask which node.
#[derive(Args)]
#[command(after_help = FLOW, next_help_heading = "Node")]
pub(super) struct ClientArgs {
    /// Where the node is.
    #[arg(long, env = "COUNTERSIGN_URL", default_value = "http://127.0.0.1:8008", global = true)]
    url: String,
    /// What stands before `/client` in every path: /_api or /_matrix.
    #[arg(long, default_value = "/_api", global = true)]
    prefix: String,
    /// The access token.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "COUNTERSIGN_ACCESS_TOKEN",
        hide_env_values = true,
        allow_hyphen_values = true,
        global = true
    )]
    access_token: Option<String>,
    /// Prints the node's answer as one line of JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: ClientCommand,
}

pub(super) fn run(args: ClientArgs) -> Result<()> {
    let node = Node::of(&args)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let shown = runtime.block_on(args.command.perform(&node))?;
    writeln!(stdout(), "{shown}")?;
    Ok(())
}

/// The node to ask, and how to show what it answers.
struct Node {
    client: Client,
    /// Without a slash at the end.
    url: String,
    format: Format,
}

impl Node {
    fn of(args: &ClientArgs) -> Result<Self> {
        let mut builder = Client::builder(&args.url).prefix(&args.prefix);
        // A variable that is set to nothing is not set.
        if let Some(access_token) = args.access_token.as_ref().filter(|token| !token.is_empty()) {
            builder = builder.access_token(access_token);
        }
        let format = if args.json { Format::Json } else { Format::Lines };
        Ok(Self { client: builder.build()?, url: args.url.trim_end_matches('/').to_owned(), format })
    }

    /// The answer as it is printed, or the error in words.
    fn show(&self, answer: Result<impl Answer, Error>) -> Result<String> {
        self.show_from(&self.url, answer)
    }

    /// The same, for a request that went to another URL than the node's own.
    fn show_from(&self, url: &str, answer: Result<impl Answer, Error>) -> Result<String> {
        let answer = answer.map_err(|error| failure::explain(error, url))?;
        Ok(self.format.show(&answer)?)
    }
}

//! `countersign client`: the client library from the shell.

use anyhow::Result;
use clap::Args;

/// What to ask a node.
#[derive(Args)]
pub(super) struct ClientArgs {}

pub(super) fn run(_args: ClientArgs) -> Result<()> {
    Ok(())
}

//! `countersign serve`: runs a node.

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;

use super::{ConfigArgs, shutdown_on_signal};
use crate::{
    config::Config,
    logging,
    server::{self, Listeners},
    wiring::{Node, Outside},
};

pub(super) fn run(args: &ConfigArgs) -> Result<()> {
    let config = Config::load_checked(args.config.as_deref(), std::env::vars())?;
    logging::init(&config.log)?;
    server::runtime()?.block_on(serve(config))
}

async fn serve(config: Config) -> Result<()> {
    let shutdown = shutdown_on_signal()?;
    let listen = |address, key: &'static str| async move {
        TcpListener::bind(address).await.with_context(|| format!("{key}: can't listen on {address}"))
    };
    let listener = listen(config.server.listen, "server.listen").await?;
    let operator_listener = listen(config.server.operator_listen, "server.operator_listen").await?;
    let identity_v1 = match config.identity.v1.listen {
        Some(address) => Some(listen(address, "identity.v1.listen").await?),
        None => None,
    };
    // After the ports, so that a second start by mistake does not touch the database.
    let node = Node::open(&config, Outside::default(), shutdown.clone()).await?;
    tracing::info!(
        "Serving {} on {}, health on {}",
        config.server.public_url,
        listener.local_addr()?,
        operator_listener.local_addr()?
    );
    let listeners = Listeners { main: listener, operator: operator_listener, identity_v1 };
    server::run(node, listeners, shutdown, config.server.limits()).await
}

//! Servers that the program itself does not offer: the HTTP floor, and a node whose workers do not run.

use std::{iter, path::Path, time::Duration};

use anyhow::Result;
use axum::{Router, body::Bytes, http::header, response::IntoResponse, routing::post};
use countersign::{
    config::Config,
    http,
    server::ServerLimits,
    wiring::{Node, Outside},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::generator::PATH;

/// What the main listener serves.
pub(crate) enum Serves {
    /// One route with a constant answer, behind the layers that the API has.
    Floor,
    /// The node; messages stay in the outbox.
    Paused,
}

/// The answer of the floor: as long as that of `requestToken`.
const CONSTANT: &str =
    r#"{"sid":"AAAAAAAAAAAAAAAAAAAAAA","submit_url":"http://127.0.0.1:50000/_countersign/v1/submit_token"}"#;

/// Serves until the process is killed.
pub(crate) fn run(serves: Serves, config: &Path) -> Result<()> {
    let config = Config::load_checked(Some(config), iter::empty())?;
    countersign::logging::init(&config.log)?;
    countersign::server::runtime()?.block_on(serve(serves, &config))
}

async fn serve(serves: Serves, config: &Config) -> Result<()> {
    let shutdown = CancellationToken::new();
    let node = Node::open(config, Outside::default(), shutdown.clone()).await?;
    let router = match serves {
        Serves::Floor => {
            let constant = Router::new().route(PATH, post(answer_constant));
            http::with_api_layers(constant, &node.state).with_state(node.state.clone())
        }
        Serves::Paused => http::router(node.state.clone()),
    };
    let listener = TcpListener::bind(config.server.listen).await?;
    let operator_listener = TcpListener::bind(config.server.operator_listen).await?;
    let operator_router = http::operator_router(node.state.clone());
    let limits = ServerLimits { max_connections: 1024, grace: Duration::ZERO };
    tokio::join!(
        countersign::server::serve(listener, router, &shutdown, limits),
        countersign::server::serve(operator_listener, operator_router, &shutdown, limits),
    );
    Ok(())
}

/// Reads the body, as every handler must, and looks at nothing.
async fn answer_constant(_body: Bytes) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], CONSTANT)
}

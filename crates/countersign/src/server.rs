//! Runs a node: both listeners, the workers, the janitor, and the way down.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use axum::{Router, serve::ListenerExt};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{http, wiring::Node};

/// Serves until `shutdown`. Then accepts nothing more, finishes the requests in flight, finishes the messages that are
/// being sent, and closes the storage; requests get at most `grace`.
///
/// # Errors
/// When a listener fails.
pub async fn run(
    mut node: Node,
    listener: TcpListener,
    operator_listener: TcpListener,
    shutdown: CancellationToken,
    grace: Duration,
) -> Result<()> {
    let workers_shutdown = CancellationToken::new();
    let mut background = JoinSet::new();
    let (workers, janitor) = node.take_background();
    for worker in workers {
        background.spawn(worker.run(workers_shutdown.clone()));
    }
    if let Some(janitor) = janitor {
        background.spawn(janitor.run(workers_shutdown.clone()));
    }
    let main = serve(listener, http::router(node.state.clone()), shutdown.clone(), grace);
    let operator =
        serve(operator_listener, http::operator_router(node.state.clone()), shutdown.clone(), grace);
    // When one listener fails, the other one must not go on alone.
    let served = tokio::try_join!(main, operator);
    shutdown.cancel();
    tracing::info!("Stopped listening; finishing the messages that are being sent");
    workers_shutdown.cancel();
    while let Some(joined) = background.join_next().await {
        if let Err(error) = joined {
            tracing::error!(error = &error as &dyn std::error::Error, "A background task failed");
        }
    }
    tokio::task::spawn_blocking(move || node.close()).await.context("closing the storage")?;
    tracing::info!("Stopped");
    served.map(|_| ())
}

async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    grace: Duration,
) -> Result<()> {
    let listener = listener.tap_io(|stream| {
        // Small answers must not wait for more to come.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = &error as &dyn std::error::Error, "Setting TCP_NODELAY failed");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        served = serving => served.context("listening failed"),
        () = async { shutdown.cancelled().await; tokio::time::sleep(grace).await } => {
            tracing::warn!("Some requests did not finish in time and were cut off");
            Ok(())
        }
    }
}

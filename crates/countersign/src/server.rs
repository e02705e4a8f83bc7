//! Runs a node: both listeners, the workers, the janitor, and the way down.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{http, wiring::Node};

/// How long a client may take to send the head of a request. Also how long a connection may be idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// The wait before accepting again when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`. Then accepts nothing more, finishes the requests in flight, finishes the messages that are
/// being sent, and closes the storage; requests get at most `grace`.
///
/// # Errors
/// When the storage can't be closed.
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
    let main = serve(listener, http::router(node.state.clone()), &shutdown, grace);
    let operator = serve(operator_listener, http::operator_router(node.state.clone()), &shutdown, grace);
    tokio::join!(main, operator);
    tracing::info!("Stopped listening; finishing the messages that are being sent");
    workers_shutdown.cancel();
    while let Some(joined) = background.join_next().await {
        if let Err(error) = joined {
            tracing::error!(error = &error as &dyn std::error::Error, "A background task failed");
        }
    }
    tokio::task::spawn_blocking(move || node.close()).await.context("closing the storage")?;
    tracing::info!("Stopped");
    Ok(())
}

/// Accepts until `shutdown`, then lets the requests in flight finish, for `grace` at most.
pub async fn serve(listener: TcpListener, router: Router, shutdown: &CancellationToken, grace: Duration) {
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => serve_connection(stream, peer, router.clone(), &connections),
            Err(error) if is_peers_fault(&error) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "Accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(grace, connections.shutdown()).await.is_err() {
        tracing::warn!("Some requests did not finish in time and were cut off");
    }
}

fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router, connections: &GracefulShutdown) {
    // Small answers must not wait for more to come.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = &error as &dyn std::error::Error, "Setting TCP_NODELAY failed");
    }
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "A connection broke off");
        }
    });
}

/// Whether accepting failed because the peer went away, so that the next one can be taken at once.
fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

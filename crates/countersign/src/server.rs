//! Runs a node: its listeners, the workers, the janitor, and the way down.

use std::{io, net::SocketAddr, num::NonZeroUsize, sync::Arc, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt, util::Oneshot};

use crate::{
    http,
    wiring::{Background, Node},
};

/// How long a client may take to send the head of a request. Also how long a connection may be idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The wait before accepting again when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// What bounds the serving.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections open at once, on each listener. Further ones wait to be accepted.
    pub max_connections: usize,
    /// How long requests and messages in flight get to finish on the way down.
    pub grace: Duration,
}

/// A runtime for a server, with a thread for each core.
///
/// # Errors
/// When the system has no threads to give.
pub fn runtime() -> io::Result<Runtime> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Builder::new_multi_thread().worker_threads(cores).enable_all().build()
}

/// Where a server listens.
pub struct Listeners {
    /// For clients.
    pub main: TcpListener,
    /// For operators.
    pub operator: TcpListener,
    /// For homeservers that use version 1 of the identity API.
    pub identity_v1: Option<TcpListener>,
}

/// Serves until `shutdown`. Then accepts nothing more, finishes the requests in flight and the messages that are being
/// sent, as far as there is time, and closes the storage. A message that is cut off is sent again when its lease ends.
///
/// # Errors
/// When a background task fails or the storage can't be closed. A node that can't send goes down rather than on.
pub async fn run(
    mut node: Node,
    listeners: Listeners,
    shutdown: CancellationToken,
    limits: ServerLimits,
) -> Result<()> {
    let workers_shutdown = CancellationToken::new();
    let mut background = JoinSet::new();
    let Background { workers, janitor, take_back } = node.take_background();
    for worker in workers {
        background.spawn(worker.run(workers_shutdown.clone()));
    }
    if let Some(janitor) = janitor {
        background.spawn(janitor.run(workers_shutdown.clone()));
    }
    if let Some(take_back) = take_back {
        background.spawn(take_back.run(workers_shutdown.clone()));
    }
    let main = serve(listeners.main, http::router(node.state.clone()), &shutdown, limits);
    let operator = serve(listeners.operator, http::operator_router(node.state.clone()), &shutdown, limits);
    let identity_v1 = async {
        if let Some(listener) = listeners.identity_v1 {
            serve(listener, http::identity_v1_router(node.state.clone()), &shutdown, limits).await;
        }
    };
    let watch = watch_background(&mut background, &shutdown);
    let ((), (), (), watched) = tokio::join!(main, operator, identity_v1, watch);
    tracing::info!("Stopped listening; finishing the messages that are being sent");
    workers_shutdown.cancel();
    let finished =
        tokio::time::timeout(limits.grace, async { while background.join_next().await.is_some() {} });
    if finished.await.is_err() {
        tracing::warn!(
            "Some messages were not sent in time and were cut off; they are sent after the next start"
        );
    }
    background.shutdown().await;
    node.close().await.context("closing the storage")?;
    tracing::info!("Stopped");
    watched
}

/// Waits for `shutdown`, and asks for it when a background task ends before.
async fn watch_background(background: &mut JoinSet<()>, shutdown: &CancellationToken) -> Result<()> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        Some(joined) = background.join_next() => {
            shutdown.cancel();
            joined.context("a background task failed")?;
            bail!("a background task ended")
        }
    }
}

/// Accepts until `shutdown`, then lets the requests in flight finish as far as there is time.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: &CancellationToken,
    limits: ServerLimits,
) {
    let connections = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let cut_off = CancellationToken::new();
    while let Some(slot) = free_slot(&slots, shutdown).await {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connections.watch(connect(stream, peer, router.clone()));
                tokio::spawn(drive(connection, slot, cut_off.clone()));
            }
            Err(error) if is_peers_fault(&error) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "Accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.grace, connections.shutdown()).await.is_err() {
        tracing::warn!("Some requests did not finish in time and were cut off");
    }
    cut_off.cancel();
}

/// Waits until one more connection may be open; `None` on shutdown.
async fn free_slot(slots: &Arc<Semaphore>, shutdown: &CancellationToken) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = slots.clone().try_acquire_owned() {
        return Some(slot);
    }
    tracing::warn!("All connections are in use (server.max_connections); further clients wait");
    tokio::select! {
        () = shutdown.cancelled() => None,
        slot = slots.clone().acquire_owned() => slot.ok(),
    }
}

fn connect(stream: TcpStream, peer: SocketAddr, router: Router) -> Connection {
    // Small answers must not wait for more to come.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = &error as &dyn std::error::Error, "Setting TCP_NODELAY failed");
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), Service { router, peer })
}

type Connection = http1::Connection<TokioIo<TcpStream>, Service>;

/// The router, with the peer's address put into each request.
struct Service {
    router: Router,
    peer: SocketAddr,
}

impl hyper::service::Service<hyper::Request<Incoming>> for Service {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = Oneshot<Router, hyper::Request<Body>>;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.clone().oneshot(request.map(Body::new))
    }
}

async fn drive(
    connection: impl Future<Output = hyper::Result<()>>,
    _slot: OwnedSemaphorePermit,
    cut_off: CancellationToken,
) {
    tokio::select! {
        () = cut_off.cancelled() => {}
        served = connection => {
            if let Err(error) = served {
                tracing::debug!(error = &error as &dyn std::error::Error, "A connection broke off");
            }
        }
    }
}

/// Whether accepting failed because the peer went away, so that the next one can be taken at once.
fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

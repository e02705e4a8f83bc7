//! A network between a node and the database that can be cut: then nothing comes through, and nothing says so.

use std::path::PathBuf;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// A way to a socket, by a port.
pub(super) struct Proxy {
    /// The port, on 127.0.0.1.
    pub(super) port: u16,
    is_open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A way to PostgreSQL's socket in this folder.
    pub(super) async fn start(folder: &str) -> Self {
        let socket = PathBuf::from(folder).join(".s.PGSQL.5432");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (is_open, open) = watch::channel(true);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                connections.spawn(pump(from_client, to_server, open.clone()));
                connections.spawn(pump(from_server, to_client, open.clone()));
            }
        });
        Self { port, is_open, task }
    }

    /// Cuts it: what is sent from now on does not arrive.
    pub(super) fn cut(&self) {
        self.is_open.send_replace(false);
    }

    /// Mends it: what was sent arrives late.
    pub(super) fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut open: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await.unwrap_or(0);
        if open.wait_for(|open| *open).await.is_err() || length == 0 {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

//! Takes mail and forgets it: an SMTP server on a thread of its own that answers at once.

use std::{
    net::TcpListener as StdListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// How often it is looked at.
const STEP: Duration = Duration::from_millis(2);
/// The longest wait for the next message.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running sink. It ends with the process.
pub(crate) struct Sink {
    pub(crate) port: u16,
    taken: Arc<AtomicU64>,
}

impl Sink {
    /// Starts one on a free port.
    pub(crate) fn start() -> Result<Self> {
        let listener = StdListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let sink = Self { port: listener.local_addr()?.port(), taken: Arc::default() };
        let taken = sink.taken.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("smtp-sink".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("the listener does not block");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(converse(stream, taken.clone()));
                }
            });
        })?;
        Ok(sink)
    }

    /// How many messages it took so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits until it took that many, and tells when that was.
    ///
    /// # Errors
    /// When no message comes for long.
    pub(crate) fn wait_for(&self, messages: u64) -> Result<Instant> {
        let (mut last, mut progress_at) = (self.taken(), Instant::now());
        while last < messages {
            thread::sleep(STEP);
            let now = self.taken();
            if last < now {
                (last, progress_at) = (now, Instant::now());
            }
            ensure!(progress_at.elapsed() < PATIENCE, "the mail stopped after {last} of {messages} messages");
        }
        Ok(progress_at)
    }
}

/// One connection. What the other side does wrong only ends it.
async fn converse(mut stream: TcpStream, taken: Arc<AtomicU64>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"220 sink\r\n").await?;
    let mut input = Vec::new();
    let mut end: &[u8] = b"\r\n";
    loop {
        while let Some(at) = input.windows(end.len()).position(|window| window == end) {
            let is_message = end.len() != 2;
            let reply: &[u8] = match input.get(..4) {
                _ if is_message => b"250 taken\r\n",
                Some(b"EHLO" | b"ehlo") => b"250-sink\r\n250 8BITMIME\r\n",
                Some(b"DATA" | b"data") => b"354 go on\r\n",
                Some(b"QUIT" | b"quit") => b"221 bye\r\n",
                Some(_) | None => b"250 ok\r\n",
            };
            if is_message {
                taken.fetch_add(1, Ordering::Relaxed);
            }
            end = if reply.starts_with(b"354") { b"\r\n.\r\n" } else { b"\r\n" };
            input.drain(..at + if is_message { 5 } else { 2 });
            stream.write_all(reply).await?;
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

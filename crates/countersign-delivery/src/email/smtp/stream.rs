//! The byte stream under an SMTP conversation: TCP or TLS, with guards that lettre lacks.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// No reply to one command is longer, continuation lines included.
const MAX_REPLY_BYTES: usize = 64 * 1024;

#[derive(Debug)]
enum Layer {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Carries one conversation.
///
/// It ends a reply that grows without end, which lettre would buffer, and turns bytes outside ASCII
/// into `?`: lettre refuses a whole reply for a localized word, and no reply's text is kept anyway.
#[derive(Debug)]
pub(super) struct SmtpStream {
    layer: Layer,
    /// Read before anything from the network.
    prologue: &'static [u8],
    read_since_write: usize,
}

impl SmtpStream {
    pub(super) fn plain(tcp: TcpStream) -> Self {
        Self { layer: Layer::Plain(tcp), prologue: b"", read_since_write: 0 }
    }

    pub(super) fn tls(tls: TlsStream<TcpStream>) -> Self {
        Self { layer: Layer::Tls(Box::new(tls)), prologue: b"", read_since_write: 0 }
    }

    /// Makes the stream begin with a greeting, for a server that said its own before `STARTTLS`.
    pub(super) fn greeted(mut self) -> Self {
        self.prologue = b"220 greeted before STARTTLS\r\n";
        self
    }
}

impl AsyncTokioStream for SmtpStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.layer {
            Layer::Plain(tcp) => tcp.peer_addr(),
            Layer::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }
}

impl AsyncRead for SmtpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.prologue.is_empty() {
            let (now, later) = self.prologue.split_at(self.prologue.len().min(buf.remaining()));
            buf.put_slice(now);
            self.prologue = later;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = match &mut self.layer {
            Layer::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Layer::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        if let Poll::Ready(Ok(())) = polled {
            let fresh = &mut buf.filled_mut()[before..];
            for byte in fresh.iter_mut().filter(|byte| !byte.is_ascii()) {
                *byte = b'?';
            }
            self.read_since_write += fresh.len();
            if MAX_REPLY_BYTES < self.read_since_write {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the reply does not end",
                )));
            }
        }
        polled
    }
}

impl AsyncWrite for SmtpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.read_since_write = 0;
        match &mut self.layer {
            Layer::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Layer::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.layer {
            Layer::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Layer::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.layer {
            Layer::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Layer::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

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
/// It ends a reply that grows without end, which lettre would buffer, and tames the replies' text,
/// which is not kept anyway: see [`Tamer`].
#[derive(Debug)]
pub(super) struct SmtpStream {
    layer: Layer,
    /// Read before anything from the network.
    prologue: &'static [u8],
    read_since_write: usize,
    tamer: Tamer,
}

/// Writes `?` for what lettre cannot bear in a reply: bytes outside printable ASCII, for which it
/// would refuse the reply and its code with it, and a blank at the start of a line's text, since it
/// panics on a line of blanks in the answer to `EHLO`.
#[derive(Debug, Default)]
struct Tamer {
    column: usize,
    after_cr: bool,
}

impl Tamer {
    /// The text of a reply line begins after its code and the character that follows.
    const TEXT_COLUMN: usize = 4;

    fn tame(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = match *byte {
                b'\n' if self.after_cr => b'\n',
                _ if self.after_cr => b'?',
                b' ' if self.column == Self::TEXT_COLUMN => b'?',
                kept @ (b' '..=b'~' | b'\r') => kept,
                _ => b'?',
            };
            self.after_cr = *byte == b'\r';
            self.column = if *byte == b'\n' { 0 } else { self.column + 1 };
        }
    }
}

impl SmtpStream {
    pub(super) fn plain(tcp: TcpStream) -> Self {
        Self { layer: Layer::Plain(tcp), prologue: b"", read_since_write: 0, tamer: Tamer::default() }
    }

    pub(super) fn tls(tls: TlsStream<TcpStream>) -> Self {
        Self { layer: Layer::Tls(Box::new(tls)), prologue: b"", read_since_write: 0, tamer: Tamer::default() }
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
            self.tamer.tame(fresh);
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

#[cfg(test)]
mod tests {
    use lettre::transport::smtp::{extension::ServerInfo, response::Response};
    use proptest::prelude::*;

    use super::*;

    fn tamed(bytes: &[u8]) -> String {
        let mut bytes = bytes.to_vec();
        Tamer::default().tame(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn usual_replies_pass_unchanged() {
        for reply in [
            "250 2.0.0 ok\r\n",
            "250-test\r\n250-AUTH PLAIN LOGIN\r\n250 HELP\r\n",
            "250\r\n",
            "250-\r\n250 \r\n",
        ] {
            assert_eq!(tamed(reply.as_bytes()), reply);
        }
        assert_eq!(tamed(b"550 Empf\xe4nger\r\n"), "550 Empf?nger\r\n");
        assert_eq!(tamed(b"250-  \r\n"), "250-? \r\n");
    }

    #[test]
    fn reads_in_pieces_are_one_text() {
        let mut tamer = Tamer::default();
        let mut pieces = [b"250".to_vec(), b"-".to_vec(), b"  \r".to_vec(), b"\n250".to_vec()];
        pieces.iter_mut().for_each(|piece| tamer.tame(piece));
        assert_eq!(pieces.concat(), b"250-? \r\n250");
    }

    proptest! {
        #[test]
        fn no_tamed_reply_makes_lettre_panic(lines in proptest::collection::vec("[ \r\n\t\u{b}a]{0,4}", 0..4)) {
            let mut reply = "250-test\r\n".to_owned();
            for line in lines {
                reply.push_str(&format!("250-{line}\r\n"));
            }
            reply.push_str("250 HELP\r\n");
            if let Ok(response) = tamed(reply.as_bytes()).parse::<Response>() {
                let _ = ServerInfo::from_response(&response);
            }
        }

        #[test]
        fn no_bytes_make_lettre_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(response) = tamed(&bytes).parse::<Response>() {
                let _ = ServerInfo::from_response(&response);
            }
        }
    }
}

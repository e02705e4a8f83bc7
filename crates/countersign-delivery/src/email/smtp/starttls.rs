//! The few lines in clear before `STARTTLS` (RFC 3207).
//!
//! lettre's own upgrade keeps what the server sent in clear after its "go ahead" and later takes it
//! for encrypted replies. Here any such byte ends the connection.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    io_failure,
    reply::{Failure, Stage, StageError, enhanced_status},
};

const MAX_REPLY_BYTES: usize = 16 * 1024;

/// A reply in clear: its code and its lines.
#[derive(Debug, PartialEq, Eq)]
struct ClearReply {
    code: u16,
    lines: Vec<String>,
}

/// Brings a fresh connection to the point where the TLS handshake begins.
pub(super) async fn ask_for_tls(tcp: &mut TcpStream, hello_name: &str) -> Result<(), StageError> {
    expect(read_reply(tcp).await, 220, Stage::Greeting)?;
    write(tcp, &format!("EHLO {hello_name}\r\n"), Stage::Hello).await?;
    let hello = expect(read_reply(tcp).await, 250, Stage::Hello)?;
    if !hello.lines.iter().any(|line| line.trim().eq_ignore_ascii_case("STARTTLS")) {
        return Err(StageError::new(Stage::Starttls, Failure::NotOffered));
    }
    write(tcp, "STARTTLS\r\n", Stage::Starttls).await?;
    expect(read_reply(tcp).await, 220, Stage::Starttls)?;
    Ok(())
}

async fn write(tcp: &mut TcpStream, command: &str, stage: Stage) -> Result<(), StageError> {
    tcp.write_all(command.as_bytes()).await.map_err(|error| StageError::new(stage, io_failure(&error)))
}

fn expect(reply: Result<ClearReply, Failure>, code: u16, stage: Stage) -> Result<ClearReply, StageError> {
    let reply = reply.map_err(|failure| StageError::new(stage, failure))?;
    if reply.code == code {
        return Ok(reply);
    }
    let enhanced = reply.lines.first().and_then(|line| enhanced_status(line));
    let failure = match reply.code {
        400..=599 => Failure::Reply { code: reply.code, enhanced },
        code => Failure::Unexpected { code },
    };
    Err(StageError::new(stage, failure))
}

async fn read_reply(tcp: &mut TcpStream) -> Result<ClearReply, Failure> {
    let mut bytes = Vec::with_capacity(512);
    loop {
        let read = tcp.read_buf(&mut bytes).await.map_err(|error| io_failure(&error))?;
        if read == 0 {
            return Err(Failure::Lost(std::io::ErrorKind::UnexpectedEof));
        }
        if MAX_REPLY_BYTES < bytes.len() {
            return Err(Failure::Garbled);
        }
        if let Some(reply) = parse_reply(&bytes)? {
            return Ok(reply);
        }
    }
}

/// Reads one whole reply; `None` while its last line is still to come.
fn parse_reply(bytes: &[u8]) -> Result<Option<ClearReply>, Failure> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&rest[..end]);
        let line = line.trim_end_matches('\r');
        rest = &rest[end + 1..];
        let code = line.get(..3).filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
        let code: u16 = code.and_then(|code| code.parse().ok()).ok_or(Failure::Garbled)?;
        let text = line.get(4..).unwrap_or("").to_owned();
        lines.push(text);
        match line.as_bytes().get(3) {
            Some(b'-') => {}
            None | Some(b' ') if rest.is_empty() => return Ok(Some(ClearReply { code, lines })),
            // The server spoke on without being asked.
            _ => return Err(Failure::Garbled),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_end_with_the_line_without_a_dash() {
        let reply = |code, lines: &[&str]| {
            Ok(Some(ClearReply { code, lines: lines.iter().map(|line| (*line).to_owned()).collect() }))
        };
        assert_eq!(parse_reply(b"220 ready\r\n"), reply(220, &["ready"]));
        assert_eq!(parse_reply(b"220\r\n"), reply(220, &[""]));
        assert_eq!(parse_reply(b"250-a\r\n250-STARTTLS\r\n250 b\n"), reply(250, &["a", "STARTTLS", "b"]));
        assert_eq!(parse_reply(b"250-a\r\n250"), Ok(None));
        assert_eq!(parse_reply(b""), Ok(None));
    }

    #[test]
    fn words_after_the_reply_are_refused() {
        assert_eq!(parse_reply(b"220 go\r\n250 injected\r\n"), Err(Failure::Garbled));
        assert_eq!(parse_reply(b"220 go\r\nx"), Err(Failure::Garbled));
        assert_eq!(parse_reply(b"HTTP/1.1 400\r\n"), Err(Failure::Garbled));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = parse_reply(&bytes);
        }

        #[test]
        fn no_reply_like_text_panics(text in "([2-5][0-9]{0,3}[- ]?.{0,5}\r?\n){0,4}") {
            let _ = parse_reply(text.as_bytes());
        }
    }
}

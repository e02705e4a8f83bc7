//! A scripted SMTP server on loopback: it answers what a test tells it to and writes down what it hears.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// What the server does at a stage instead of the usual reply.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends these bytes.
    Say(Vec<u8>),
    /// Closes the connection.
    Hang,
    /// Says nothing and keeps the connection open.
    Mute,
    /// Sends the usual reply and closes the connection after it.
    ReplyAndHang,
    /// Sends this many bytes of the usual reply and closes the connection.
    Cut(usize),
    /// Sends bytes without end.
    Flood,
}

impl Act {
    /// Sends one line.
    pub(crate) fn line(text: &str) -> Self {
        Self::Say(format!("{text}\r\n").into_bytes())
    }
}

/// How the server encrypts.
#[derive(Clone)]
pub(crate) enum Security {
    Plain,
    Implicit(TlsAcceptor),
    Starttls(TlsAcceptor),
}

/// The state that a test looks at.
#[derive(Default)]
struct Heard {
    /// Connections accepted so far.
    connections: usize,
    /// Every command line, in order.
    commands: Vec<String>,
    /// Every message, as it came over the wire between `DATA` and the final dot.
    messages: Vec<String>,
}

/// A script: the n-th time (from 1) a stage is reached, over all connections.
type Script = HashMap<(&'static str, usize), Act>;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Clone)]
struct Session {
    heard: Arc<Mutex<Heard>>,
    script: Arc<Script>,
    reached: Arc<Mutex<HashMap<&'static str, usize>>>,
    extensions: &'static [&'static str],
    security: Security,
}

/// Starts building a server.
pub(crate) struct Builder {
    script: Script,
    extensions: &'static [&'static str],
    security: Security,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self { script: HashMap::new(), extensions: &["8BITMIME"], security: Security::Plain }
    }

    /// Acts at the n-th arrival at a stage: `greeting`, a command's verb, or `end`.
    pub(crate) fn on(mut self, stage: &'static str, nth: usize, act: Act) -> Self {
        self.script.insert((stage, nth), act);
        self
    }

    pub(crate) fn extensions(mut self, extensions: &'static [&'static str]) -> Self {
        self.extensions = extensions;
        self
    }

    pub(crate) fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    pub(crate) async fn start(self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let session = Session {
            heard: Arc::clone(&heard),
            script: Arc::new(self.script),
            reached: Arc::default(),
            extensions: self.extensions,
            security: self.security,
        };
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                session.heard.lock().unwrap().connections += 1;
                let session = session.clone();
                tokio::spawn(async move {
                    match session.security.clone() {
                        Security::Implicit(acceptor) => {
                            if let Ok(tls) = acceptor.accept(tcp).await {
                                session.converse(BufReader::new(tls), Said::Nothing).await;
                            }
                        }
                        Security::Plain => {
                            session.converse(BufReader::new(tcp), Said::Nothing).await;
                        }
                        Security::Starttls(acceptor) => {
                            let stream = BufReader::new(tcp);
                            let Some(stream) = session.converse(stream, Said::Nothing).await else { return };
                            if let Ok(tls) = acceptor.accept(stream.into_inner()).await {
                                session.converse(BufReader::new(tls), Said::Greeting).await;
                            }
                        }
                    }
                });
            }
        });
        Server { address, heard }
    }
}

#[derive(PartialEq)]
enum Said {
    Nothing,
    Greeting,
}

impl Server {
    pub(crate) fn connections(&self) -> usize {
        self.heard.lock().unwrap().connections
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.heard.lock().unwrap().commands.clone()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.heard.lock().unwrap().messages.clone()
    }
}

impl Session {
    /// Speaks until the end, or until the client may begin TLS: then the stream comes back.
    async fn converse<S>(&self, mut stream: BufReader<S>, said: Said) -> Option<BufReader<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if said == Said::Nothing {
            self.reply(&mut stream, "greeting", "220 test ESMTP\r\n").await?;
        }
        loop {
            let line = read_line(&mut stream).await?;
            self.heard.lock().unwrap().commands.push(line.trim_end().to_owned());
            let verb = line.split([' ', ':', '\r']).next().unwrap_or("").to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    let mut reply = "250-test\r\n".to_owned();
                    for extension in self.extensions {
                        reply.push_str(&format!("250-{extension}\r\n"));
                    }
                    if said == Said::Nothing && matches!(self.security, Security::Starttls(_)) {
                        reply.push_str("250-STARTTLS\r\n");
                    }
                    reply.push_str("250 HELP\r\n");
                    self.reply(&mut stream, "EHLO", &reply).await?;
                }
                "STARTTLS" => {
                    self.reply(&mut stream, "STARTTLS", "220 go ahead\r\n").await?;
                    return Some(stream);
                }
                "AUTH" => drop(self.reply(&mut stream, "AUTH", "235 2.7.0 welcome\r\n").await?),
                "MAIL" => drop(self.reply(&mut stream, "MAIL", "250 2.1.0 ok\r\n").await?),
                "RCPT" => drop(self.reply(&mut stream, "RCPT", "250 2.1.5 ok\r\n").await?),
                "DATA" => {
                    if self.reply(&mut stream, "DATA", "354 go on\r\n").await? != b'3' {
                        continue;
                    }
                    let mut message = String::new();
                    loop {
                        let line = read_line(&mut stream).await?;
                        if line == ".\r\n" {
                            break;
                        }
                        message.push_str(&line);
                    }
                    self.heard.lock().unwrap().messages.push(message);
                    self.reply(&mut stream, "end", "250 2.0.0 queued as 42\r\n").await?;
                }
                "RSET" => drop(self.reply(&mut stream, "RSET", "250 2.0.0 ok\r\n").await?),
                "NOOP" => drop(self.reply(&mut stream, "NOOP", "250 2.0.0 ok\r\n").await?),
                "QUIT" => {
                    self.reply(&mut stream, "QUIT", "221 2.0.0 bye\r\n").await?;
                    return None;
                }
                _ => drop(self.reply(&mut stream, "other", "500 5.5.2 what\r\n").await?),
            }
        }
    }

    /// Acts, and gives the first byte that was said.
    async fn reply<S>(&self, stream: &mut BufReader<S>, stage: &'static str, usual: &str) -> Option<u8>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let nth = {
            let mut reached = self.reached.lock().unwrap();
            let nth = reached.entry(stage).or_default();
            *nth += 1;
            *nth
        };
        let usual = usual.as_bytes();
        match self.script.get(&(stage, nth)) {
            None => write(stream, usual).await.map(|()| usual[0]),
            Some(Act::Say(bytes)) => write(stream, bytes).await.map(|()| bytes[0]),
            Some(Act::Hang) => None,
            Some(Act::ReplyAndHang) => {
                write(stream, usual).await?;
                None
            }
            Some(Act::Cut(length)) => {
                write(stream, &usual[..*length]).await?;
                None
            }
            Some(Act::Mute) => {
                // Ends when the client gives up.
                while read_line(stream).await.is_some() {}
                None
            }
            Some(Act::Flood) => {
                while write(stream, &[b'2'; 4096]).await.is_some() {}
                None
            }
        }
    }
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line),
    }
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).await.ok()?;
    stream.flush().await.ok()
}

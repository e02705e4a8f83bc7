//! Mail over SMTP (RFC 5321): settings, and one attempt over a pooled connection.
//!
//! lettre speaks the protocol; the socket, TLS and the pool are ours, because lettre's pool does
//! not set `TCP_NODELAY` and loses about 45 ms a message to delayed acknowledgements.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;

use self::{
    connection::{Connection, Dialer, Mail},
    pool::Pool,
    reply::{Failure, Stage, StageError},
};
use super::{
    EmailMessage, EmailTransport,
    mime::{self, Mailbox},
};
use crate::{Accepted, Secret, SendError};

mod connection;
mod pool;
mod reply;
mod starttls;
mod stream;

/// How the way to the relay is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all: for a relay on this machine or a trusted network.
    None,
    /// By `STARTTLS`; a relay that does not offer it gets no mail.
    Starttls,
    /// From the first byte, usually on port 465.
    Implicit,
}

/// Where the relay is and how to speak to it.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Name or IP address of the relay; also the name that its certificate must have.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Encryption.
    pub tls: SmtpTls,
    /// The sender of every message, in the envelope and in `From`.
    pub from: Mailbox,
    /// Username and password, by `AUTH PLAIN` or `AUTH LOGIN`. Without TLS both cross the network
    /// in clear.
    pub credentials: Option<(String, Secret)>,
    /// What `EHLO` says: this machine's domain name or IP address.
    pub hello_name: String,
    /// Connections open at the same time, at least one.
    pub max_connections: usize,
    /// Messages that one connection carries before it is replaced.
    pub max_messages_per_connection: u32,
    /// An unused connection is closed after this time.
    pub idle_timeout: Duration,
    /// Limit for the name lookup, and for the TCP handshake.
    pub connect_timeout: Duration,
    /// Limit for the TLS handshake, the greeting and each command.
    pub command_timeout: Duration,
    /// Limit for the message itself, up to the reply to its final dot.
    pub data_timeout: Duration,
    /// Limit for a whole attempt, waiting for a free connection included.
    pub send_timeout: Duration,
    /// PEM certificates trusted besides the system's own, for a private relay.
    pub extra_ca_pem: Option<Vec<u8>>,
}

impl SmtpSettings {
    /// Starts from a relay without TLS and authentication, and the default limits.
    pub fn new(host: impl Into<String>, port: u16, from: Mailbox) -> Self {
        Self {
            host: host.into(),
            port,
            tls: SmtpTls::None,
            hello_name: from.domain().to_owned(),
            from,
            credentials: None,
            max_connections: 8,
            max_messages_per_connection: 100,
            idle_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            command_timeout: Duration::from_secs(30),
            data_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(90),
            extra_ca_pem: None,
        }
    }
}

/// The settings cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSettingsError {
    /// The host is neither a domain name nor an IP address.
    #[error("the SMTP host {0:?} is neither a domain name nor an IP address")]
    Host(String),
    /// The `EHLO` name is neither a domain name nor an IP address.
    #[error("the SMTP hello name {0:?} is neither a domain name nor an IP address")]
    HelloName(String),
    /// The extra certificates are not PEM, or there are none.
    #[error("the file of extra certificates holds no readable PEM certificate")]
    ExtraCa,
    /// No usable set of trusted certificates.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Sends mail through one relay, over few connections that are used again.
pub struct SmtpTransport {
    from: Mailbox,
    send_timeout: Duration,
    pool: Arc<Pool>,
}

impl SmtpTransport {
    /// Checks the settings and loads the trusted certificates. Connects to nothing yet.
    pub fn new(settings: SmtpSettings) -> Result<Self, SmtpSettingsError> {
        let from = settings.from.clone();
        let send_timeout = settings.send_timeout;
        let dialer = Dialer::new(&settings)?;
        Ok(Self { from, send_timeout, pool: Pool::new(dialer, &settings) })
    }

    /// Tells whether the relay can be reached and lets us in, on a connection of its own.
    pub async fn check(&self) -> Result<(), SendError> {
        let conversation = async {
            let mut connection = self.pool.dialer().open().await?;
            connection.noop().await?;
            connection.quit().await;
            Ok(())
        };
        let checked = tokio::time::timeout(self.send_timeout, conversation).await;
        checked.unwrap_or(Err(StageError::new(Stage::Attempt, Failure::TimedOut))).map_err(SendError::from)
    }

    async fn attempt(&self, mail: &Mail<'_>) -> Result<Accepted, StageError> {
        let _permit = self.pool.permit().await;
        if let Some(mut connection) = self.pool.take_idle() {
            match connection.deliver(mail).await {
                // The relay hung up while the connection was idle. Nothing was handed over.
                Err(error) if error.says_hung_up_before_start() => drop(connection),
                outcome => return self.settle(connection, outcome).await,
            }
        }
        let mut connection = self.pool.dialer().open().await?;
        let outcome = connection.deliver(mail).await;
        self.settle(connection, outcome).await
    }

    /// Keeps a connection that is still good for another message.
    async fn settle(
        &self,
        mut connection: Connection,
        outcome: Result<Accepted, StageError>,
    ) -> Result<Accepted, StageError> {
        let usable = match &outcome {
            Ok(_) => true,
            Err(error) if error.ends_connection() => false,
            Err(_) => connection.reset().await.is_ok(),
        };
        if usable {
            self.pool.put_back(connection);
        }
        outcome
    }
}

#[async_trait]
impl EmailTransport for SmtpTransport {
    async fn send(&self, message: &EmailMessage) -> Result<Accepted, SendError> {
        if !mime::is_sendable(&message.to) {
            return Err(SendError::permanent("the address cannot be written in SMTP"));
        }
        let bytes = mime::build(&self.from, message);
        let mail = Mail { from: self.from.address(), to: &message.to, bytes: &bytes };
        let outcome = tokio::time::timeout(self.send_timeout, self.attempt(&mail)).await;
        outcome.unwrap_or(Err(StageError::new(Stage::Attempt, Failure::TimedOut))).map_err(SendError::from)
    }
}

/// Sorts an I/O error into what the log needs; its text could name the peer's words.
fn io_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::TimedOut,
        io::ErrorKind::InvalidData => Failure::Garbled,
        kind => Failure::Lost(kind),
    }
}

//! One connection to the relay: dialing, logging in, and handing over messages.

use std::{net::IpAddr, sync::Arc, time::Duration};

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::AsyncSmtpConnection,
    commands::{Noop, Rset},
    extension::{ClientId, Extension},
    response::Response,
};
use rustls::pki_types::ServerName;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    SmtpSettings, SmtpSettingsError, SmtpTls, io_failure,
    reply::{Failure, Stage, StageError, enhanced_status},
    starttls,
    stream::SmtpStream,
};
use crate::{
    Accepted,
    tls::{self, TlsError},
};

/// A message and its envelope.
pub(super) struct Mail<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) bytes: &'a [u8],
}

/// Opens connections.
pub(super) struct Dialer {
    host: String,
    port: u16,
    tls: SmtpTls,
    connector: TlsConnector,
    server_name: ServerName<'static>,
    hello: ClientId,
    credentials: Option<Credentials>,
    connect_timeout: Duration,
    command_timeout: Duration,
    data_timeout: Duration,
}

impl Dialer {
    pub(super) fn new(settings: &SmtpSettings) -> Result<Self, SmtpSettingsError> {
        let server_name = ServerName::try_from(settings.host.clone())
            .map_err(|_| SmtpSettingsError::Host(settings.host.clone()))?;
        let credentials = settings.credentials.as_ref();
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            tls: settings.tls,
            connector: connector(settings)?,
            server_name,
            hello: client_id(&settings.hello_name)?,
            credentials: credentials
                .map(|(user, password)| Credentials::new(user.clone(), password.expose().to_owned())),
            connect_timeout: settings.connect_timeout,
            command_timeout: settings.command_timeout,
            data_timeout: settings.data_timeout,
        })
    }

    /// Connects, says hello and logs in.
    pub(super) async fn open(&self) -> Result<Connection, StageError> {
        let tcp = self.connect().await?;
        let stream = self.secured(tcp).await?;
        let connected = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello);
        let mut smtp = timeout(self.command_timeout, connected)
            .await
            .map_err(|_| StageError::new(Stage::Hello, Failure::TimedOut))?
            .map_err(|error| StageError::new(Stage::Hello, Failure::from_lettre(&error)))?;
        if let Some(credentials) = &self.credentials {
            self.log_in(&mut smtp, credentials).await?;
        }
        Ok(Connection {
            smtp,
            command_timeout: self.command_timeout,
            data_timeout: self.data_timeout,
            messages: 0,
            used_at: Instant::now(),
        })
    }

    async fn connect(&self) -> Result<TcpStream, StageError> {
        let lookup = tokio::net::lookup_host((self.host.as_str(), self.port));
        let addresses: Vec<_> = within(self.connect_timeout, Stage::Lookup, lookup).await?.collect();
        within(self.connect_timeout, Stage::Connect, async {
            let tcp = TcpStream::connect(addresses.as_slice()).await?;
            tcp.set_nodelay(true)?;
            Ok(tcp)
        })
        .await
    }

    async fn secured(&self, mut tcp: TcpStream) -> Result<SmtpStream, StageError> {
        match self.tls {
            SmtpTls::None => Ok(SmtpStream::plain(tcp)),
            SmtpTls::Implicit => Ok(SmtpStream::tls(self.handshake(tcp).await?)),
            SmtpTls::Starttls => {
                let hello = self.hello.to_string();
                timeout(self.command_timeout, starttls::ask_for_tls(&mut tcp, &hello))
                    .await
                    .map_err(|_| StageError::new(Stage::Starttls, Failure::TimedOut))??;
                Ok(SmtpStream::tls(self.handshake(tcp).await?).greeted())
            }
        }
    }

    async fn handshake(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, StageError> {
        let connected =
            timeout(self.command_timeout, self.connector.connect(self.server_name.clone(), tcp)).await;
        let failure = match connected {
            Ok(Ok(tls)) => return Ok(tls),
            Ok(Err(error)) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => Failure::Tls(error.to_string()),
                None => io_failure(&error),
            },
            Err(_) => Failure::TimedOut,
        };
        Err(StageError::new(Stage::TlsHandshake, failure))
    }

    async fn log_in(
        &self,
        smtp: &mut AsyncSmtpConnection,
        credentials: &Credentials,
    ) -> Result<(), StageError> {
        let logged_in =
            timeout(self.command_timeout, smtp.auth(&[Mechanism::Plain, Mechanism::Login], credentials))
                .await;
        let response = checked(Stage::Auth, logged_in)?;
        expect(Stage::Auth, &response, 200..=299)
    }
}

/// Trusts what the system trusts, and the extra certificates.
fn connector(settings: &SmtpSettings) -> Result<TlsConnector, SmtpSettingsError> {
    let extra = settings.extra_ca_pem.as_deref();
    let config = match settings.tls {
        // Never used; but a file that can't be read is told all the same.
        SmtpTls::None => extra.map(tls::parse).transpose().and_then(|_| tls::trusting_nobody()),
        SmtpTls::Starttls | SmtpTls::Implicit => tls::trusting_system_and(extra),
    };
    let config = config.map_err(|error| match error {
        TlsError::ExtraCa => SmtpSettingsError::ExtraCa,
        TlsError::Setup(cause) => SmtpSettingsError::Tls(cause),
    })?;
    Ok(TlsConnector::from(Arc::new(config)))
}

fn client_id(name: &str) -> Result<ClientId, SmtpSettingsError> {
    match name.parse() {
        Ok(IpAddr::V4(address)) => Ok(ClientId::Ipv4(address)),
        Ok(IpAddr::V6(address)) => Ok(ClientId::Ipv6(address)),
        Err(_) if ServerName::try_from(name).is_ok() => Ok(ClientId::Domain(name.to_owned())),
        Err(_) => Err(SmtpSettingsError::HelloName(name.to_owned())),
    }
}

async fn within<T>(
    limit: Duration,
    stage: Stage,
    work: impl Future<Output = std::io::Result<T>>,
) -> Result<T, StageError> {
    match timeout(limit, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(StageError::new(stage, io_failure(&error))),
        Err(_) => Err(StageError::new(stage, Failure::TimedOut)),
    }
}

type Timed = Result<Result<Response, lettre::transport::smtp::Error>, tokio::time::error::Elapsed>;

fn checked(stage: Stage, outcome: Timed) -> Result<Response, StageError> {
    match outcome {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(StageError::new(stage, Failure::from_lettre(&error))),
        Err(_) => Err(StageError::new(stage, Failure::TimedOut)),
    }
}

/// Refuses a positive reply of the wrong kind: after it both sides would disagree on what comes next.
fn expect(stage: Stage, response: &Response, codes: std::ops::RangeInclusive<u16>) -> Result<(), StageError> {
    let code = u16::from(response.code());
    if codes.contains(&code) { Ok(()) } else { Err(StageError::new(stage, Failure::Unexpected { code })) }
}

/// One open conversation.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    command_timeout: Duration,
    data_timeout: Duration,
    messages: u32,
    used_at: Instant,
}

impl Connection {
    /// Hands one message over.
    pub(super) async fn deliver(&mut self, mail: &Mail<'_>) -> Result<Accepted, StageError> {
        let parameters = self.mail_parameters(mail)?;
        self.messages += 1;
        self.command(Stage::Mail, format!("MAIL FROM:<{}>{parameters}\r\n", mail.from), 200..=299).await?;
        self.command(Stage::Rcpt, format!("RCPT TO:<{}>\r\n", mail.to), 200..=299).await?;
        self.command(Stage::Data, "DATA\r\n", 354..=354).await?;
        let handed_over = timeout(self.data_timeout, self.smtp.message(mail.bytes)).await;
        let response = checked(Stage::Message, handed_over)?;
        expect(Stage::Message, &response, 200..=299)?;
        self.used_at = Instant::now();
        let code = response.code();
        let reply = match response.first_line().and_then(enhanced_status) {
            Some(enhanced) => format!("{code} {enhanced}"),
            None => code.to_string(),
        };
        Ok(Accepted { reply })
    }

    /// Asks for SMTPUTF8 only where an address needs it; the rest of the message is ASCII always.
    fn mail_parameters(&self, mail: &Mail<'_>) -> Result<&'static str, StageError> {
        if mail.to.is_ascii() && mail.from.is_ascii() {
            return Ok("");
        }
        let server = self.smtp.server_info();
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(StageError::new(Stage::Mail, Failure::NeedsSmtpUtf8));
        }
        // A server with SMTPUTF8 has 8BITMIME (RFC 6531 section 3.1).
        Ok(" SMTPUTF8 BODY=8BITMIME")
    }

    async fn command(
        &mut self,
        stage: Stage,
        command: impl std::fmt::Display,
        codes: std::ops::RangeInclusive<u16>,
    ) -> Result<(), StageError> {
        let outcome = timeout(self.command_timeout, self.smtp.command(command)).await;
        let response = checked(stage, outcome)?;
        expect(stage, &response, codes)
    }

    /// Forgets a message that was refused half-way.
    pub(super) async fn reset(&mut self) -> Result<(), StageError> {
        self.command(Stage::Reset, Rset, 200..=299).await?;
        self.used_at = Instant::now();
        Ok(())
    }

    pub(super) async fn noop(&mut self) -> Result<(), StageError> {
        self.command(Stage::Noop, Noop, 200..=299).await
    }

    /// Says goodbye; whether the server answers does not matter.
    pub(super) async fn quit(mut self) {
        let _ = timeout(self.command_timeout.min(Duration::from_secs(5)), self.smtp.quit()).await;
    }

    pub(super) fn messages(&self) -> u32 {
        self.messages
    }

    pub(super) fn idle_for(&self) -> Duration {
        self.used_at.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use crate::email::{
        mime::{self, Mailbox},
        tests::message,
    };

    // What `mail_parameters` relies on.
    #[test]
    fn messages_are_ascii_unless_an_address_is_not() {
        let from = Mailbox::parse("Ünlü <a@example.org>").unwrap();
        let mut message = message();
        message.subject = "Grüße".to_owned();
        message.text = "日本語\n".to_owned();
        assert!(mime::build(&from, &message).is_ascii());
    }
}

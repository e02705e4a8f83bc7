//! `[email]`: how mail is sent.

use std::path::PathBuf;
use std::time::Duration;

use countersign_core::{EmailAddress, SessionPurpose};
use serde::{Deserialize, Serialize};
use url::Host;

use super::error::Problems;
use super::{ConfigError, Secret, Transport, duration};

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The sender: `Example <no-reply@example.org>` or just the address. Its domain is also that of Message-IDs.
    pub from: Mailbox,
    /// For which purposes a mail carries a typed code beside its link: `add_threepid`, `register`, `identity`,
    /// `verify`, `reset_password`. A code is weaker than a link, so a password reset has none by default.
    #[serde(default = "default_code_for", with = "purposes")]
    pub code_for: Vec<SessionPurpose>,
    /// How long a typed code in a mail is good.
    #[serde(default = "default_code_lifetime", with = "duration")]
    pub code_lifetime: Duration,
    /// The mail server that takes our messages.
    pub smtp: Option<SmtpConfig>,
    /// Where mail goes; files can't set it.
    #[serde(skip)]
    pub transport: Transport,
}

/// The mail server that takes our messages.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// Its name or address.
    #[serde(default = "default_host")]
    pub host: String,
    /// Its port: usually 25 for a relay, 587 with `starttls`, 465 with `implicit`.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Whether and when the connection is encrypted.
    #[serde(default)]
    pub tls: SmtpTls,
    /// The user to authenticate as; absent, none.
    pub username: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// A file that holds the password instead.
    pub password_file: Option<PathBuf>,
    /// The name we greet the server with; absent, the domain of `email.from`.
    pub hello_name: Option<String>,
    /// A file of PEM certificates that are trusted beside the system's own, for a server with a private one.
    pub ca_file: Option<PathBuf>,
}

/// Whether and when a connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Never: only for a relay on this machine or network.
    #[default]
    None,
    /// After the greeting, by STARTTLS; a server that lacks it gets nothing.
    Starttls,
    /// From the first byte.
    Implicit,
}

/// An address with an optional name for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox {
    name: Option<String>,
    address: String,
}

impl Mailbox {
    /// Parses `Name <user@example.org>`, `"Name" <user@example.org>` or `user@example.org`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, address) = match text.trim().strip_suffix('>').map(|rest| rest.rsplit_once('<')) {
            None => (None, text.trim()),
            Some(Some((name, address))) => (Some(name.trim()), address),
            Some(None) => return Err("has '>' without '<'".to_owned()),
        };
        let name = name.map(|name| {
            name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name).to_owned()
        });
        if name.as_deref().is_some_and(|name| name.contains(|c: char| c.is_control() || "<>\"\\".contains(c)))
        {
            return Err(
                "the name must not hold quotes, angle brackets, backslashes or control characters".to_owned()
            );
        }
        EmailAddress::parse(address)
            .map_err(|error| format!("{error}; write \"Example <no-reply@example.org>\""))?;
        Ok(Self { name: name.filter(|name| !name.is_empty()), address: address.to_owned() })
    }

    /// The name for people to read.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address, spelled as in the file.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The part of the address after the `@`.
    pub fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl TryFrom<String> for Mailbox {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        match mailbox.name {
            Some(name) => format!("{name} <{}>", mailbox.address),
            None => mailbox.address,
        }
    }
}

impl EmailConfig {
    /// Mail into the development inbox.
    pub(super) fn inbox() -> Self {
        Self {
            from: Mailbox::parse("countersign dev <no-reply@countersign.localhost>")
                .expect("the address is well formed"),
            code_for: default_code_for(),
            code_lifetime: default_code_lifetime(),
            smtp: None,
            transport: Transport::Inbox,
        }
    }

    pub(super) fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        if let Some(smtp) = &mut self.smtp {
            let value = smtp.password.take();
            smtp.password = Secret::resolve("email.smtp.password", value, smtp.password_file.as_deref())?;
        }
        Ok(())
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        match (&self.smtp, self.transport) {
            (Some(smtp), _) => smtp.check(problems),
            (None, Transport::Configured) => {
                problems.add("email.smtp", "is missing: say which mail server takes the messages");
            }
            (None, Transport::Inbox) => {}
        }
        if self.code_lifetime < Duration::from_secs(60) {
            problems
                .add("email.code_lifetime", "must be at least \"1m\", or no one could type the code in time");
        }
    }
}

impl SmtpConfig {
    fn check(&self, problems: &mut Problems) {
        if Host::parse(&self.host).is_err() {
            problems.add("email.smtp.host", "is not the name or address of a host");
        }
        if self.port == 0 {
            problems.add("email.smtp.port", "must not be 0");
        }
        if self.hello_name.as_deref().is_some_and(|name| Host::parse(name).is_err()) {
            problems.add("email.smtp.hello_name", "is not the name of a host");
        }
        if let Some(path) = self.ca_file.as_deref().filter(|path| !path.is_file()) {
            problems.add("email.smtp.ca_file", format!("{} is not a file", path.display()));
        }
        if self.username.is_some() && self.password.is_none() {
            problems.add("email.smtp.password", "is missing: email.smtp.username is set");
        }
        if self.username.is_none() && self.password.is_some() {
            problems.add("email.smtp.username", "is missing: email.smtp.password is set");
        }
    }
}

fn default_code_for() -> Vec<SessionPurpose> {
    use SessionPurpose as P;
    vec![P::AddThreepid, P::Register, P::Identity, P::Verify]
}

const fn default_code_lifetime() -> Duration {
    Duration::from_secs(30 * 60)
}

fn default_host() -> String {
    "127.0.0.1".to_owned()
}

const fn default_port() -> u16 {
    25
}

/// Core's purposes as a list of their names.
mod purposes {
    use serde::{Deserializer, Serializer, de};

    use super::{Deserialize, SessionPurpose};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SessionPurpose>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        names.iter().map(|name| SessionPurpose::parse(name).ok_or_else(|| unknown(name))).collect()
    }

    fn unknown<E: de::Error>(name: &str) -> E {
        let known = SessionPurpose::ALL.map(|purpose| format!("`{}`", purpose.as_str())).join(", ");
        E::custom(format_args!("unknown purpose `{name}`, expected some of {known}"))
    }

    pub(super) fn serialize<S: Serializer>(
        purposes: &[SessionPurpose],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(purposes.iter().map(|purpose| purpose.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_an_address_with_or_without_a_name() {
        let cases = [
            ("no-reply@example.org", None, "no-reply@example.org"),
            ("<no-reply@example.org>", None, "no-reply@example.org"),
            ("Example <No-Reply@example.org>", Some("Example"), "No-Reply@example.org"),
            ("\"Beispiel, GmbH\" <a@example.org>", Some("Beispiel, GmbH"), "a@example.org"),
        ];
        for (text, name, address) in cases {
            let mailbox = Mailbox::parse(text).expect(text);
            assert_eq!((mailbox.name(), mailbox.address()), (name, address), "{text}");
            assert_eq!(mailbox.domain(), "example.org");
            assert_eq!(Mailbox::parse(&String::from(mailbox.clone())), Ok(mailbox));
        }
    }

    #[test]
    fn a_sender_that_could_break_a_header_is_refused() {
        for text in
            ["", "example", "a@b", "A <a@example.org", "a@example.org>", "A\r\nBcc: x <a@example.org>", "<>"]
        {
            assert!(Mailbox::parse(text).is_err(), "{text:?}");
        }
    }
}

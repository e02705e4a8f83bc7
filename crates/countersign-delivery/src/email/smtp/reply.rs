//! What a failure at a stage of the conversation means for the message.

use std::{error::Error as _, fmt, io};

use lettre::transport::smtp::Error as LettreError;

use crate::SendError;

/// A step of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Attempt,
    Lookup,
    Connect,
    Greeting,
    Hello,
    Starttls,
    TlsHandshake,
    Auth,
    Mail,
    Rcpt,
    Data,
    Message,
    Reset,
    Noop,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempt => "whole attempt",
            Self::Lookup => "name lookup",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::Starttls => "STARTTLS",
            Self::TlsHandshake => "TLS handshake",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL FROM",
            Self::Rcpt => "RCPT TO",
            Self::Data => "DATA",
            Self::Message => "end of message",
            Self::Reset => "RSET",
            Self::Noop => "NOOP",
        })
    }
}

/// What went wrong, without the server's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A negative reply: its code, and its enhanced status (RFC 3463) if it has one.
    Reply {
        code: u16,
        enhanced: Option<String>,
    },
    /// A positive reply that does not belong here.
    Unexpected {
        code: u16,
    },
    TimedOut,
    /// The connection died.
    Lost(io::ErrorKind),
    /// What arrived is not an SMTP reply.
    Garbled,
    /// The server does not offer what the settings ask for.
    NotOffered,
    /// Our own certificate checks or the TLS layer said no.
    Tls(String),
    /// The address needs SMTPUTF8 (RFC 6531) and the server does not have it.
    NeedsSmtpUtf8,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply { code, enhanced: Some(enhanced) } => write!(f, "{code} {enhanced}"),
            Self::Reply { code, enhanced: None } => write!(f, "{code}"),
            Self::Unexpected { code } => write!(f, "unexpected reply {code}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Lost(kind) => write!(f, "connection failed ({kind})"),
            Self::Garbled => f.write_str("unreadable reply"),
            Self::NotOffered => f.write_str("not offered by the server"),
            Self::Tls(reason) => write!(f, "TLS failed: {reason}"),
            Self::NeedsSmtpUtf8 => f.write_str("the address needs SMTPUTF8, which the server does not offer"),
        }
    }
}

impl Failure {
    pub(super) fn from_lettre(error: &LettreError) -> Self {
        let said = error.source().map(ToString::to_string).unwrap_or_default();
        if let Some(code) = error.status() {
            return Self::Reply { code: code.into(), enhanced: enhanced_status(&said) };
        }
        if let Some(error) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
            return super::io_failure(error);
        }
        if error.is_response() && said == "incomplete response" {
            return Self::Lost(io::ErrorKind::UnexpectedEof);
        }
        if error.is_client() { Self::NotOffered } else { Self::Garbled }
    }
}

/// Finds the enhanced status code that a reply's text begins with.
pub(super) fn enhanced_status(text: &str) -> Option<String> {
    let word = text.split_ascii_whitespace().next()?;
    let mut parts = word.split('.');
    let class = parts.next().filter(|class| matches!(*class, "2" | "4" | "5"));
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let fits = class.is_some()
        && parts.next().is_some_and(is_number)
        && parts.next().is_some_and(is_number)
        && parts.next().is_none();
    fits.then(|| word.to_owned())
}

/// A failure and where it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StageError {
    stage: Stage,
    failure: Failure,
}

impl StageError {
    pub(super) fn new(stage: Stage, failure: Failure) -> Self {
        Self { stage, failure }
    }

    /// Tells whether an idle connection turned out to be closed, before anything was handed over.
    pub(super) fn says_hung_up_before_start(&self) -> bool {
        let gone = match self.failure {
            Failure::Reply { code, .. } => code == 421,
            Failure::TimedOut | Failure::Lost(_) => true,
            Failure::Unexpected { .. }
            | Failure::Garbled
            | Failure::NotOffered
            | Failure::Tls(_)
            | Failure::NeedsSmtpUtf8 => false,
        };
        gone && self.stage == Stage::Mail
    }

    /// Tells whether the connection is of no further use.
    pub(super) fn ends_connection(&self) -> bool {
        match self.failure {
            Failure::Reply { code, .. } => code == 421,
            Failure::NeedsSmtpUtf8 => false,
            Failure::Unexpected { .. }
            | Failure::TimedOut
            | Failure::Lost(_)
            | Failure::Garbled
            | Failure::NotOffered
            | Failure::Tls(_) => true,
        }
    }

    fn is_permanent(&self) -> bool {
        match self.failure {
            // "Authentication required" and its kin are our own misconfiguration at any stage.
            Failure::Reply { code: 530 | 534 | 535 | 538, .. } => false,
            Failure::Reply { code: 500..=599, .. } => {
                matches!(self.stage, Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Message)
            }
            Failure::NeedsSmtpUtf8 => true,
            Failure::Reply { .. }
            | Failure::Unexpected { .. }
            | Failure::TimedOut
            | Failure::Lost(_)
            | Failure::Garbled
            | Failure::NotOffered
            | Failure::Tls(_) => false,
        }
    }
}

impl From<StageError> for SendError {
    fn from(error: StageError) -> Self {
        let reason = format!("SMTP {}: {}", error.stage, error.failure);
        if error.is_permanent() { Self::permanent(reason) } else { Self::transient(reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_of_the_message_are_permanent() {
        let reply = |code| Failure::Reply { code, enhanced: None };
        let cases = [
            (Stage::Rcpt, reply(550), true),
            (Stage::Mail, reply(552), true),
            (Stage::Data, reply(554), true),
            (Stage::Message, reply(554), true),
            (Stage::Rcpt, Failure::NeedsSmtpUtf8, true),
            (Stage::Rcpt, reply(450), false),
            (Stage::Message, reply(451), false),
            (Stage::Mail, reply(421), false),
            (Stage::Mail, reply(530), false),
            (Stage::Auth, reply(535), false),
            (Stage::Greeting, reply(554), false),
            (Stage::Hello, reply(550), false),
            (Stage::Message, Failure::Lost(io::ErrorKind::UnexpectedEof), false),
            (Stage::Starttls, Failure::NotOffered, false),
            (Stage::Rcpt, Failure::Garbled, false),
        ];
        for (stage, failure, permanent) in cases {
            let error = SendError::from(StageError::new(stage, failure.clone()));
            assert_eq!(matches!(error, SendError::Permanent { .. }), permanent, "{stage} {failure}");
        }
    }

    #[test]
    fn the_enhanced_status_is_all_that_is_kept_of_the_text() {
        for (text, status) in [
            ("5.1.1 <alice@example.com>: no such user", Some("5.1.1")),
            ("4.7.650 slow down", Some("4.7.650")),
            ("alice@example.com unknown", None),
            ("9.9.9 what", None),
            ("5.1 short", None),
            ("5.1.1.1 long", None),
            ("5.1.1234 wide", None),
            ("", None),
        ] {
            assert_eq!(enhanced_status(text).as_deref(), status, "{text:?}");
        }
    }
}

//! From a rendered message to the bytes that follow `DATA` (RFC 5322, RFC 2045).

use std::fmt;

use mail_builder::{
    MessageBuilder,
    headers::{address::Address, date::Date, message_id::MessageId, text::Text},
};

use crate::EmailMessage;

/// A sender as configured: `Example <no-reply@example.org>` or the bare address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    address: String,
}

impl Mailbox {
    /// Reads `Name <address>`, `"Name" <address>` or `address`.
    pub fn parse(text: &str) -> Result<Self, MailboxError> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(MailboxError);
        }
        let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"').trim(), address),
            None => ("", text),
        };
        if !is_sendable(address) {
            return Err(MailboxError);
        }
        Ok(Self { name: (!name.is_empty()).then(|| name.to_owned()), address: address.to_owned() })
    }

    /// The bare address, for the envelope.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The part after the last `@`.
    pub fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(&self.address),
        }
    }
}

/// The text is not a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a sender: write `Name <name@example.org>` or `name@example.org`")]
pub struct MailboxError;

/// Builds the message. A repeat with the same id has the same `Message-ID`.
///
/// No field can add a header: control characters in the subject are dropped, and the caller has
/// made sure that the address [is sendable](is_sendable).
pub(crate) fn build(from: &Mailbox, message: &EmailMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    MessageBuilder::new()
        .from(Address::new_address(from.name.as_deref(), from.address.as_str()))
        .to(message.to.as_str())
        .subject(one_line(&message.subject))
        .date(Date::new(message.date_ms.div_euclid(1000)))
        .message_id(MessageId::new(message_id(from, &message.id)))
        // RFC 3834: keeps holiday notices and other responders quiet. The second header says the
        // same to Exchange, which does not read the first.
        .header("Auto-Submitted", Text::new("auto-generated"))
        .header("X-Auto-Response-Suppress", Text::new("All"))
        .header("Content-Language", Text::new(one_line(&message.language)))
        .text_body(clean_lines(&message.text))
        .html_body(clean_lines(&message.html))
        .serialize(&mut bytes);
    bytes
}

fn message_id(from: &Mailbox, id: &str) -> String {
    let id: String =
        id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    format!("{id}@{}", from.domain())
}

/// Ends every line with a line feed alone, which the builder writes as CRLF, and drops other control
/// characters: the builder passes a bare CR on, and servers disagree on whether it ends a line.
fn clean_lines(text: &str) -> String {
    let mut clean = text.replace("\r\n", "\n").replace('\r', "\n");
    clean.retain(|c| matches!(c, '\n' | '\t') || !c.is_control());
    clean
}

/// Makes one line of a text: runs of white space and control characters become one space.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Tells whether an address can stand between the angle brackets of a command and of a header.
///
/// This guards the wire only; whether the address makes sense was decided when it was parsed.
pub(crate) fn is_sendable(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    (is_dot_atom(local) || is_quoted(local)) && is_domain(domain)
}

fn is_dot_atom(local: &str) -> bool {
    !local.is_empty()
        && local.chars().all(|c| {
            !c.is_control()
                && !c.is_whitespace()
                && !matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | '\\')
                && !matches!(c, ',' | ';' | ':' | '"' | '@')
        })
}

fn is_quoted(local: &str) -> bool {
    local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).is_some_and(|inside| {
        !inside.is_empty() && inside.chars().all(|c| !c.is_control() && !matches!(c, '"' | '\\' | '<' | '>'))
    })
}

fn is_domain(domain: &str) -> bool {
    !domain.is_empty()
        && domain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'[' | b']' | b':' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::email::tests::message;

    fn built(message: &EmailMessage) -> String {
        let from = Mailbox::parse("Exämple Org <no-reply@example.org>").unwrap();
        String::from_utf8(build(&from, message)).unwrap()
    }

    #[test]
    fn a_message_has_every_header_and_both_bodies() {
        let bytes = built(&message());
        for line in [
            "To: <alice@example.com>\r\n",
            "Subject: Confirm your address\r\n",
            "Message-ID: <0193-abc@example.org>\r\n",
            "Date: Wed, 18 Nov 2026 10:00:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "X-Auto-Response-Suppress: All\r\n",
            "Content-Language: en\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=\"utf-8\"\r\n",
            "Content-Type: text/html; charset=\"utf-8\"\r\n",
        ] {
            assert!(bytes.contains(line), "{line:?} is missing in\n{bytes}");
        }
        assert!(bytes.contains("<no-reply@example.org>") && bytes.is_ascii());
        assert!(bytes.find("text/plain") < bytes.find("text/html"), "the best version comes last");
    }

    #[test]
    fn line_breaks_in_the_subject_add_no_header() {
        let mut message = message();
        message.subject = "Hello\r\nBcc: eve@example.com\r\n\r\nbody\u{0}\u{85}".to_owned();
        let bytes = built(&message);
        assert!(bytes.contains("Subject: Hello Bcc: eve@example.com body\r\n"), "{bytes}");
        assert!(!bytes.contains("\r\nBcc"));
    }

    #[test]
    fn addresses_that_could_break_out_are_not_sendable() {
        for address in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "a b@example.com",
            "alice@example.com\r\nRCPT TO:<eve@example.com>",
            "alice\n@example.com",
            "alice>@example.com",
            "a@b@example.com",
            "alice,bob@example.com",
            "\"a\"b\"@example.com",
            "alice@exa mple.com",
            "alice@bücher.example",
        ] {
            assert!(!is_sendable(address), "{address:?}");
        }
        for address in [
            "alice@example.com",
            "o'neil+tag@xn--bcher-kva.example",
            "\"a b\"@example.com",
            "ñandú@example.com",
        ] {
            assert!(is_sendable(address), "{address:?}");
        }
    }

    #[test]
    fn long_and_foreign_lines_are_encoded() {
        let mut message = message();
        message.text = format!("{}\n.\nÄ {}", "x".repeat(3000), "語".repeat(2000));
        message.html = format!("<p>{}</p>", "word ".repeat(2000));
        let bytes = built(&message);
        assert!(bytes.is_ascii());
        assert!(
            bytes.split("\r\n").all(|line| line.len() <= 998 && !line.contains('\n') && !line.contains('\r'))
        );
    }

    #[test]
    fn senders_are_read_with_and_without_a_name() {
        let read = |text| Mailbox::parse(text).map(|mailbox| (mailbox.name, mailbox.address));
        let address = || "a@b.example".to_owned();
        assert_eq!(read("a@b.example"), Ok((None, address())));
        assert_eq!(read("<a@b.example>"), Ok((None, address())));
        assert_eq!(read("Ann Lee <a@b.example>"), Ok((Some("Ann Lee".to_owned()), address())));
        assert_eq!(read("\"Lee, Ann\" <a@b.example>"), Ok((Some("Lee, Ann".to_owned()), address())));
        for text in ["", "Ann", "Ann <a@b.example", "Ann <a@b.example>\r\nBcc: x", "Ann <a b@c.example>"] {
            assert_eq!(read(text), Err(MailboxError), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_adds_a_header(
            subject in "\\PC*|[ -~\r\n\t\u{0}]*",
            text in "(?s).*|[a.\r\n\u{0}]*",
            html in "(?s).*",
        ) {
            let mut message = message();
            message.subject = subject;
            message.text = text;
            message.html = html;
            let bytes = built(&message);
            let (head, _) = bytes.split_once("\r\n\r\n").unwrap();
            let names: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split_once(": ").unwrap_or((line, "")).0).collect();
            proptest::prop_assert_eq!(names, ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
                "X-Auto-Response-Suppress", "Content-Language", "MIME-Version", "Content-Type"]);
            proptest::prop_assert!(!bytes.replace("\r\n", "").contains(['\r', '\n']));
        }
    }
}

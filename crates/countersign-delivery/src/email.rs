//! Mail: the message, the transport that takes it, and its way over SMTP.

use std::fmt;

use async_trait::async_trait;

use crate::{Accepted, SendError};

pub mod mime;
pub mod smtp;

/// One message ready to leave: rendered and addressed.
#[derive(Clone)]
pub struct EmailMessage {
    /// The outbox id, the same in every attempt; becomes the `Message-ID`.
    pub id: String,
    /// The canonical address.
    pub to: String,
    /// The subject, one line.
    pub subject: String,
    /// The plain text body.
    pub text: String,
    /// The HTML body, equal in content.
    pub html: String,
    /// The template that the message was rendered from.
    pub template: &'static str,
    /// The language that it is written in, a BCP 47 tag.
    pub language: String,
    /// When it is sent, in milliseconds since the Unix epoch; becomes the `Date`.
    pub date_ms: i64,
    /// The link inside, for the development inbox.
    pub link: Option<String>,
    /// The code inside, for the development inbox.
    pub code: Option<String>,
}

impl fmt::Debug for EmailMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailMessage")
            .field("id", &self.id)
            .field("template", &self.template)
            .field("language", &self.language)
            .finish_non_exhaustive()
    }
}

/// Takes mail towards its recipient.
#[async_trait]
pub trait EmailTransport: Send + Sync {
    /// Makes one attempt. An error after the message was handed over but before it was acknowledged
    /// is transient, so the recipient may get the message twice, with the same `Message-ID`.
    async fn send(&self, message: &EmailMessage) -> Result<Accepted, SendError>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn message() -> EmailMessage {
        EmailMessage {
            id: "0193-abc".to_owned(),
            to: "alice@example.com".to_owned(),
            subject: "Confirm your address".to_owned(),
            text: "Your code is 123456.\n".to_owned(),
            html: "<p>Your code is <b>123456</b>.</p>\n".to_owned(),
            template: "validate_email",
            language: "en".to_owned(),
            date_ms: 1_794_996_000_000,
            link: None,
            code: Some("123456".to_owned()),
        }
    }

    #[test]
    fn debug_shows_no_address_and_no_code() {
        let shown = format!("{:?}", message());
        assert!(shown.contains("0193-abc"));
        assert!(!shown.contains("alice") && !shown.contains("123456"), "{shown}");
    }
}

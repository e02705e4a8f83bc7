//! SMS: the message, and the gateways that take it.

use std::fmt;

use async_trait::async_trait;

use crate::{Accepted, SendError};

pub mod http;

/// One text message ready to leave: rendered and addressed.
#[derive(Clone)]
pub struct SmsMessage {
    /// The outbox id, the same in every attempt.
    pub id: String,
    /// E.164 digits without the plus sign.
    pub to: String,
    /// The text.
    pub text: String,
    /// ISO 3166-1 alpha-2 code of the number's country, if known.
    pub country: Option<String>,
    /// The template that the message was rendered from.
    pub template: &'static str,
    /// When it is sent, in milliseconds since the Unix epoch.
    pub date_ms: i64,
    /// The code inside, for the development inbox.
    pub code: Option<String>,
}

impl fmt::Debug for SmsMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsMessage")
            .field("id", &self.id)
            .field("template", &self.template)
            .field("country", &self.country)
            .finish_non_exhaustive()
    }
}

/// Takes text messages towards their recipient.
#[async_trait]
pub trait SmsGateway: Send + Sync {
    /// Makes one attempt. After a transient error the gateway may have taken the message all the
    /// same; it can tell a repeat by the id.
    async fn send(&self, message: &SmsMessage) -> Result<Accepted, SendError>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn message() -> SmsMessage {
        SmsMessage {
            id: "0193-def".to_owned(),
            to: "447700900123".to_owned(),
            text: "123456 is your code".to_owned(),
            country: Some("GB".to_owned()),
            template: "validate_msisdn",
            date_ms: 1_794_996_000_000,
            code: Some("123456".to_owned()),
        }
    }

    #[test]
    fn debug_shows_no_number_and_no_code() {
        let shown = format!("{:?}", message());
        assert!(shown.contains("0193-def"));
        assert!(!shown.contains("7700900123") && !shown.contains("123456"), "{shown}");
    }
}

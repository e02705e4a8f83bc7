//! The addresses of this server that messages and answers hold.

use countersign_core::{LinkToken, NotMeToken, SessionId};

/// Builds links from `server.public_url`, never from a request's `Host`.
#[derive(Clone, Debug)]
pub struct Links {
    /// Without a slash at its end.
    public_url: String,
    submit_url: String,
}

impl Links {
    /// Links below this URL.
    pub fn new(public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self { submit_url: format!("{public_url}/_countersign/v1/submit_token"), public_url }
    }

    /// Where a client hands in a code.
    pub fn submit_url(&self) -> String {
        self.submit_url.clone()
    }

    /// The link in a mail. It holds no client secret.
    pub fn confirm(&self, sid: &SessionId, token: &LinkToken) -> String {
        format!("{}/_countersign/v1/confirm?sid={sid}&token={}", self.public_url, token.expose())
    }

    /// The "this wasn't me" link in a mail.
    pub fn not_me(&self, sid: &SessionId, token: &NotMeToken) -> String {
        format!("{}/_countersign/v1/not-me?sid={sid}&token={}", self.public_url, token.expose())
    }
}

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

    /// Where to ask whether a key of this server is good.
    pub fn pubkey_is_valid(&self) -> String {
        format!("{}/_matrix/identity/v2/pubkey/isvalid", self.public_url)
    }

    /// Where to ask whether the key of an invitation is good.
    pub fn ephemeral_pubkey_is_valid(&self) -> String {
        format!("{}/_matrix/identity/v2/pubkey/ephemeral/isvalid", self.public_url)
    }

    /// Where an app has it signed that its user has an invitation. Both values are base64url. The path is of version 1: apps
    /// add the user's id to the query and send neither a body nor an access token.
    pub fn sign_ed25519(&self, token: &str, private_key: &str) -> String {
        let path = "/_matrix/identity/api/v1/sign-ed25519";
        format!("{}{path}?token={token}&private_key={private_key}", self.public_url)
    }

    /// The "this wasn't me" link in a mail.
    pub fn not_me(&self, sid: &SessionId, token: &NotMeToken) -> String {
        format!("{}/_countersign/v1/not-me?sid={sid}&token={}", self.public_url, token.expose())
    }
}

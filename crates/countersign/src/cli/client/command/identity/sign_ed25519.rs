//! Accepting an invitation that came by mail.

use clap::Args;
use countersign_client::{
    Error,
    identity::{SignRequest, SignResponse},
};

use super::Service;

#[derive(Args)]
pub(in crate::cli::client) struct SignArgs {
    /// The token of the invitation, from its mail.
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    token: String,
    /// The private key of the invitation, from its mail.
    #[arg(
        long,
        value_name = "KEY",
        env = "COUNTERSIGN_PRIVATE_KEY",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    private_key: String,
    /// The user who accepts it [default: the owner of the access token]
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
}

impl SignArgs {
    pub(super) async fn sign(self, service: &Service<'_>) -> Result<SignResponse, Error> {
        let mxid = service.user_or_owner(self.user_id).await?;
        let request = SignRequest { mxid, token: self.token, private_key: self.private_key };
        service.client.sign_ed25519(&request).await
    }
}

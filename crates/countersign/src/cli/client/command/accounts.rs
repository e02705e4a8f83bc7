//! The commands about a whole account: make it, change its password, end it.

use anyhow::{Context as _, Result};
use clap::Args;
use countersign_client::{
    ChangePasswordRequest, Credentials, DeactivateRequest, RefreshRequest, RegisterRequest,
};

use crate::cli::client::{
    Node,
    answer::Done,
    args::{Device, NewPassword, OwnPassword, Proofs, RegistrationToken, UserAndPassword},
};

#[derive(Args)]
pub(in crate::cli::client) struct RegisterArgs {
    #[command(flatten)]
    credentials: UserAndPassword,
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    proofs: Proofs,
    #[command(flatten)]
    token: RegistrationToken,
    /// Accepts the policies that the node names.
    #[arg(long)]
    accept_terms: bool,
    /// Makes the account only: no device, no access token.
    #[arg(long)]
    inhibit_login: bool,
}

#[derive(Args)]
pub(in crate::cli::client) struct RefreshArgs {
    /// The refresh token.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "COUNTERSIGN_REFRESH_TOKEN",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    refresh_token: String,
}

#[derive(Args)]
pub(in crate::cli::client) struct TokenValidityArgs {
    #[command(flatten)]
    token: RegistrationToken,
}

#[derive(Args)]
pub(in crate::cli::client) struct PasswordArgs {
    #[command(flatten)]
    new_password: NewPassword,
    #[command(flatten)]
    own: OwnPassword,
    #[command(flatten)]
    proofs: Proofs,
    /// Leaves the account's other devices logged in.
    #[arg(long)]
    keep_devices: bool,
}

#[derive(Args)]
pub(in crate::cli::client) struct DeactivateArgs {
    #[command(flatten)]
    own: OwnPassword,
    #[command(flatten)]
    proofs: Proofs,
    /// The identity server to unbind the account's addresses from, too [default: each that the node knows of]
    #[arg(long, value_name = "HOST")]
    id_server: Option<String>,
    /// Says that you mean it: there is no way back.
    #[arg(long, required = true)]
    yes: bool,
}

impl RegisterArgs {
    pub(super) async fn perform(self, node: &Node) -> Result<String> {
        let credentials = self.proven_by();
        node.show(node.client.register_with(&self.request()?, &credentials).await)
    }

    fn proven_by(&self) -> Credentials {
        Credentials {
            registration_token: self.token.registration_token.clone(),
            accept_terms: self.accept_terms,
            ..self.proofs.credentials()
        }
    }

    pub(super) fn request(self) -> Result<RegisterRequest> {
        let password = self.credentials.password()?;
        Ok(RegisterRequest {
            device_id: self.device.device_id,
            initial_device_display_name: self.device.device_name,
            inhibit_login: self.inhibit_login.then_some(true),
            refresh_token: self.device.with_refresh_token.then_some(true),
            ..RegisterRequest::new(self.credentials.user, password)
        })
    }
}

impl RefreshArgs {
    pub(super) async fn perform(self, node: &Node) -> Result<String> {
        node.show(node.client.refresh(&RefreshRequest::new(self.refresh_token)).await)
    }
}

impl TokenValidityArgs {
    pub(super) async fn perform(self, node: &Node) -> Result<String> {
        let token = self.token.registration_token.context("say which: --registration-token")?;
        node.show(node.client.registration_token_validity(&token).await)
    }
}

impl PasswordArgs {
    pub(super) async fn perform(self, node: &Node) -> Result<String> {
        let credentials = Credentials { password: self.own.read()?, ..self.proofs.credentials() };
        let request = ChangePasswordRequest {
            logout_devices: self.keep_devices.then_some(false),
            ..ChangePasswordRequest::new(self.new_password.read()?)
        };
        let changed = node.client.change_password_with(&request, &credentials).await;
        node.show(changed.map(Done::from))
    }
}

impl DeactivateArgs {
    pub(super) async fn perform(self, node: &Node) -> Result<String> {
        let credentials = Credentials { password: self.own.read()?, ..self.proofs.credentials() };
        let request = DeactivateRequest { id_server: self.id_server, ..DeactivateRequest::default() };
        node.show(node.client.deactivate_account_with(&request, &credentials).await)
    }
}

//! The commands of `countersign client`, one for each call of the client library.

mod accounts;
mod identity;
mod request_token;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use countersign_api::submit_token::SUBMIT_TOKEN;
use countersign_client::{
    AddThreepidRequest, BindThreepidRequest, DeleteThreepidRequest, LoginRequest, SubmitTokenRequest,
};

use self::{
    accounts::{DeactivateArgs, PasswordArgs, RefreshArgs, RegisterArgs, TokenValidityArgs},
    identity::IdentityArgs,
    request_token::RequestTokenCommand,
};
use super::{
    Node,
    answer::Done,
    args::{Device, Session, UserAndPassword},
};

/// What to ask.
#[derive(Subcommand)]
pub(super) enum ClientCommand {
    /// Tells which versions of the specification the node speaks.
    Versions,
    /// Tells what the node lets its users do. Needs an access token.
    Capabilities,
    /// Tells the ways to log in.
    LoginFlows,
    /// Tells whether a user name is free.
    Available {
        /// The part of the user id before the colon.
        name: String,
    },
    /// Makes an account and prints an access token.
    Register(RegisterArgs),
    /// Tells whether a registration token is good.
    TokenValidity(TokenValidityArgs),
    /// Logs in and prints an access token.
    Login(LoginArgs),
    /// Prints a new access token for a refresh token.
    Refresh(RefreshArgs),
    /// Tells who owns the access token.
    Whoami,
    /// Ends the access token and its device.
    Logout,
    /// Ends all access tokens and devices of the user.
    LogoutAll,
    /// Has a token sent to an address, to prove that it is yours. Prints the session's id.
    #[command(subcommand)]
    RequestToken(RequestTokenCommand),
    /// Submits the code of a message.
    SubmitToken(SubmitTokenArgs),
    /// Adds an address that was proven to the account. Needs an access token, and the password again.
    Add(AddArgs),
    /// Lists the addresses of the account. Needs an access token.
    List,
    /// Deletes an address from the account. Needs an access token.
    Delete(DeleteArgs),
    /// Publishes, at an identity server, that an address proven there is yours. Needs an access token.
    Bind(BindArgs),
    /// Takes back what bind published; the account keeps the address. Needs an access token.
    Unbind(DeleteArgs),
    /// Sets a new password: with an access token and the old one, or with a session of `request-token --for reset`.
    Password(PasswordArgs),
    /// Ends the account for good. Nobody can have its name again.
    Deactivate(DeactivateArgs),
    /// Prints a token that proves the user to another service. Needs an access token.
    Openid,
    /// Asks an identity service: proves addresses to it, publishes them, finds people.
    Identity(IdentityArgs),
}

#[derive(Args)]
pub(super) struct LoginArgs {
    #[command(flatten)]
    credentials: UserAndPassword,
    #[command(flatten)]
    device: Device,
}

#[derive(Args)]
pub(super) struct SubmitTokenArgs {
    #[command(flatten)]
    session: Session,
    /// The code.
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    token: String,
    /// Where to submit it, as request-token printed it [default: /_countersign/v1/submit_token at --url]
    #[arg(long, value_name = "URL")]
    submit_url: Option<String>,
}

#[derive(Args)]
pub(super) struct AddArgs {
    #[command(flatten)]
    session: Session,
    #[command(flatten)]
    credentials: UserAndPassword,
}

#[derive(Args)]
pub(super) struct DeleteArgs {
    /// What kind of address: email or msisdn.
    medium: String,
    /// The address, as list prints it.
    address: String,
    /// The identity server to unbind it from, too.
    #[arg(long, value_name = "HOST")]
    id_server: Option<String>,
}

#[derive(Args)]
pub(super) struct BindArgs {
    #[command(flatten)]
    session: Session,
    /// The identity server, as host or host:port.
    #[arg(long, value_name = "HOST")]
    id_server: String,
    /// An access token for the identity server, as identity register printed it.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "COUNTERSIGN_ID_ACCESS_TOKEN",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    id_access_token: String,
}

impl ClientCommand {
    /// Asks the node. What it answers is to be printed.
    pub(super) async fn perform(self, node: &Node) -> Result<String> {
        let client = &node.client;
        match self {
            Self::Versions => node.show(client.get_versions().await),
            Self::Capabilities => node.show(client.get_capabilities().await),
            Self::LoginFlows => node.show(client.get_login_flows().await),
            Self::Available { name } => node.show(client.check_username_availability(&name).await),
            Self::Register(args) => args.perform(node).await,
            Self::TokenValidity(args) => args.perform(node).await,
            Self::Login(args) => node.show(client.login(&args.request()?).await),
            Self::Refresh(args) => args.perform(node).await,
            Self::Whoami => node.show(client.get_token_owner().await),
            Self::Logout => node.show(client.logout().await.map(Done::from)),
            Self::LogoutAll => node.show(client.logout_all().await.map(Done::from)),
            Self::RequestToken(command) => command.perform(node).await,
            Self::SubmitToken(args) => args.perform(node).await,
            Self::Add(AddArgs { session, credentials }) => {
                let request = AddThreepidRequest::new(session.sid, session.client_secret);
                let (identifier, password) = (credentials.identifier(), credentials.password()?);
                let added = client.add_3pid_with_password(&request, identifier, &password).await;
                node.show(added.map(Done::from))
            }
            Self::List => node.show(client.get_account_3pids().await),
            Self::Delete(args) => node.show(client.delete_3pid_from_account(&args.request()).await),
            Self::Bind(args) => node.show(client.bind_3pid(&args.request()).await.map(Done::from)),
            Self::Unbind(args) => node.show(client.unbind_3pid_from_account(&args.request()).await),
            Self::Password(args) => args.perform(node).await,
            Self::Deactivate(args) => args.perform(node).await,
            Self::Openid => match client.get_token_owner().await {
                Ok(owner) => node.show(client.request_openid_token(&owner.user_id).await),
                Err(error) => node.show(Err::<Done, _>(error)),
            },
            Self::Identity(args) => args.perform(node).await,
        }
    }
}

impl LoginArgs {
    fn request(self) -> Result<LoginRequest> {
        let password = self.credentials.password()?;
        Ok(LoginRequest {
            device_id: self.device.device_id,
            initial_device_display_name: self.device.device_name,
            refresh_token: self.device.with_refresh_token.then_some(true),
            ..LoginRequest::password(self.credentials.identifier(), password)
        })
    }
}

impl DeleteArgs {
    /// Bodies of delete and unbind are alike.
    fn request(self) -> DeleteThreepidRequest {
        DeleteThreepidRequest {
            id_server: self.id_server,
            ..DeleteThreepidRequest::new(self.medium, self.address)
        }
    }
}

impl BindArgs {
    fn request(self) -> BindThreepidRequest {
        BindThreepidRequest {
            client_secret: self.session.client_secret,
            sid: self.session.sid,
            id_server: self.id_server,
            id_access_token: self.id_access_token,
        }
    }
}

impl SubmitTokenArgs {
    async fn perform(self, node: &Node) -> Result<String> {
        let submit_url = self.submit_url.unwrap_or_else(|| format!("{}{SUBMIT_TOKEN}", node.url));
        let request = SubmitTokenRequest::new(self.session.sid, self.session.client_secret, self.token);
        let answer = node.client.submit_token(&submit_url, &request).await;
        // Other services than ours may say no with status 200.
        ensure!(!answer.as_ref().is_ok_and(|answer| !answer.success), "the code was not accepted");
        node.show_from(&submit_url, answer)
    }
}

#[cfg(test)]
mod tests;

//! The commands of `countersign client`, one for each call of the client library.

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use countersign_api::submit_token::SUBMIT_TOKEN;
use countersign_client::{
    AddThreepidRequest, DeleteThreepidRequest, LoginRequest, RegisterRequest, RequestEmailToken,
    RequestMsisdnToken, SubmitTokenRequest,
};

use super::{
    Node,
    answer::{Done, TokenRequested},
    args::{Credentials, Device, Session, TokenOptions},
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
    /// Makes an account at a node that wants no proof for it, and prints an access token.
    Register(RegisterArgs),
    /// Logs in and prints an access token.
    Login(LoginArgs),
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
}

#[derive(Args)]
pub(super) struct RegisterArgs {
    #[command(flatten)]
    credentials: Credentials,
    #[command(flatten)]
    device: Device,
    /// Makes the account only: no device, no access token.
    #[arg(long)]
    inhibit_login: bool,
}

#[derive(Args)]
pub(super) struct LoginArgs {
    #[command(flatten)]
    credentials: Credentials,
    #[command(flatten)]
    device: Device,
}

/// To which kind of address.
#[derive(Subcommand)]
pub(super) enum RequestTokenCommand {
    /// By mail: a link and a code.
    Email {
        /// The e-mail address.
        address: String,
        #[command(flatten)]
        options: TokenOptions,
    },
    /// By SMS: a code.
    Msisdn {
        /// The country that the number is dialled from, two upper-case letters.
        country: String,
        /// The phone number.
        number: String,
        #[command(flatten)]
        options: TokenOptions,
    },
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
    credentials: Credentials,
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

impl ClientCommand {
    /// Asks the node. What it answers is to be printed.
    pub(super) async fn perform(self, node: &Node) -> Result<String> {
        let client = &node.client;
        match self {
            Self::Versions => node.show(client.get_versions().await),
            Self::Capabilities => node.show(client.get_capabilities().await),
            Self::LoginFlows => node.show(client.get_login_flows().await),
            Self::Available { name } => node.show(client.check_username_availability(&name).await),
            Self::Register(args) => node.show(client.register_with_dummy(&args.request()?).await),
            Self::Login(args) => node.show(client.login(&args.request()?).await),
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
            Self::Delete(DeleteArgs { medium, address, id_server }) => {
                let request =
                    DeleteThreepidRequest { id_server, ..DeleteThreepidRequest::new(medium, address) };
                node.show(client.delete_3pid_from_account(&request).await)
            }
        }
    }
}

impl RegisterArgs {
    fn request(self) -> Result<RegisterRequest> {
        let password = self.credentials.password()?;
        Ok(RegisterRequest {
            device_id: self.device.device_id,
            initial_device_display_name: self.device.device_name,
            inhibit_login: self.inhibit_login.then_some(true),
            ..RegisterRequest::new(self.credentials.user, password)
        })
    }
}

impl LoginArgs {
    fn request(self) -> Result<LoginRequest> {
        let password = self.credentials.password()?;
        Ok(LoginRequest {
            device_id: self.device.device_id,
            initial_device_display_name: self.device.device_name,
            ..LoginRequest::password(self.credentials.identifier(), password)
        })
    }
}

impl RequestTokenCommand {
    async fn perform(self, node: &Node) -> Result<String> {
        let (client_secret, answer) = match self {
            Self::Email { address, mut options } => {
                let client_secret = options.client_secret();
                let request = RequestEmailToken {
                    next_link: options.next_link,
                    id_access_token: options.id_access_token,
                    id_server: options.id_server,
                    ..RequestEmailToken::new(client_secret.expose(), address, options.send_attempt)
                };
                (client_secret, node.client.request_token_to_3pid_email(&request).await)
            }
            Self::Msisdn { country, number, mut options } => {
                let client_secret = options.client_secret();
                let request = RequestMsisdnToken {
                    next_link: options.next_link,
                    id_access_token: options.id_access_token,
                    id_server: options.id_server,
                    ..RequestMsisdnToken::new(client_secret.expose(), country, number, options.send_attempt)
                };
                (client_secret, node.client.request_token_to_3pid_msisdn(&request).await)
            }
        };
        node.show(answer.map(|answer| TokenRequested { answer, client_secret: client_secret.news() }))
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

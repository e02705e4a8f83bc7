//! `request-token`: has a message sent, for one of three purposes.

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use countersign_client::{RequestEmailToken, RequestMsisdnToken};

use crate::cli::client::{
    Node,
    answer::TokenRequested,
    args::{IdentityServer, TokenOptions},
};

/// To which kind of address.
#[derive(Subcommand)]
pub(in crate::cli::client) enum RequestTokenCommand {
    /// By mail: a link and a code.
    Email {
        /// The e-mail address.
        address: String,
        #[command(flatten)]
        options: TokenOptions,
        #[command(flatten)]
        identity_server: IdentityServer,
        #[command(flatten)]
        purpose: PurposeArg,
    },
    /// By SMS: a code.
    Msisdn {
        /// The country that the number is dialled from, two upper-case letters.
        country: String,
        /// The phone number.
        number: String,
        #[command(flatten)]
        options: TokenOptions,
        #[command(flatten)]
        identity_server: IdentityServer,
        #[command(flatten)]
        purpose: PurposeArg,
    },
}

/// What the address is to be proven for.
#[derive(Args)]
pub(in crate::cli::client) struct PurposeArg {
    /// What for: the session is good for nothing else.
    #[arg(long = "for", value_name = "PURPOSE", value_enum, default_value_t = Purpose::Add)]
    pub(super) purpose: Purpose,
}

/// What an address can be proven for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli::client) enum Purpose {
    /// To add it to an account.
    Add,
    /// To register with it.
    Register,
    /// To set a new password for the account that has it.
    Reset,
}

impl RequestTokenCommand {
    pub(super) async fn perform(self, node: &Node) -> Result<String> {
        let client = &node.client;
        let (client_secret, answer) = match self {
            Self::Email { address, mut options, identity_server, purpose } => {
                let client_secret = options.client_secret();
                let request = RequestEmailToken {
                    next_link: options.next_link,
                    id_access_token: identity_server.id_access_token,
                    id_server: identity_server.id_server,
                    ..RequestEmailToken::new(client_secret.expose(), address, options.send_attempt)
                };
                let answer = match purpose.purpose {
                    Purpose::Add => client.request_token_to_3pid_email(&request).await,
                    Purpose::Register => client.request_token_to_register_email(&request).await,
                    Purpose::Reset => client.request_token_to_reset_password_email(&request).await,
                };
                (client_secret, answer)
            }
            Self::Msisdn { country, number, mut options, identity_server, purpose } => {
                let client_secret = options.client_secret();
                let request = RequestMsisdnToken {
                    next_link: options.next_link,
                    id_access_token: identity_server.id_access_token,
                    id_server: identity_server.id_server,
                    ..RequestMsisdnToken::new(client_secret.expose(), country, number, options.send_attempt)
                };
                let answer = match purpose.purpose {
                    Purpose::Add => client.request_token_to_3pid_msisdn(&request).await,
                    Purpose::Register => client.request_token_to_register_msisdn(&request).await,
                    Purpose::Reset => client.request_token_to_reset_password_msisdn(&request).await,
                };
                (client_secret, answer)
            }
        };
        node.show(answer.map(|answer| TokenRequested { answer, client_secret: client_secret.news() }))
    }
}

//! Proving an address to an identity service.

use anyhow::{Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use countersign_client::{
    RequestTokenResponse, SubmitTokenRequest,
    identity::{RequestEmailValidation, RequestMsisdnValidation},
};

use super::Service;
use crate::cli::client::{
    answer::TokenRequested,
    args::{Session, TokenOptions},
};

/// To which kind of address.
#[derive(Subcommand)]
pub(in crate::cli::client) enum RequestTokenCommand {
    /// By mail.
    Email {
        /// The e-mail address.
        address: String,
        #[command(flatten)]
        options: TokenOptions,
    },
    /// By SMS.
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
pub(in crate::cli::client) struct SubmitTokenArgs {
    /// What kind of address the message went to.
    #[arg(value_enum)]
    pub(super) medium: MediumArg,
    #[command(flatten)]
    session: Session,
    /// The token.
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    token: String,
}

/// A kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli::client) enum MediumArg {
    /// An e-mail address.
    Email,
    /// A phone number.
    Msisdn,
}

impl RequestTokenCommand {
    pub(super) async fn perform(self, service: &Service<'_>) -> Result<String> {
        let (client_secret, answer) = match self {
            Self::Email { address, mut options } => {
                let client_secret = options.client_secret();
                let request = RequestEmailValidation {
                    next_link: options.next_link,
                    ..RequestEmailValidation::new(client_secret.expose(), address, options.send_attempt)
                };
                (client_secret, service.client.request_email_token(&request).await)
            }
            Self::Msisdn { country, number, mut options } => {
                let client_secret = options.client_secret();
                let request = RequestMsisdnValidation {
                    next_link: options.next_link,
                    ..RequestMsisdnValidation::new(
                        client_secret.expose(),
                        country,
                        number,
                        options.send_attempt,
                    )
                };
                (client_secret, service.client.request_msisdn_token(&request).await)
            }
        };
        service.show(answer.map(|answer| TokenRequested {
            answer: RequestTokenResponse { sid: answer.sid, submit_url: None },
            client_secret: client_secret.news(),
        }))
    }
}

impl SubmitTokenArgs {
    pub(super) async fn perform(self, service: &Service<'_>) -> Result<String> {
        let request = SubmitTokenRequest::new(self.session.sid, self.session.client_secret, self.token);
        let answer = match self.medium {
            MediumArg::Email => service.client.submit_email_token(&request).await,
            MediumArg::Msisdn => service.client.submit_msisdn_token(&request).await,
        };
        // Other services than ours may say no with status 200.
        ensure!(!answer.as_ref().is_ok_and(|answer| !answer.success), "the token was not accepted");
        service.show(answer)
    }
}

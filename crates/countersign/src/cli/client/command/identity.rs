//! `countersign client identity`: the client of an identity service.

mod address;
mod sign_ed25519;
mod threepid;
mod validate;

use anyhow::Result;
use clap::{Args, Subcommand};
use countersign_client::{
    Error, IdentityClient,
    identity::{AcceptTermsRequest, RegisterRequest},
};

use self::{
    address::Address,
    sign_ed25519::SignArgs,
    threepid::{BindArgs, StoreInviteArgs, UnbindArgs},
    validate::{RequestTokenCommand, SubmitTokenArgs},
};
use crate::cli::client::{
    Node,
    answer::{Answer, Done},
    args::Session,
};

const FLOW: &str = "\
Proving an address to an identity service, and publishing it. The node at --url says who you are:

  export COUNTERSIGN_ACCESS_TOKEN=...       # of the node, from client login
  export COUNTERSIGN_ID_URL=https://is.example.com
  countersign client identity register
  export COUNTERSIGN_ID_ACCESS_TOKEN=...    # which register printed
  countersign client identity terms
  countersign client identity accept-terms --all
  countersign client identity request-token email alice@example.org
  countersign client identity submit-token email --sid SID --client-secret SECRET --token CODE
  countersign client identity bind --sid SID --client-secret SECRET
  countersign client identity lookup alice@example.org";

/// What to ask which identity service.
#[derive(Args)]
#[command(after_help = FLOW, next_help_heading = "Identity service")]
pub(in crate::cli::client) struct IdentityArgs {
    /// Where the identity service is [default: where the node is]
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_ID_URL", global = true)]
    pub(super) id_url: Option<String>,
    /// The access token of the identity service. One of the node doesn't work there.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "COUNTERSIGN_ID_ACCESS_TOKEN",
        hide_env_values = true,
        allow_hyphen_values = true,
        global = true
    )]
    pub(super) id_access_token: Option<String>,
    #[command(subcommand)]
    pub(super) command: IdentityCommand,
}

/// What to ask.
#[derive(Subcommand)]
pub(in crate::cli::client) enum IdentityCommand {
    /// Tells which versions of the specification the service speaks.
    Versions,
    /// Prints an access token for an OpenID token, which the node gives if you don't.
    Register(RegisterArgs),
    /// Tells who owns the access token.
    Account,
    /// Ends the access token.
    Logout,
    /// Shows the policies.
    Terms,
    /// Accepts policies. Needs an access token.
    AcceptTerms(AcceptTermsArgs),
    /// Finds the users behind addresses. Needs an access token.
    Lookup {
        /// E-mail addresses, and phone numbers with their country code, such as +447700900123.
        #[arg(required = true)]
        addresses: Vec<Address>,
    },
    /// Tells how addresses are hashed for a lookup. Needs an access token.
    HashDetails,
    /// Has a token sent to an address, to prove that it is yours. Needs an access token.
    #[command(subcommand)]
    RequestToken(RequestTokenCommand),
    /// Submits the token of a message. Needs an access token.
    SubmitToken(SubmitTokenArgs),
    /// Tells what a session has proven. Needs an access token.
    Validated(Session),
    /// Publishes that an address that was proven is yours. Needs an access token.
    Bind(BindArgs),
    /// Takes back what bind published. Needs an access token and a session that proves the address.
    Unbind(UnbindArgs),
    /// Invites an e-mail address to a room. Needs an access token.
    StoreInvite(StoreInviteArgs),
    /// Signs that a user has an invitation, with the key from its mail. Needs an access token.
    SignEd25519(SignArgs),
    /// Prints a public key of the service.
    Pubkey {
        /// The key's id.
        #[arg(default_value = "ed25519:0")]
        key_id: String,
    },
    /// Tells whether a public key is one of the service.
    PubkeyIsValid {
        /// The key, as pubkey or store-invite prints it.
        public_key: String,
        /// Asks whether it was made for an invitation, rather than whether the service signs with it.
        #[arg(long)]
        ephemeral: bool,
    },
}

#[derive(Args)]
pub(in crate::cli::client) struct RegisterArgs {
    /// An OpenID token, as client openid prints it.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "COUNTERSIGN_OPENID_TOKEN",
        hide_env_values = true,
        allow_hyphen_values = true,
        requires = "server_name"
    )]
    pub(super) openid_token: Option<String>,
    /// The server that the OpenID token is of: its matrix_server_name.
    #[arg(long, value_name = "NAME", requires = "openid_token")]
    pub(super) server_name: Option<String>,
}

#[derive(Args)]
pub(in crate::cli::client) struct AcceptTermsArgs {
    /// The URLs that you accept, as terms prints them: of each policy one.
    #[arg(value_name = "URL", required_unless_present = "all")]
    urls: Vec<String>,
    /// Accepts all policies, unread.
    #[arg(long, conflicts_with = "urls")]
    all: bool,
}

/// The identity service to ask, and the node that knows the user.
struct Service<'a> {
    client: IdentityClient,
    url: String,
    node: &'a Node,
}

impl Service<'_> {
    /// The answer as it is printed, or the error in words.
    fn show(&self, answer: Result<impl Answer, Error>) -> Result<String> {
        self.node.show_from(&self.url, answer)
    }

    /// The user who is named, or else the owner of the access token.
    async fn user_or_owner(&self, user_id: Option<String>) -> Result<String, Error> {
        match user_id {
            Some(user_id) => Ok(user_id),
            None => Ok(self.client.get_account().await?.user_id),
        }
    }
}

impl IdentityArgs {
    pub(super) async fn perform(self, node: &Node) -> Result<String> {
        let url = self.id_url.filter(|url| !url.is_empty()).unwrap_or_else(|| node.url.clone());
        let mut builder = IdentityClient::builder(&url);
        // A variable that is set to nothing is not set.
        if let Some(access_token) = self.id_access_token.filter(|token| !token.is_empty()) {
            builder = builder.access_token(access_token);
        }
        self.command.perform(&Service { client: builder.build()?, url, node }).await
    }
}

impl IdentityCommand {
    async fn perform(self, service: &Service<'_>) -> Result<String> {
        let client = &service.client;
        match self {
            Self::Versions => service.show(client.get_versions().await),
            Self::Register(args) => args.perform(service).await,
            Self::Account => service.show(client.get_account().await),
            Self::Logout => service.show(client.logout().await.map(Done::from)),
            Self::Terms => service.show(client.get_terms().await),
            Self::AcceptTerms(args) => service.show(args.accept(client).await.map(Done::from)),
            Self::Lookup { addresses } => service.show(address::find(client, addresses).await),
            Self::HashDetails => service.show(client.get_hash_details().await),
            Self::RequestToken(command) => command.perform(service).await,
            Self::SubmitToken(args) => args.perform(service).await,
            Self::Validated(session) => {
                service.show(client.get_validated_3pid(&session.sid, &session.client_secret).await)
            }
            Self::Bind(args) => service.show(args.bind(service).await),
            Self::Unbind(args) => service.show(args.unbind(service).await.map(Done::from)),
            Self::StoreInvite(args) => service.show(args.store(service).await),
            Self::SignEd25519(args) => service.show(args.sign(service).await),
            Self::Pubkey { key_id } => service.show(client.get_pubkey(&key_id).await),
            Self::PubkeyIsValid { public_key, ephemeral: false } => {
                service.show(client.is_pubkey_valid(&public_key).await)
            }
            Self::PubkeyIsValid { public_key, ephemeral: true } => {
                service.show(client.is_ephemeral_pubkey_valid(&public_key).await)
            }
        }
    }
}

impl RegisterArgs {
    async fn perform(self, service: &Service<'_>) -> Result<String> {
        let request = match (self.openid_token, self.server_name) {
            (Some(access_token), Some(matrix_server_name)) => RegisterRequest {
                access_token,
                matrix_server_name,
                token_type: Some("Bearer".to_owned()),
                expires_in: None,
            },
            _ => match ask_node(service.node).await {
                Ok(request) => request,
                Err(error) => return service.node.show(Err::<Done, _>(error)),
            },
        };
        service.show(service.client.register(&request).await)
    }
}

/// Lets the node say who the user is.
async fn ask_node(node: &Node) -> Result<RegisterRequest, Error> {
    let owner = node.client.get_token_owner().await?;
    Ok(node.client.request_openid_token(&owner.user_id).await?.into())
}

impl AcceptTermsArgs {
    async fn accept(self, client: &IdentityClient) -> Result<(), Error> {
        let user_accepts = match self.all {
            false => self.urls,
            true => {
                let policies = client.get_terms().await?.policies.into_values();
                let links = policies.filter_map(|policy| policy.links.into_values().next());
                links.map(|link| link.url).collect()
            }
        };
        client.accept_terms(&AcceptTermsRequest { user_accepts }).await
    }
}

//! The client of an identity service: proving addresses to it, publishing whose they are, and finding people.
//!
//! ```no_run
//! use countersign_client::{
//!     Client, IdentityClient,
//!     identity::{AcceptTermsRequest, EmailAddress},
//! };
//!
//! # async fn example(client: &Client, user_id: &str) -> Result<(), Box<dyn std::error::Error>> {
//! // The node gives a token that proves the user, the identity service one of its own for it.
//! let openid = client.request_openid_token(user_id).await?;
//! let identity = IdentityClient::builder("https://is.example.com").build()?;
//! let identity = identity.with_access_token(identity.register(&openid.into()).await?.token);
//!
//! // Who agrees may go on. `M_TERMS_NOT_SIGNED` says that it's necessary.
//! let links = identity.get_terms().await?.policies.into_values().flat_map(|policy| policy.links.into_values());
//! let user_accepts = links.map(|link| link.url).collect();
//! identity.accept_terms(&AcceptTermsRequest { user_accepts }).await?;
//!
//! let bob = EmailAddress::parse("bob@example.com")?.into();
//! if let Some(user_id) = identity.lookup_addresses(&[bob]).await?.into_values().next() {
//!     println!("That is {user_id}.");
//! }
//! # Ok(())
//! # }
//! ```

mod account;
mod lookup;
mod open_link;
mod pubkey;
mod sign_ed25519;
mod store_invite;
mod terms;
mod threepid;
mod validate_email;
mod validate_msisdn;
mod validated_threepid;
mod versions;

use std::{fmt, time::Duration};

pub use countersign_api::{
    identity::{
        RequestValidationResponse,
        account::{AccountResponse, RegisterRequest, RegisterResponse},
        lookup::{HashDetailsResponse, LookupRequest, LookupResponse},
        pubkey::{IsValidResponse, PubkeyResponse},
        sign_ed25519::{SignRequest, SignResponse},
        store_invite::{InvitePublicKey, StoreInviteRequest, StoreInviteResponse},
        terms::{AcceptTermsRequest, TermsResponse},
        threepid::{BindRequest, BindResponse, BoundThreepid, UnbindRequest},
        validate_email::RequestEmailValidation,
        validate_msisdn::RequestMsisdnValidation,
        validated_threepid::ValidatedThreepidResponse,
        versions::VersionsResponse,
    },
    signatures::Signatures,
};
pub use countersign_core::{
    EmailAddress, InvalidEmailAddress, InvalidMsisdn, Medium, Msisdn, ThirdPartyIdentifier,
};

use crate::{
    connection::{Connection, Settings},
    error::Error,
};

/// A client of one identity service. Cloning is cheap and shares the connections.
///
/// Its access token is one of the identity service, from [`IdentityClient::register`]. Most methods need one; a service
/// answers `M_UNAUTHORIZED` without it, and `M_TERMS_NOT_SIGNED` as long as its policies are not accepted.
#[derive(Clone)]
pub struct IdentityClient {
    connection: Connection,
}

impl IdentityClient {
    /// Starts to build a client of the identity service at `base_url`, such as `https://is.example.com`.
    pub fn builder(base_url: impl Into<String>) -> IdentityClientBuilder {
        IdentityClientBuilder { settings: Settings::new(base_url.into(), "/_matrix") }
    }

    /// The same client, calling with this access token.
    #[must_use]
    pub fn with_access_token(&self, access_token: impl Into<String>) -> Self {
        Self { connection: self.connection.with_access_token(access_token.into()) }
    }
}

impl fmt::Debug for IdentityClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityClient").field("root", &self.connection.root()).finish_non_exhaustive()
    }
}

/// Builds an [`IdentityClient`].
#[derive(Clone)]
#[must_use]
pub struct IdentityClientBuilder {
    settings: Settings,
}

impl IdentityClientBuilder {
    /// What stands before `/identity` in every path: `/_matrix`, which is the default and known to every identity
    /// service, or `/_api`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// Calls with this access token.
    pub fn access_token(mut self, access_token: impl Into<String>) -> Self {
        self.settings.access_token = Some(access_token.into());
        self
    }

    /// How long a call may take, connection and answer included: 30 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Builds the client. It fails if the base URL is not one of http or https, holds credentials, a query or a
    /// fragment, or if TLS cannot be set up. No request is sent.
    pub fn build(self) -> Result<IdentityClient, Error> {
        Ok(IdentityClient { connection: self.settings.connect()? })
    }
}

impl fmt::Debug for IdentityClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityClientBuilder").field("prefix", &self.settings.prefix).finish_non_exhaustive()
    }
}

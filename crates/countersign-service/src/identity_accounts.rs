//! Who may use the identity service: users of any server, by access tokens of its own, once they accepted its terms.

mod proof;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{
    ClientNetwork, Clock, Keyring, Random, ServerName, TermsVersion, UserId, are_accepted,
};
use countersign_delivery::PeerError;
use countersign_storage::{IdentityCaller, Storage, StorageError};
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::proof::OpenIdProofs;
use crate::Limits;

/// How often the use of an access token is noted, so that one that is used costs no write with each request.
const USE_NOTED_EVERY: Duration = Duration::from_hours(24);

/// Who may use the identity service. Cheap to clone.
#[derive(Clone)]
pub struct IdentityAccounts {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    proofs: OpenIdProofs,
    settings: Arc<IdentityAccountsSettings>,
}

/// What an operator decides about users of the identity service.
#[derive(Clone, Debug)]
pub struct IdentityAccountsSettings {
    /// The servers whose users may use it; `None`: all.
    pub homeservers: Option<Vec<ServerName>>,
    /// What they must accept before.
    pub terms: Vec<IdentityPolicy>,
    /// How often things may happen.
    pub limits: Limits,
}

/// A policy that users accept by the URL of one of its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityPolicy {
    /// The policy and its version.
    pub version: TermsVersion,
    /// Where it stands, in each language.
    pub urls: Vec<String>,
}

/// A user's word of who they are, and where it can be checked.
#[derive(Clone)]
pub struct OpenIdProof {
    /// Where the request comes from.
    pub network: ClientNetwork,
    /// The user's server.
    pub server_name: ServerName,
    /// The token that proves the user there.
    pub token: Zeroizing<String>,
}

/// Why nobody gets an access token.
#[derive(Debug, Error)]
pub enum IdentityRegisterError {
    /// Users of that server may not use this service.
    #[error("users of that server may not use this service")]
    ServerNotAllowed,
    /// The server knows no such token, or it is one of another server's user.
    #[error("the OpenID token proves no user of its server")]
    Unproven,
    /// The server gave no answer that can be used.
    #[error("the user's server can't say whom the OpenID token proves")]
    Unreachable(#[source] PeerError),
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why an access token does not let its holder in.
#[derive(Debug, Error)]
pub enum IdentityCallerError {
    /// It was never given out, was logged out, ended with its user's account, or was not used for long.
    #[error("unknown access token")]
    Unknown,
    /// Its user has not accepted all terms.
    #[error("the terms are not accepted")]
    TermsNotAccepted,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl IdentityAccounts {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        proofs: OpenIdProofs,
        settings: IdentityAccountsSettings,
    ) -> Self {
        Self { storage, keyring, clock, random, proofs, settings: settings.into() }
    }

    /// Makes an access token for the user whom an OpenID token proves.
    ///
    /// # Errors
    /// When it proves nobody, the user's server is not allowed or does not answer, or the network asked too often; when the
    /// database fails.
    pub async fn register(&self, proof: OpenIdProof) -> Result<Zeroizing<String>, IdentityRegisterError> {
        let OpenIdProof { network, server_name, token } = proof;
        let allowed = self.settings.homeservers.as_ref().is_none_or(|names| names.contains(&server_name));
        if !allowed {
            return Err(IdentityRegisterError::ServerNotAllowed);
        }
        let charges = self.settings.limits.identity_registration(&self.keyring, network);
        let charged = self.storage.charge(charges, self.clock.now()).await?;
        charged.map_err(|limited| IdentityRegisterError::Limited(limited.retry_after))?;
        let user_id = self.proofs.find_user(&server_name, &token).await?;
        let token = Zeroizing::new(format!("ist_{}", URL_SAFE_NO_PAD.encode(self.random.bytes::<32>())));
        let hash = self.keyring.identity_token_hash(&token);
        self.storage.add_identity_token(hash, &user_id, self.clock.now()).await?;
        Ok(token)
    }

    /// Whom an access token stands for, if that user accepted all terms.
    ///
    /// # Errors
    /// When it is unknown, or terms are not accepted; when the database fails.
    pub async fn find_caller(&self, token: &str) -> Result<UserId, IdentityCallerError> {
        let caller = self.find(token).await?;
        let required = self.settings.terms.iter().map(|policy| &policy.version);
        if !are_accepted(required, &caller.accepted) {
            return Err(IdentityCallerError::TermsNotAccepted);
        }
        Ok(caller.user_id)
    }

    /// Whom an access token stands for, whatever that user accepted.
    ///
    /// # Errors
    /// When it is unknown; when the database fails.
    pub async fn find_caller_before_terms(&self, token: &str) -> Result<UserId, IdentityCallerError> {
        Ok(self.find(token).await?.user_id)
    }

    /// Ends an access token.
    ///
    /// # Errors
    /// When it is unknown; when the database fails.
    pub async fn log_out(&self, token: &str) -> Result<(), IdentityCallerError> {
        let hash = self.keyring.identity_token_hash(token);
        let was_there = self.storage.delete_identity_token(hash).await?;
        if was_there { Ok(()) } else { Err(IdentityCallerError::Unknown) }
    }

    /// Remembers that a user accepts the policies whose texts stand at these URLs, in whatever language, beside those of
    /// before. A URL that is none of ours is one that was replaced meanwhile, and means nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accept_terms(&self, user_id: &UserId, urls: &[String]) -> Result<(), StorageError> {
        let urls: BTreeSet<_> = urls.iter().collect();
        let is_named = |policy: &&IdentityPolicy| policy.urls.iter().any(|url| urls.contains(url));
        let named = self.settings.terms.iter().filter(is_named);
        let accepted: Vec<_> = named.map(|policy| policy.version.clone()).collect();
        if accepted.is_empty() {
            return Ok(());
        }
        self.storage.accept_identity_terms(user_id, accepted, self.clock.now()).await
    }

    async fn find(&self, token: &str) -> Result<IdentityCaller, IdentityCallerError> {
        let hash = self.keyring.identity_token_hash(token);
        let found = self.storage.find_identity_caller(hash).await?;
        let caller = found.ok_or(IdentityCallerError::Unknown)?;
        let now = self.clock.now();
        if caller.used_at.after(USE_NOTED_EVERY) <= now {
            // Whoever comes with the token needs no note of it.
            let noted = self.storage.note_identity_token_use(hash, now).await;
            if let Err(error) = noted {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "The use of an access token of the identity service was not noted"
                );
            }
        }
        Ok(caller)
    }
}

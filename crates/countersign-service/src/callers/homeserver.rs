//! Callers whose accounts live in a homeserver, which is asked whose token it is and whether it is the password.

mod cache;
mod log_out;

use std::{sync::Arc, time::Duration};

use countersign_core::{ClientNetwork, Clock, Keyring, Localpart, ServerName, TokenOwner, UserId};
use countersign_delivery::{
    PeerError,
    homeserver::{Homeserver, LoginOutcome, Whoami},
};
use countersign_storage::{Storage, StorageError};
use zeroize::Zeroizing;

use self::cache::Cache;
use super::{Authentication, CallerError, CheckPasswordError, Freshness};
use crate::{AccountIdentifier, Limits};

/// The accounts of a homeserver, as far as a sidecar needs them. Cheap to clone.
#[derive(Clone)]
pub struct HomeserverAccounts(Arc<Parts>);

/// What [`HomeserverAccounts`] is made of.
struct Parts {
    homeserver: Arc<Homeserver>,
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    settings: HomeserverSettings,
    cache: Cache,
}

/// What an operator decides about the homeserver's accounts.
#[derive(Clone, Debug)]
pub struct HomeserverSettings {
    /// The part after the colon in user ids: the homeserver's own.
    pub server_name: ServerName,
    /// How often things may happen.
    pub limits: Limits,
    /// How long the homeserver's word about a token is good where a fresh one isn't needed.
    pub whoami_cache: Duration,
    /// The device that passwords are tried on.
    pub device_id: String,
}

impl HomeserverAccounts {
    /// Joins what it needs.
    pub fn new(
        homeserver: Homeserver,
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        settings: HomeserverSettings,
    ) -> Self {
        let cache = Cache::new(settings.whoami_cache);
        Self(Arc::new(Parts { homeserver: homeserver.into(), storage, keyring, clock, settings, cache }))
    }

    /// Whether the homeserver checks passwords at all.
    ///
    /// # Errors
    /// When it gives no answer that says so.
    pub async fn has_password_login(&self) -> Result<bool, PeerError> {
        self.0.homeserver.has_password_login().await
    }

    /// Whom an OpenID token of the homeserver's proves; `None` if it refuses the token.
    pub(crate) async fn find_openid_user(&self, token: &str) -> Result<Option<String>, PeerError> {
        self.0.homeserver.openid_userinfo(token).await
    }

    pub(super) async fn find(
        &self,
        token: &str,
        freshness: Freshness,
    ) -> Result<Authentication, CallerError> {
        let Parts { cache, clock, .. } = &*self.0;
        let hash = self.0.keyring.access_token_hash(token);
        if freshness == Freshness::Cached
            && let Some(localpart) = cache.find(&hash, clock.now())
        {
            return Ok(Authentication::Owner(owner(localpart)));
        }
        let asked_at = clock.now();
        let whoami = self.0.homeserver.whoami(token).await;
        // Whatever else it said: what was true before is not known to be true any more.
        cache.forget(&hash);
        match whoami.map_err(CallerError::Unreachable)? {
            Whoami::User(user_id) => {
                let localpart = self.localpart(&user_id).ok_or(CallerError::Foreign)?;
                cache.keep(hash, localpart.clone(), asked_at);
                Ok(Authentication::Owner(owner(localpart)))
            }
            Whoami::Guest => Err(CallerError::Foreign),
            Whoami::SoftLogout => Ok(Authentication::Expired),
            Whoami::Nobody => Ok(Authentication::Unknown),
        }
    }

    /// A guess is paid for before it is looked at, and the price of a right one is given back, as for accounts here.
    pub(super) async fn check_password(
        &self,
        localpart: &Localpart,
        identifier: &AccountIdentifier,
        password: Zeroizing<String>,
        network: ClientNetwork,
    ) -> Result<(), CheckPasswordError> {
        let Parts { storage, keyring, clock, settings, .. } = &*self.0;
        let named = keyring.subject_hash("account", localpart.as_str().as_bytes());
        let guess = settings.limits.wrong_password(keyring, named, network);
        let charged = storage.charge(guess.clone(), clock.now()).await?;
        charged.map_err(|limited| CheckPasswordError::Limited(limited.retry_after))?;
        if !self.names(identifier, localpart).await? {
            return Err(CheckPasswordError::Forbidden);
        }
        self.try_password(localpart, &password).await?;
        storage.refund(guess, clock.now()).await?;
        Ok(())
    }

    /// Tries a password as a login of the caller, and of nobody else whatever the identifier says.
    async fn try_password(&self, localpart: &Localpart, password: &str) -> Result<(), CheckPasswordError> {
        let Parts { homeserver, settings, .. } = &*self.0;
        let user_id = UserId::new(localpart, &settings.server_name);
        let outcome = homeserver.log_in(user_id.as_str(), password, &settings.device_id).await;
        match outcome.map_err(CheckPasswordError::Unreachable)? {
            LoginOutcome::LoggedIn { token, user_id: logged_in } => {
                log_out::log_out(Arc::clone(homeserver), token, settings.device_id.clone()).await;
                if logged_in == user_id.as_str() { Ok(()) } else { Err(CheckPasswordError::Forbidden) }
            }
            LoginOutcome::Wrong => Err(CheckPasswordError::Forbidden),
            LoginOutcome::Limited(retry_after) => Err(CheckPasswordError::Limited(retry_after)),
        }
    }

    /// Whether an identifier names this caller. Addresses are ours, so we know; the homeserver may not.
    async fn names(
        &self,
        identifier: &AccountIdentifier,
        localpart: &Localpart,
    ) -> Result<bool, StorageError> {
        let Parts { storage, keyring, settings, .. } = &*self.0;
        match identifier {
            AccountIdentifier::User(user) => {
                let user_id = UserId::new(localpart, &settings.server_name);
                Ok(user.eq_ignore_ascii_case(localpart.as_str())
                    || user.eq_ignore_ascii_case(user_id.as_str()))
            }
            AccountIdentifier::Threepid(threepid) => {
                let owner = storage.find_threepid_owner(keyring.address_hash(threepid)).await?;
                Ok(owner.is_some_and(|owner| owner.localpart == *localpart))
            }
        }
    }

    /// The localpart of a user id of the homeserver's own, as it stands there: ids of old accounts may have letters
    /// that ids of new ones may not.
    fn localpart(&self, user_id: &str) -> Option<Localpart> {
        let (localpart, server) = user_id.strip_prefix('@')?.split_once(':')?;
        let is_own = server == self.0.settings.server_name.as_str();
        let is_name = !localpart.is_empty() && user_id.len() <= 255 && localpart.chars().all(is_printable);
        (is_own && is_name).then(|| Localpart::from_stored(localpart.to_owned()))
    }
}

/// The homeserver keeps the devices.
fn owner(localpart: Localpart) -> TokenOwner {
    TokenOwner { localpart, device_id: None }
}

/// The characters of localparts that were ever allowed
/// ([spec](https://spec.matrix.org/v1.19/appendices/#historical-user-ids)).
fn is_printable(character: char) -> bool {
    ('\x21'..='\x7e').contains(&character)
}

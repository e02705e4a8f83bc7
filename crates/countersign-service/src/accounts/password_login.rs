//! Logins by password, and how often a password may be guessed.
//!
//! A guess is paid for before it is looked at, so that guesses at once get no more than their share, and the price of a
//! right one is given back. What it costs depends on how the account is named alone, never on whether there is one: or a
//! limit would tell whose address it is.

use countersign_core::{Charge, ClientNetwork, Localpart, SubjectHash, UserId};
use countersign_storage::StorageError;
use zeroize::Zeroizing;

use super::{AccountIdentifier, Accounts, AccountsError, LogInRequest, LoggedIn};
use crate::limits::account_subject;

impl Accounts {
    /// Logs a device in by password.
    ///
    /// # Errors
    /// When account or password is wrong, or too many were; when the database fails.
    pub async fn log_in(&self, request: LogInRequest) -> Result<LoggedIn, AccountsError> {
        let network = request.context.network;
        let guess = self.limits().wrong_password(&self.keyring, self.named(&request.identifier), network);
        let charges = [self.limits().login(&self.keyring, network), guess.clone()].concat();
        self.charge(charges).await?;
        let named = self.find_localpart(&request.identifier).await?;
        let (localpart, compared) = self.compare(named, request.password, guess).await?;
        let (login, issued) = self.new_login(&localpart, request.device, request.refresh);
        // The password that was right may not be it any more.
        if !self.storage.log_in(login, Some(&compared)).await? {
            return Err(AccountsError::Forbidden);
        }
        Ok(LoggedIn { user_id: self.user_id(&localpart), login: issued })
    }

    /// Checks the password of an account that is known already, and answers the PHC string that it was compared with. Only
    /// its own names and addresses name it: another account's password is never looked at, and every guess counts for this
    /// one.
    ///
    /// # Errors
    /// When it is not the password, or too many were wrong; when the database fails.
    pub async fn check_password(
        &self,
        localpart: &Localpart,
        identifier: &AccountIdentifier,
        password: Zeroizing<String>,
        network: ClientNetwork,
    ) -> Result<String, AccountsError> {
        let guess = self.limits().wrong_password(&self.keyring, self.named_by_localpart(localpart), network);
        self.charge(guess.clone()).await?;
        let named = self.find_localpart(identifier).await?.filter(|named| named == localpart);
        let (_, compared) = self.compare(named, password, guess).await?;
        Ok(compared)
    }

    /// Checks a password, and answers whose it is and the PHC string that it was compared with.
    ///
    /// # Errors
    /// When account or password is wrong, or too many were; when the database fails.
    pub(crate) async fn check_password_of(
        &self,
        identifier: &AccountIdentifier,
        password: Zeroizing<String>,
        network: ClientNetwork,
    ) -> Result<(Localpart, String), AccountsError> {
        let guess = self.limits().wrong_password(&self.keyring, self.named(identifier), network);
        self.charge(guess.clone()).await?;
        let named = self.find_localpart(identifier).await?;
        self.compare(named, password, guess).await
    }

    async fn charge(&self, charges: Vec<Charge>) -> Result<(), AccountsError> {
        let charged = self.storage.charge(charges, self.clock.now()).await?;
        charged.map_err(|limited| AccountsError::Limited(limited.retry_after))
    }

    /// The account and its PHC string, if it is its password, whose price is then given back. An account that isn't there takes as long as a
    /// wrong password.
    async fn compare(
        &self,
        named: Option<Localpart>,
        password: Zeroizing<String>,
        guess: Vec<Charge>,
    ) -> Result<(Localpart, String), AccountsError> {
        // No account has an empty name.
        let looked_up = named.clone().unwrap_or_else(|| Localpart::from_stored(String::new()));
        let account = self.storage.find_account(&looked_up).await?;
        let hash = account.and_then(|account| account.password_hash);
        let is_right = self.passwords.verify(password, hash.clone()).await;
        match (named, hash) {
            (Some(localpart), Some(hash)) if is_right => {
                self.storage.refund(guess, self.clock.now()).await?;
                Ok((localpart, hash))
            }
            (Some(_) | None, _) => Err(AccountsError::Forbidden),
        }
    }

    async fn find_localpart(
        &self,
        identifier: &AccountIdentifier,
    ) -> Result<Option<Localpart>, StorageError> {
        match identifier {
            AccountIdentifier::User(user) => Ok(UserId::localpart_here(user, &self.settings.server_name)),
            AccountIdentifier::Threepid(threepid) => {
                let owner = self.storage.find_threepid_owner(self.keyring.address_hash(threepid)).await?;
                Ok(owner.map(|owner| owner.localpart))
            }
        }
    }

    /// Whom guesses at an account count for that is named like this.
    fn named(&self, identifier: &AccountIdentifier) -> SubjectHash {
        match identifier {
            AccountIdentifier::User(user) => match UserId::localpart_here(user, &self.settings.server_name) {
                Some(localpart) => self.named_by_localpart(&localpart),
                None => self.keyring.subject_hash("nobody here", user.to_lowercase().as_bytes()),
            },
            AccountIdentifier::Threepid(threepid) => self.keyring.address_hash(threepid).into(),
        }
    }

    fn named_by_localpart(&self, localpart: &Localpart) -> SubjectHash {
        account_subject(&self.keyring, localpart)
    }
}

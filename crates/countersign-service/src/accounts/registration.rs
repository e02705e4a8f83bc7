//! New accounts: which names and passwords may be, and one account for one authentication.

use std::time::Duration;

use countersign_core::{
    Account, ClientNetwork, InvalidLocalpart, Localpart, OpenError, SealedColumn, ThirdPartyIdentifier,
    UiaMismatch, UserId, WeakPassword,
};
use countersign_storage::{Registered, RegisteredThreepid, Registration, StorageError};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{AccountIdentifier, Accounts, AccountsError, IssuedToken, NewDevice, WithRefresh};
use crate::{NewPassword, RequestContext, UiaProof};

/// A wish for a new account.
#[derive(Clone)]
pub struct RegisterRequest {
    /// What came along.
    pub context: RequestContext,
    /// The name; `None`: we make one up.
    pub localpart: Option<Localpart>,
    /// The password.
    pub password: NewPassword,
    /// The first device; `None`: the client wants no login.
    pub device: Option<NewDevice>,
    /// Whether the client can deal with refresh tokens.
    pub refresh: WithRefresh,
    /// The authentication that allows it, with the addresses that the account begins with.
    pub proof: UiaProof,
}

/// A new account.
pub struct NewAccount {
    /// The account.
    pub user_id: UserId,
    /// Its first login, unless the client wanted none.
    pub login: Option<IssuedToken>,
}

/// Why no account is made.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// The name breaks a rule.
    #[error("{0}")]
    InvalidUsername(InvalidLocalpart),
    /// Someone has that name.
    #[error("the name is taken")]
    UserInUse,
    /// The password breaks the rule for new ones.
    #[error(transparent)]
    WeakPassword(WeakPassword),
    /// Another account has a proven address meanwhile.
    #[error("another account has the address")]
    ThreepidInUse,
    /// The operator does not want numbers of that country any more.
    #[error("no account begins with a number of that country")]
    ThreepidDenied,
    /// A validation session does not prove its address any more.
    #[error("a session does not prove its address any more")]
    ThreepidUnproven,
    /// The authentication session is gone, or has made another account.
    #[error(transparent)]
    Session(UiaMismatch),
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// A proven address does not open: a key is gone from the master key file, or the row is damaged.
    #[error("a sealed address does not open")]
    Sealed(#[source] OpenError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Checks that a name may be registered.
    ///
    /// # Errors
    /// When it breaks a rule or is taken; when the database fails.
    pub async fn check_username(&self, username: &str) -> Result<Localpart, RegisterError> {
        let localpart = self.parse_username(username)?;
        match self.storage.find_account(&localpart).await? {
            Some(_) => Err(RegisterError::UserInUse),
            None => Ok(localpart),
        }
    }

    /// The same for someone who asks from a network, which may ask only so often. An account that the request's own
    /// authentication session made, `registered`, may be asked for again.
    ///
    /// # Errors
    /// When the name breaks a rule or is taken, or the network asked too often; when the database fails.
    pub async fn check_username_for(
        &self,
        network: ClientNetwork,
        username: &str,
        registered: Option<&Localpart>,
    ) -> Result<Localpart, RegisterError> {
        let localpart = self.parse_username(username)?;
        let charges = self.limits().name_check(&self.keyring, network);
        let charged = self.storage.charge(charges, self.clock.now()).await?;
        charged.map_err(|limited| RegisterError::Limited(limited.retry_after))?;
        let taken = self.storage.find_account(&localpart).await?.is_some();
        if taken && registered != Some(&localpart) { Err(RegisterError::UserInUse) } else { Ok(localpart) }
    }

    /// Checks that a name keeps the rules, whoever has it.
    ///
    /// # Errors
    /// When it breaks one.
    pub fn parse_username(&self, username: &str) -> Result<Localpart, RegisterError> {
        Localpart::parse(username, &self.settings.server_name).map_err(RegisterError::InvalidUsername)
    }

    /// Makes an account with the addresses that its authentication proved, and logs its first device in. An
    /// authentication session makes one account: who asks in it again, after a lost answer, gets the same one and a login,
    /// if the password is right.
    ///
    /// # Errors
    /// When the password breaks the rule, the name or an address was taken meanwhile, the authentication session made
    /// another account, or the network made too many; when the database fails.
    pub async fn register(&self, request: RegisterRequest) -> Result<NewAccount, RegisterError> {
        if let NewPassword::Plain(password) = &request.password {
            self.check_new_password(password, request.localpart.as_ref())
                .map_err(RegisterError::WeakPassword)?;
        }
        if let Some(made) = self.find_registered(&request).await? {
            return self.register_again(made, request).await;
        }
        let threepids = self.proven_threepids(&request).await?;
        let charges = self.limits().registration(&self.keyring, request.context.network);
        let charged = self.storage.charge(charges, self.clock.now()).await?;
        charged.map_err(|limited| RegisterError::Limited(limited.retry_after))?;
        let localpart = request.localpart.clone().unwrap_or_else(|| self.made_up_localpart());
        if let NewPassword::Hashed(remembered) = &request.password {
            self.check_remembered_password(remembered, &localpart)
                .await
                .map_err(RegisterError::WeakPassword)?;
        }
        let remembered = request.proof.password_hash.clone();
        let password_hash = self.passwords.hash_new(request.password.clone(), remembered).await;
        let refresh = request.refresh;
        let login = request.device.clone().map(|device| self.new_login(&localpart, device, refresh));
        let (login, issued) = login.unzip();
        let created_at = self.clock.now();
        let account =
            Account { localpart: localpart.clone(), password_hash, created_at, deactivated_at: None };
        let registration = Registration { account, login, uia_session: request.proof.session, threepids };
        match self.storage.register(registration, self.clock.now()).await? {
            Registered::Created => Ok(NewAccount { user_id: self.user_id(&localpart), login: issued }),
            Registered::UserInUse => Err(RegisterError::UserInUse),
            Registered::Repeated(made) => self.register_again(made, request).await,
            Registered::SessionGone => Err(RegisterError::Session(UiaMismatch::Unknown)),
            Registered::ThreepidInUse => Err(RegisterError::ThreepidInUse),
            Registered::ThreepidUnproven => Err(RegisterError::ThreepidUnproven),
        }
    }

    async fn find_registered(&self, request: &RegisterRequest) -> Result<Option<Localpart>, StorageError> {
        let Some(id) = request.proof.session else { return Ok(None) };
        Ok(self.storage.find_uia_session(id).await?.and_then(|session| session.registered))
    }

    /// The addresses that the authentication proved, sealed for the account. Where the operator sends no messages any
    /// more, no account begins.
    async fn proven_threepids(
        &self,
        request: &RegisterRequest,
    ) -> Result<Vec<RegisteredThreepid>, RegisterError> {
        let sealer = self.keyring.sealer();
        let mut threepids = Vec::new();
        for sid in request.proof.sids.iter().copied() {
            let session = self.storage.find_session(sid).await?.ok_or(RegisterError::ThreepidUnproven)?;
            let address = sealer
                .open(SealedColumn::SessionAddress, session.sid.as_bytes(), &session.sealed_address)
                .map_err(RegisterError::Sealed)?;
            let threepid = str::from_utf8(&address)
                .ok()
                .and_then(|address| ThirdPartyIdentifier::from_canonical(session.medium, address));
            self.check_country(threepid.as_ref().ok_or(RegisterError::ThreepidUnproven)?)?;
            let row = session.address_hash.as_bytes();
            let sealed_address =
                sealer.seal(SealedColumn::AccountThreepidAddress, row, &address, &*self.random);
            threepids.push(RegisteredThreepid { sid, sealed_address });
        }
        Ok(threepids)
    }

    fn check_country(&self, threepid: &ThirdPartyIdentifier) -> Result<(), RegisterError> {
        match (threepid, &self.settings.sms_countries) {
            (ThirdPartyIdentifier::Msisdn(msisdn), Some(countries))
                if !msisdn.country().is_some_and(|country| countries.contains(&country)) =>
            {
                Err(RegisterError::ThreepidDenied)
            }
            (ThirdPartyIdentifier::Msisdn(_) | ThirdPartyIdentifier::Email(_), _) => Ok(()),
        }
    }

    /// Answers a request whose authentication session has made an account already.
    async fn register_again(
        &self,
        made: Localpart,
        request: RegisterRequest,
    ) -> Result<NewAccount, RegisterError> {
        let another = RegisterError::Session(UiaMismatch::Foreign);
        if request.localpart.as_ref().is_some_and(|wanted| *wanted != made) {
            return Err(another);
        }
        let now_set = self.storage.find_account(&made).await?.and_then(|account| account.password_hash);
        let is_same = match request.password {
            NewPassword::Plain(password) => {
                self.is_password_of(&made, password, request.context.network).await?
            }
            NewPassword::Hashed(remembered) => now_set.as_ref() == Some(&remembered),
            NewPassword::None => now_set.is_none(),
        };
        if !is_same {
            return Err(another);
        }
        let user_id = self.user_id(&made);
        let Some(device) = request.device else { return Ok(NewAccount { user_id, login: None }) };
        let (login, issued) = self.new_login(&made, device, request.refresh);
        if self.storage.log_in(login, now_set.as_deref()).await? {
            Ok(NewAccount { user_id, login: Some(issued) })
        } else {
            Err(another)
        }
    }

    /// Whether it is the account's password. A guess costs what it costs at a login.
    async fn is_password_of(
        &self,
        localpart: &Localpart,
        password: Zeroizing<String>,
        network: ClientNetwork,
    ) -> Result<bool, RegisterError> {
        let identifier = AccountIdentifier::User(localpart.as_str().to_owned());
        match self.check_password(localpart, &identifier, password, network).await {
            Ok(_) => Ok(true),
            Err(AccountsError::Forbidden) => Ok(false),
            Err(AccountsError::Limited(retry_after)) => Err(RegisterError::Limited(retry_after)),
            Err(AccountsError::Storage(error)) => Err(error.into()),
        }
    }

    fn made_up_localpart(&self) -> Localpart {
        let bytes: [u8; 12] = self.random.bytes();
        Localpart::from_stored(bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
    }
}

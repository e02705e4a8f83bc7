//! New accounts: which names and passwords may be, and one account for one authentication.

use countersign_core::{Account, ClientNetwork, Localpart, UiaMismatch};
use countersign_storage::{Registered, Registration, StorageError};

use super::{AccountIdentifier, Accounts, AccountsError, NewAccount, RegisterError, RegisterRequest};

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

    /// The same for someone who asks from a network, which may ask only so often. `uia_session` is the id of the
    /// authentication session that the request names: an account that was made in it may be asked for again.
    ///
    /// # Errors
    /// When the name breaks a rule or is taken, or the network asked too often; when the database fails.
    pub async fn check_username_for(
        &self,
        network: ClientNetwork,
        username: &str,
        uia_session: Option<&str>,
    ) -> Result<Localpart, RegisterError> {
        let localpart = self.parse_username(username)?;
        let charges = self.limits.name_check(&self.keyring, network);
        let charged = self.storage.charge(charges, self.clock.now()).await?;
        charged.map_err(|limited| RegisterError::Limited(limited.retry_after))?;
        if self.storage.find_account(&localpart).await?.is_none() {
            return Ok(localpart);
        }
        let session = match uia_session {
            Some(id) => self.storage.find_uia_session(self.keyring.uia_session_hash(id)).await?,
            None => None,
        };
        match session.and_then(|session| session.registered) {
            Some(made) if made == localpart => Ok(localpart),
            Some(_) | None => Err(RegisterError::UserInUse),
        }
    }

    /// Checks that a password may be one, before any authentication.
    ///
    /// # Errors
    /// When it is empty.
    pub fn check_new_password(&self, password: &str) -> Result<(), RegisterError> {
        if password.is_empty() { Err(RegisterError::WeakPassword) } else { Ok(()) }
    }

    /// Makes an account, and logs its first device in. An authentication session makes one account: who asks in it again,
    /// after a lost answer, gets the same one and a login, if the password is right.
    ///
    /// # Errors
    /// When the password is none, the name was taken meanwhile, the authentication session made another account, or the
    /// network made too many; when the database fails.
    pub async fn register(&self, request: RegisterRequest) -> Result<NewAccount, RegisterError> {
        self.check_new_password(&request.password)?;
        if let Some(made) = self.find_registered(&request).await? {
            return self.register_again(made, request).await;
        }
        let charges = self.limits.registration(&self.keyring, request.context.network);
        let charged = self.storage.charge(charges, self.clock.now()).await?;
        charged.map_err(|limited| RegisterError::Limited(limited.retry_after))?;
        let localpart = request.localpart.clone().unwrap_or_else(|| self.made_up_localpart());
        let password_hash = Some(self.passwords.hash(request.password.clone()).await);
        let (login, issued) = request.device.clone().map(|device| self.new_login(&localpart, device)).unzip();
        let account = Account { localpart: localpart.clone(), password_hash, created_at: self.clock.now() };
        let registration = Registration { account, login, uia_session: request.uia_session };
        match self.storage.register(registration).await? {
            Registered::Created => Ok(NewAccount { user_id: self.user_id(&localpart), login: issued }),
            Registered::UserInUse => Err(RegisterError::UserInUse),
            Registered::Repeated(made) => self.register_again(made, request).await,
            Registered::SessionGone => Err(RegisterError::Session(UiaMismatch::Unknown)),
        }
    }

    async fn find_registered(&self, request: &RegisterRequest) -> Result<Option<Localpart>, StorageError> {
        let Some(id) = request.uia_session else { return Ok(None) };
        Ok(self.storage.find_uia_session(id).await?.and_then(|session| session.registered))
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
        let identifier = AccountIdentifier::User(made.as_str().to_owned());
        let network = request.context.network;
        match self.check_password(&made, &identifier, request.password, network).await {
            Ok(()) => {}
            Err(AccountsError::Forbidden) => return Err(another),
            Err(AccountsError::Limited(retry_after)) => return Err(RegisterError::Limited(retry_after)),
            Err(AccountsError::Storage(error)) => return Err(error.into()),
        }
        let user_id = self.user_id(&made);
        let Some(device) = request.device else { return Ok(NewAccount { user_id, login: None }) };
        let (login, issued) = self.new_login(&made, device);
        self.storage.log_in(login).await?;
        Ok(NewAccount { user_id, login: Some(issued) })
    }

    fn parse_username(&self, username: &str) -> Result<Localpart, RegisterError> {
        Localpart::parse(username, &self.server_name).map_err(RegisterError::InvalidUsername)
    }

    fn made_up_localpart(&self) -> Localpart {
        let bytes: [u8; 12] = self.random.bytes();
        Localpart::from_stored(bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
    }
}

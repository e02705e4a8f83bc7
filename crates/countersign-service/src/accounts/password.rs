//! A new password for an account: changed by its owner, or reset by who proves one of its addresses.

use std::time::Duration;

use countersign_core::{Lapsed, Localpart, TokenOwner, UiaMismatch, WeakPassword};
use countersign_storage::{LogOut, PasswordChange, PasswordChanged, StorageError};
use thiserror::Error;

use super::{AccountIdentifier, Accounts, AccountsError};
use crate::{NewPassword, Notices, RequestContext, ThreepidsError, UiaProof};

/// A wish for a new password.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// What came along.
    pub context: RequestContext,
    /// Whose access token it carries; `None`: the account is the one whose address the authentication proved.
    pub caller: Option<TokenOwner>,
    /// The password.
    pub new_password: NewPassword,
    /// Whether other devices are logged out.
    pub log_out_devices: LogOutDevices,
    /// The authentication that allows it.
    pub proof: UiaProof,
}

/// Whether a new password logs devices out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOutDevices {
    /// All but the caller's.
    Others,
    /// None.
    None,
}

/// Why a password is not changed.
#[derive(Debug, Error)]
pub enum ChangePasswordError {
    /// There is no password in the request, nor was there one in an earlier round.
    #[error("there is no new password")]
    Missing,
    /// The password breaks the rule for new ones.
    #[error(transparent)]
    Weak(WeakPassword),
    /// The proven address is on no account any more.
    #[error("the proven address is on no account")]
    NoOwner,
    /// What allowed it does so no more.
    #[error(transparent)]
    Lapsed(Lapsed),
    /// The authentication session has set another password.
    #[error(transparent)]
    Session(UiaMismatch),
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// An address that is to be told can't be read.
    #[error(transparent)]
    Notices(ThreepidsError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Sets a password, logs devices out, and tells the account's addresses. Of several in one authentication session one
    /// has its effect: who asks again, after a lost answer, succeeds if the password is the one that was set.
    ///
    /// # Errors
    /// When the password is none or too weak, when the authentication does not lead to an account, or led to another
    /// password before; when the database fails.
    pub async fn change_password(
        &self,
        change: ChangePassword,
        notices: &Notices,
    ) -> Result<(), ChangePasswordError> {
        use ChangePasswordError as E;
        let localpart = self.whose(&change).await?;
        if let NewPassword::Plain(password) = &change.new_password {
            self.check_new_password(password, Some(&localpart)).map_err(E::Weak)?;
        }
        if change.proof.finished {
            return self.changed_before(&localpart, change).await;
        }
        if let NewPassword::Hashed(remembered) = &change.new_password {
            self.check_remembered_password(remembered, &localpart).await.map_err(E::Weak)?;
        }
        let remembered = change.proof.password_hash.clone();
        let hashed = self.passwords.hash_new(change.new_password.clone(), remembered).await;
        let drafts = notices.drafts(&localpart, &change.context.language).await.map_err(E::Notices)?;
        let row = PasswordChange {
            localpart: localpart.clone(),
            password_hash: hashed.ok_or(E::Missing)?,
            log_out: change.log_out(),
            authorization: change.proof.authorization(),
            notices: drafts,
        };
        match self.storage.change_password(row, self.clock.now()).await? {
            PasswordChanged::Changed { notified } => {
                notices.ring(&notified);
                Ok(())
            }
            PasswordChanged::Repeated => self.changed_before(&localpart, change).await,
            PasswordChanged::NoAccount => Err(E::NoOwner),
            PasswordChanged::Lapsed(lapsed) => Err(E::Lapsed(lapsed)),
        }
    }

    /// The caller's account, or the one that the authentication was for already, or else the one that has the proven
    /// address.
    async fn whose(&self, change: &ChangePassword) -> Result<Localpart, ChangePasswordError> {
        if let Some(caller) = &change.caller {
            return Ok(caller.localpart.clone());
        }
        if let Some(account) = &change.proof.account {
            return Ok(account.clone());
        }
        let Some(sid) = change.proof.sids.first() else { return Err(ChangePasswordError::NoOwner) };
        let session =
            self.storage.find_session(*sid).await?.ok_or(ChangePasswordError::Lapsed(Lapsed::Proof))?;
        let owner = self.storage.find_threepid_owner(session.address_hash).await?;
        owner.map(|owner| owner.localpart).ok_or(ChangePasswordError::NoOwner)
    }

    /// Answers a request whose authentication session has set a password already.
    async fn changed_before(
        &self,
        localpart: &Localpart,
        change: ChangePassword,
    ) -> Result<(), ChangePasswordError> {
        use ChangePasswordError as E;
        let is_same = match change.new_password {
            NewPassword::Plain(password) => {
                let identifier = AccountIdentifier::User(localpart.as_str().to_owned());
                let network = change.context.network;
                match self.check_password(localpart, &identifier, password, network).await {
                    Ok(_) => true,
                    Err(AccountsError::Forbidden) => false,
                    Err(AccountsError::Limited(retry_after)) => return Err(E::Limited(retry_after)),
                    Err(AccountsError::Storage(cause)) => return Err(cause.into()),
                }
            }
            NewPassword::Hashed(remembered) => {
                let account = self.storage.find_account(localpart).await?;
                account.and_then(|account| account.password_hash) == Some(remembered)
            }
            NewPassword::None => return Err(E::Missing),
        };
        if is_same { Ok(()) } else { Err(E::Session(UiaMismatch::Foreign)) }
    }
}

impl ChangePassword {
    fn log_out(&self) -> LogOut {
        let device_id = self.caller.as_ref().and_then(|caller| caller.device_id.clone());
        match (self.log_out_devices, device_id) {
            (LogOutDevices::None, _) => LogOut::Nobody,
            (LogOutDevices::Others, Some(device_id)) => LogOut::AllBut(device_id),
            (LogOutDevices::Others, None) => LogOut::Everybody,
        }
    }
}

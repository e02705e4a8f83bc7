//! Accounts of the node: how they are made, what they lead to, and their end.

use async_trait::async_trait;
use countersign_core::{
    Account, Authorization, Device, DeviceId, Lapsed, Localpart, Medium, NewLogin, NoticeDraft, Sealed,
    SessionId, TermsVersion, Timestamp, UiaSessionHash, UserId,
};

use crate::StorageError;

/// A new account.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The account.
    pub account: Account,
    /// Its first login, unless the client wants none.
    pub login: Option<NewLogin>,
    /// The authentication session that allows it, which allows one; `None`: it was allowed at once, or by the operator.
    pub uia_session: Option<UiaSessionHash>,
    /// Proofs of addresses that the account begins with, from the session's stages.
    pub threepids: Vec<RegisteredThreepid>,
}

/// A validation session of purpose `Register`, and its address.
#[derive(Clone, Debug)]
pub struct RegisteredThreepid {
    /// The session.
    pub sid: SessionId,
    /// Its address, sealed for the account's row.
    pub sealed_address: Sealed,
}

/// What a registration led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The account exists now.
    Created,
    /// Someone has that name, or had it.
    UserInUse,
    /// The authentication session has made this account before.
    Repeated(Localpart),
    /// The authentication session is gone, or the registration token that it holds a use of.
    SessionGone,
    /// An address came to another account meanwhile.
    ThreepidInUse,
    /// A validation session proves its address no more.
    ThreepidUnproven,
}

/// A new password for an account.
#[derive(Clone, Debug)]
pub struct PasswordChange {
    /// The account.
    pub localpart: Localpart,
    /// The password, as a PHC string.
    pub password_hash: String,
    /// Which devices are logged out.
    pub log_out: LogOut,
    /// What allows it.
    pub authorization: Authorization,
    /// What is written to the account's addresses.
    pub notices: Vec<NoticeDraft>,
}

/// Which devices are logged out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOut {
    /// None.
    Nobody,
    /// All but one.
    AllBut(DeviceId),
    /// All.
    Everybody,
}

/// What changing a password led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordChanged {
    /// The password is another one now.
    Changed {
        /// The media of the notices that were queued.
        notified: Vec<Medium>,
    },
    /// The authentication session had its effect before. Whoever calls compares the password.
    Repeated,
    /// There is no such account, or it was deactivated.
    NoAccount,
    /// What allowed it does so no more.
    Lapsed(Lapsed),
}

/// The end of an account.
#[derive(Clone, Debug)]
pub struct Deactivation {
    /// The account.
    pub localpart: Localpart,
    /// Its user, whose access tokens of the identity service end too.
    pub user_id: UserId,
    /// What allows it.
    pub authorization: Authorization,
    /// What is written to the addresses that it has.
    pub notices: Vec<NoticeDraft>,
}

/// What a deactivation led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deactivated {
    /// Nothing is left of it but its name.
    Done {
        /// The media of the notices that were queued.
        notified: Vec<Medium>,
    },
    /// It was deactivated before, or there is no such account.
    Before,
    /// What allowed it does so no more.
    Lapsed(Lapsed),
}

/// Accounts of the node, and their devices. Of the tokens, [`TokenStore`](crate::TokenStore) knows more.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes an account with its first login, its proven addresses (`ValidationSession::register`), the terms that the
    /// session showed if it has completed that stage, and the use of the registration token that it holds. Consumes the
    /// validation sessions; keeps the account's name with the authentication session and finishes it. All of it or nothing.
    /// Of two with one name, one address, or one authentication session, one wins.
    async fn register(&self, registration: Registration, now: Timestamp) -> Result<Registered, StorageError>;

    /// The account of that name, also one that was deactivated.
    async fn find_account(&self, localpart: &Localpart) -> Result<Option<Account>, StorageError>;

    /// Gives a device a new access token (and refresh token). A device that exists keeps its name and loses its earlier
    /// tokens of all kinds. `false`, and no change, unless the account is live and its password still is `password_hash`
    /// (`None`: it has none).
    async fn log_in(&self, login: NewLogin, password_hash: Option<&str>) -> Result<bool, StorageError>;

    /// Deletes a device and its tokens of all kinds, those that prove its user to another service too. Deleting what isn't
    /// there changes nothing.
    async fn log_out(&self, localpart: &Localpart, device_id: &DeviceId) -> Result<(), StorageError>;

    /// Deletes all devices of an account and their tokens of all kinds.
    async fn log_out_all(&self, localpart: &Localpart) -> Result<(), StorageError>;

    /// The devices of an account, oldest first.
    async fn list_devices(&self, localpart: &Localpart) -> Result<Vec<Device>, StorageError>;

    /// Sets a password if it is still allowed (`Authorization::check`): logs devices out, consumes the proof, finishes the
    /// authentication session, ends the account's others, which may rest on the old password, and queues notices to the
    /// addresses that the account has. All of it or nothing. Of two in one authentication session, or with one proof, one
    /// has its effect.
    async fn change_password(
        &self,
        change: PasswordChange,
        now: Timestamp,
    ) -> Result<PasswordChanged, StorageError>;

    /// If it is still allowed (`Authorization::check`), deletes password, devices, tokens of all kinds, addresses, accepted
    /// terms and authentication sessions of an account, but for the one that allows it, which is finished. Consumes the
    /// proof. Its name stays taken, and what it bound is to be taken back from now on. Queues notices to the addresses that
    /// it had. Again changes nothing.
    async fn deactivate(
        &self,
        deactivation: Deactivation,
        now: Timestamp,
    ) -> Result<Deactivated, StorageError>;

    /// The policies that a user accepted, by name and version.
    async fn list_accepted_terms(&self, localpart: &Localpart) -> Result<Vec<TermsVersion>, StorageError>;
}

/// The name of an account, as a column holds it.
pub(crate) fn parse_localpart(text: &str) -> Option<Localpart> {
    (!text.is_empty()).then(|| Localpart::from_stored(text.to_owned()))
}

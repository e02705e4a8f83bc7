//! The addresses of an account: list, add, delete.

use std::sync::Arc;

use countersign_core::{
    AccountHome, AccountThreepid, AddRefusal, AddThreepid, Authorization, ClientSecret, Clock, Keyring,
    Lapsed, Localpart, Medium, NoticeDraft, OpenError, Random, SealedColumn, SessionId, ThirdPartyIdentifier,
    Timestamp, UiaTargetHash,
};
use countersign_delivery::PeerError;
use countersign_storage::{Storage, StorageError};
use thiserror::Error;

use crate::{Delegate, Notices, RequestContext, UiaProof, delegate::FindSessionError};

/// The addresses of accounts. Cheap to clone.
#[derive(Clone)]
pub struct AccountThreepids {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    notices: Notices,
    delegate: Delegate,
    home: AccountHome,
}

/// An address of an account, readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedThreepid {
    /// The address.
    pub threepid: ThirdPartyIdentifier,
    /// When its owner proved it.
    pub validated_at: Timestamp,
    /// When it came to the account.
    pub added_at: Timestamp,
}

/// Why the addresses of an account can't be read or changed.
#[derive(Debug, Error)]
pub enum ThreepidsError {
    /// An address does not open: a key is gone from the master key file, or the row is damaged.
    #[error("a sealed address does not open")]
    Sealed(#[source] OpenError),
    /// What is sealed is no address.
    #[error("a stored {0} address makes no sense")]
    Corrupt(Medium),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why an address does not go to an account.
#[derive(Debug, Error)]
pub enum AddThreepidError {
    /// The session is unknown, not for this, not validated, expired or used by someone else.
    #[error("the session does not prove the address")]
    AuthFailed,
    /// Another account has the address.
    #[error("another account has the address")]
    InUse,
    /// A stored value can't be read.
    #[error("the session's address does not open")]
    Sealed(#[source] OpenError),
    /// What allowed it does so no more.
    #[error(transparent)]
    Lapsed(Lapsed),
    /// Another service proves the address, and gave no answer that can be used.
    #[error("the identity service can't say whether the address is proven")]
    Unreachable(#[source] PeerError),
    /// An address that is to be told can't be read.
    #[error(transparent)]
    Notices(ThreepidsError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<FindSessionError> for AddThreepidError {
    fn from(error: FindSessionError) -> Self {
        match error {
            FindSessionError::Unreachable(cause) => Self::Unreachable(cause),
            FindSessionError::Storage(cause) => Self::Storage(cause),
        }
    }
}

impl AccountThreepids {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        notices: Notices,
        delegate: Delegate,
        home: AccountHome,
    ) -> Self {
        Self { storage, keyring, clock, random, notices, delegate, home }
    }

    /// The addresses of an account, in the order in which they came.
    ///
    /// # Errors
    /// When one can't be read, or the database fails.
    pub async fn list(&self, localpart: &Localpart) -> Result<Vec<ListedThreepid>, ThreepidsError> {
        let rows = self.storage.list_threepids(localpart).await?;
        let read = |row: AccountThreepid| {
            let threepid = open_address(&self.keyring, &row)?;
            Ok(ListedThreepid { threepid, validated_at: row.validated_at, added_at: row.added_at })
        };
        rows.into_iter().map(read).collect()
    }

    /// What an authentication to add the address of a session is bound to.
    pub fn uia_target(&self, sid: Option<&SessionId>, client_secret: &ClientSecret) -> UiaTargetHash {
        self.keyring.uia_target_hash(sid, client_secret)
    }

    /// Adds the address of a validated session to an account, and tells the addresses that it had before. Uses up what
    /// allows it. The same caller's retry succeeds.
    ///
    /// # Errors
    /// When the session proves nothing, or another account has the address; when what allowed it does so no more; when the
    /// database fails.
    pub async fn add(
        &self,
        localpart: &Localpart,
        sid: Option<SessionId>,
        client_secret: &ClientSecret,
        proof: &UiaProof,
        context: &RequestContext,
    ) -> Result<(), AddThreepidError> {
        self.add_if(localpart, sid, client_secret, proof.authorization(), context).await
    }

    /// The same where the access token is all that is asked for, whatever else the account has.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn add_directly(
        &self,
        localpart: &Localpart,
        sid: Option<SessionId>,
        client_secret: &ClientSecret,
        context: &RequestContext,
    ) -> Result<(), AddThreepidError> {
        self.add_if(localpart, sid, client_secret, Authorization::default(), context).await
    }

    async fn add_if(
        &self,
        localpart: &Localpart,
        sid: Option<SessionId>,
        client_secret: &ClientSecret,
        authorization: Authorization,
        context: &RequestContext,
    ) -> Result<(), AddThreepidError> {
        let sid = sid.ok_or(AddThreepidError::AuthFailed)?;
        let client_secret_hash = self.keyring.client_secret_hash(client_secret);
        let session = self.delegate.find_session(sid, &client_secret_hash).await?;
        let session = session.ok_or(AddThreepidError::AuthFailed)?;
        let sealer = self.keyring.sealer();
        let address = sealer
            .open(SealedColumn::SessionAddress, session.sid.as_bytes(), &session.sealed_address)
            .map_err(AddThreepidError::Sealed)?;
        let row_id = session.address_hash.as_bytes();
        let add = AddThreepid {
            sid,
            client_secret_hash,
            localpart: localpart.clone(),
            sealed_address: sealer.seal(
                SealedColumn::AccountThreepidAddress,
                row_id,
                &address,
                &*self.random,
            ),
            account: self.home,
            authorization,
            notices: self.drafts(localpart, context).await.map_err(AddThreepidError::Notices)?,
        };
        match self.storage.add_threepid(add, self.clock.now()).await? {
            Ok(added) => {
                self.notices.ring(&added.notified);
                Ok(())
            }
            Err(AddRefusal::AuthFailed) => Err(AddThreepidError::AuthFailed),
            Err(AddRefusal::InUse) => Err(AddThreepidError::InUse),
            Err(AddRefusal::Lapsed(lapsed)) => Err(AddThreepidError::Lapsed(lapsed)),
        }
    }

    /// Takes an address from an account, and tells its addresses, that one included. Taking away what isn't there is a
    /// success.
    ///
    /// # Errors
    /// When an address of the account can't be read, or the database fails.
    pub async fn delete(
        &self,
        localpart: &Localpart,
        threepid: &ThirdPartyIdentifier,
        context: &RequestContext,
    ) -> Result<(), ThreepidsError> {
        let address = self.keyring.address_hash(threepid);
        let notices = self.drafts(localpart, context).await?;
        let deleted = self.storage.delete_threepid(localpart, address, notices, self.clock.now()).await?;
        self.notices.ring(&deleted.unwrap_or_default());
        Ok(())
    }

    async fn drafts(
        &self,
        localpart: &Localpart,
        context: &RequestContext,
    ) -> Result<Vec<NoticeDraft>, ThreepidsError> {
        self.notices.drafts(localpart, &context.language).await
    }
}

/// The address in a row.
pub(crate) fn open_address(
    keyring: &Keyring,
    row: &AccountThreepid,
) -> Result<ThirdPartyIdentifier, ThreepidsError> {
    let address = keyring
        .sealer()
        .open(SealedColumn::AccountThreepidAddress, row.address_hash.as_bytes(), &row.sealed_address)
        .map_err(ThreepidsError::Sealed)?;
    str::from_utf8(&address)
        .ok()
        .and_then(|address| ThirdPartyIdentifier::from_canonical(row.medium, address))
        .ok_or(ThreepidsError::Corrupt(row.medium))
}

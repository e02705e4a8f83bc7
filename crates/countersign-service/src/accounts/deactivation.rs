//! The end of an account: nothing is left of it but its name, so that nobody else gets that.

use countersign_core::{Lapsed, Localpart};
use countersign_storage::{Deactivated, Deactivation, StorageError};
use thiserror::Error;

use super::Accounts;
use crate::{Notices, RequestContext, ThreepidsError, UiaProof};

/// A wish to end an account.
#[derive(Clone, Debug)]
pub struct Deactivate {
    /// What came along.
    pub context: RequestContext,
    /// The account.
    pub localpart: Localpart,
    /// The authentication that allows it.
    pub proof: UiaProof,
}

/// Why an account is not ended.
#[derive(Debug, Error)]
pub enum DeactivateError {
    /// What allowed it does so no more.
    #[error(transparent)]
    Lapsed(Lapsed),
    /// An address that is to be told can't be read.
    #[error(transparent)]
    Notices(ThreepidsError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Ends an account, and tells the addresses that it had. Again changes nothing.
    ///
    /// # Errors
    /// When what allowed it does so no more, when an address can't be read, or the database fails.
    pub async fn deactivate(&self, wish: Deactivate, notices: &Notices) -> Result<(), DeactivateError> {
        let drafts = notices.drafts(&wish.localpart, &wish.context.language).await;
        let deactivation = Deactivation {
            user_id: self.user_id(&wish.localpart),
            localpart: wish.localpart,
            authorization: wish.proof.authorization(),
            notices: drafts.map_err(DeactivateError::Notices)?,
        };
        match self.storage.deactivate(deactivation, self.clock.now()).await? {
            Deactivated::Done { notified } => {
                notices.ring(&notified);
                Ok(())
            }
            Deactivated::Before => Ok(()),
            Deactivated::Lapsed(lapsed) => Err(DeactivateError::Lapsed(lapsed)),
        }
    }
}

//! Taking published addresses back, wherever they were published.

use std::collections::BTreeSet;

use countersign_core::{
    IdServer, Keyring, Localpart, RecordedBind, SealedColumn, ThirdPartyIdentifier, UserId,
};
use countersign_delivery::{
    PeerError,
    federation::{IdServerAnswer, MatrixError},
};
use countersign_storage::StorageError;
use thiserror::Error;
use tokio::task::JoinSet;

use super::{BoundThreepids, BoundThreepidsParts, RecordedBindError};
use crate::UnbindWish;

/// What taking addresses back came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnbindResult {
    /// Every identity server took them back.
    Success,
    /// One can't, or it isn't known where they were published.
    NoSupport,
}

/// Why an address is still published.
#[derive(Debug, Error)]
pub enum UnbindElsewhereError {
    /// An identity server refused, in these words.
    #[error("the identity server refused with {}", .0.errcode)]
    Refused(MatrixError),
    /// An identity server gave no answer that can be used.
    #[error("the identity server does not do its part")]
    Unreachable(#[source] PeerError),
    /// What is remembered can't be read.
    #[error(transparent)]
    Recorded(#[from] RecordedBindError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// An address, and an identity server that may publish it.
#[derive(Clone)]
struct Target {
    threepid: ThirdPartyIdentifier,
    id_server: IdServer,
}

impl BoundThreepids {
    /// Takes an address of a user back at an identity server, or at all that it was published at. What isn't published any
    /// more is a success.
    ///
    /// # Errors
    /// When an identity server refuses or does not answer, after all were tried; when the database fails.
    pub async fn unbind(
        &self,
        localpart: &Localpart,
        threepid: &ThirdPartyIdentifier,
        id_server: Option<IdServer>,
    ) -> Result<UnbindResult, UnbindElsewhereError> {
        let targets = match id_server {
            Some(id_server) => vec![Target { threepid: threepid.clone(), id_server }],
            None => {
                let address = self.0.keyring.address_hash(threepid);
                let recorded = self.0.storage.list_recorded_binds(localpart, Some(address)).await?;
                recorded.iter().map(|bind| read(&self.0.keyring, bind)).collect::<Result<_, _>>()?
            }
        };
        let mut outcome = if targets.is_empty() { UnbindResult::NoSupport } else { UnbindResult::Success };
        let mut failure = None;
        for unbound in self.unbind_all_of(localpart, targets).await {
            match unbound {
                Ok(UnbindResult::Success) => {}
                Ok(UnbindResult::NoSupport) => outcome = UnbindResult::NoSupport,
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(outcome), Err)
    }

    /// Takes everything back that a user published, and `addresses`, which may be published at `id_server`. Failures are
    /// logged: the account ends anyway. Nothing to take back is a success.
    ///
    /// # Errors
    /// When the database fails before anything was taken back.
    pub async fn unbind_everything(
        &self,
        localpart: &Localpart,
        addresses: Vec<ThirdPartyIdentifier>,
        id_server: Option<IdServer>,
    ) -> Result<UnbindResult, StorageError> {
        let mut targets = Vec::new();
        let mut outcome = UnbindResult::Success;
        for bind in self.0.storage.list_recorded_binds(localpart, None).await? {
            match read(&self.0.keyring, &bind) {
                Ok(target) => targets.push(target),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "A published address can't be taken back: {error}");
                    outcome = UnbindResult::NoSupport;
                }
            }
        }
        let known: BTreeSet<(String, IdServer)> = targets
            .iter()
            .map(|target| (target.threepid.address().to_owned(), target.id_server.clone()))
            .collect();
        let more = addresses.into_iter().filter_map(|threepid| {
            let id_server = id_server.clone()?;
            let is_new = !known.contains(&(threepid.address().to_owned(), id_server.clone()));
            is_new.then_some(Target { threepid, id_server })
        });
        targets.extend(more);
        for unbound in self.unbind_all_of(localpart, targets).await {
            match unbound {
                Ok(UnbindResult::Success) => {}
                Ok(UnbindResult::NoSupport) => outcome = UnbindResult::NoSupport,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "An address of an account that ends stays published: {error}");
                    outcome = UnbindResult::NoSupport;
                }
            }
        }
        Ok(outcome)
    }

    /// Asks all at once, since each may take its time.
    async fn unbind_all_of(
        &self,
        localpart: &Localpart,
        targets: Vec<Target>,
    ) -> Vec<Result<UnbindResult, UnbindElsewhereError>> {
        let mut asked = JoinSet::new();
        for target in targets {
            let (this, localpart) = (self.clone(), localpart.clone());
            asked.spawn(async move { this.unbind_one(&localpart, target).await });
        }
        asked.join_all().await
    }

    /// Takes an address back at one identity server. What is remembered of it is forgotten once that has had the last word.
    async fn unbind_one(
        &self,
        localpart: &Localpart,
        target: Target,
    ) -> Result<UnbindResult, UnbindElsewhereError> {
        let BoundThreepidsParts { storage, keyring, server_name, .. } = &*self.0;
        let address = keyring.address_hash(&target.threepid);
        let id_server = target.id_server.clone();
        let Some(outcome) = self.ask(UserId::new(localpart, server_name), target).await? else {
            return Ok(UnbindResult::NoSupport);
        };
        storage.delete_recorded_bind(localpart, address, id_server.as_str()).await?;
        Ok(outcome)
    }

    /// `None`: nobody can be asked, since nothing signs for this server.
    async fn ask(
        &self,
        user_id: UserId,
        target: Target,
    ) -> Result<Option<UnbindResult>, UnbindElsewhereError> {
        let Target { threepid, id_server } = target;
        if let Some(own) = self.own_service(&id_server) {
            own.associations.unbind(&UnbindWish { user_id, threepid }).await?;
            return Ok(Some(UnbindResult::Success));
        }
        let Some(signing) = &self.0.signing else { return Ok(None) };
        let (medium, address) = (threepid.medium().as_str(), threepid.address());
        let signer = signing.request_signer();
        let answer = self.0.federation.unbind(&id_server, medium, address, user_id.as_str(), signer).await;
        match answer.map_err(UnbindElsewhereError::Unreachable)? {
            IdServerAnswer::Done(_) => Ok(Some(UnbindResult::Success)),
            IdServerAnswer::NotSupported => Ok(Some(UnbindResult::NoSupport)),
            IdServerAnswer::Refused(error) => Err(UnbindElsewhereError::Refused(error)),
        }
    }
}

fn read(keyring: &Keyring, bind: &RecordedBind) -> Result<Target, RecordedBindError> {
    let (row, sealed) = (bind.address_hash.as_bytes(), &bind.sealed_address);
    let opened = keyring.sealer().open(SealedColumn::RecordedBindAddress, row, sealed);
    let address = opened.map_err(RecordedBindError::Sealed)?;
    let address = str::from_utf8(&address).ok();
    let threepid = address.and_then(|address| ThirdPartyIdentifier::from_canonical(bind.medium, address));
    let id_server = IdServer::parse(&bind.id_server).ok();
    let target = threepid.zip(id_server).map(|(threepid, id_server)| Target { threepid, id_server });
    target.ok_or(RecordedBindError::Corrupt(bind.medium))
}

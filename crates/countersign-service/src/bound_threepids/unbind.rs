//! Taking published addresses back, wherever they were published.

use std::time::Duration;

use countersign_core::{IdServer, Localpart, RecordedBind, SealedColumn, ThirdPartyIdentifier, UserId};
use countersign_delivery::{
    PeerError,
    federation::{IdServerAnswer, MatrixError},
};
use countersign_storage::StorageError;
use thiserror::Error;
use tokio::task::JoinSet;

use super::{BoundThreepids, RecordedBindError};
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
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// An address, and an identity server that may publish it.
#[derive(Clone)]
struct Target {
    threepid: ThirdPartyIdentifier,
    id_server: IdServer,
    /// What is remembered of that.
    recorded: Option<RecordedBind>,
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
        let address = self.0.keyring.address_hash(threepid);
        let recorded = self.0.storage.list_recorded_binds(localpart, Some(address)).await?;
        let targets = match id_server {
            Some(id_server) => vec![target_of(threepid.clone(), id_server, recorded)],
            None => recorded.into_iter().map(|bind| self.read(bind)).collect::<Result<_, _>>()?,
        };
        if targets.iter().any(|target| self.own_service(&target.id_server).is_none()) {
            self.charge(localpart).await?.map_err(UnbindElsewhereError::Limited)?;
        }
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

    /// Remembers that `addresses` of a user may be published at an identity server that the user names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remember(
        &self,
        localpart: &Localpart,
        addresses: &[ThirdPartyIdentifier],
        id_server: &IdServer,
    ) -> Result<(), StorageError> {
        for threepid in addresses {
            self.0.storage.record_bind(self.record(localpart, threepid, id_server), self.0.home).await?;
        }
        Ok(())
    }

    /// Takes everything back that the user of an ended account published. `addresses` are those that the account had: of one
    /// of which nothing is remembered, nobody knows where it may be published. What fails is logged and tried again later
    /// ([`TakeBack`](super::TakeBack)): the account has ended, whatever comes of it.
    pub async fn take_everything_back(
        &self,
        localpart: &Localpart,
        addresses: &[ThirdPartyIdentifier],
    ) -> UnbindResult {
        self.try_take_everything_back(localpart, addresses).await.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "What an ended account published is not taken back yet: {error}");
            UnbindResult::NoSupport
        })
    }

    async fn try_take_everything_back(
        &self,
        localpart: &Localpart,
        addresses: &[ThirdPartyIdentifier],
    ) -> Result<UnbindResult, StorageError> {
        let recorded = self.0.storage.list_recorded_binds(localpart, None).await?;
        let is_known = |threepid: &ThirdPartyIdentifier| {
            let address = self.0.keyring.address_hash(threepid);
            recorded.iter().any(|bind| bind.address_hash == address)
        };
        let all_known = addresses.iter().all(is_known);
        let mut outcome = if all_known { UnbindResult::Success } else { UnbindResult::NoSupport };
        let mut targets = Vec::new();
        for bind in recorded {
            match self.read(bind) {
                Ok(target) => targets.push(target),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "A published address can't be taken back: {error}");
                    outcome = UnbindResult::NoSupport;
                }
            }
        }
        for unbound in self.unbind_all_of(localpart, targets).await {
            match unbound {
                Ok(UnbindResult::Success) => {}
                Ok(UnbindResult::NoSupport) => outcome = UnbindResult::NoSupport,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "An address of an ended account is not taken back yet: {error}");
                    outcome = UnbindResult::NoSupport;
                }
            }
        }
        Ok(outcome)
    }

    /// Takes one back of which this node remembers.
    pub(super) async fn take_back(&self, bind: &RecordedBind) -> Result<UnbindResult, UnbindElsewhereError> {
        let target = self.read(bind.clone())?;
        self.unbind_one(&bind.localpart, target).await
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
        let recorded = target.recorded.clone();
        let Some(outcome) = self.ask(UserId::new(localpart, &self.0.server_name), target).await? else {
            return Ok(UnbindResult::NoSupport);
        };
        if let Some(bind) = recorded {
            self.0.storage.delete_recorded_bind(&bind).await?;
        }
        Ok(outcome)
    }

    /// `None`: nobody can be asked, since nothing signs for this server.
    async fn ask(
        &self,
        user_id: UserId,
        target: Target,
    ) -> Result<Option<UnbindResult>, UnbindElsewhereError> {
        let Target { threepid, id_server, .. } = target;
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

    fn read(&self, bind: RecordedBind) -> Result<Target, RecordedBindError> {
        let (row, sealed) = (bind.address_hash.as_bytes(), &bind.sealed_address);
        let opened = self.0.keyring.sealer().open(SealedColumn::RecordedBindAddress, row, sealed);
        let address = opened.map_err(RecordedBindError::Sealed)?;
        let address = str::from_utf8(&address).ok();
        let threepid = address.and_then(|address| ThirdPartyIdentifier::from_canonical(bind.medium, address));
        let id_server = IdServer::parse(&bind.id_server).ok();
        let (threepid, id_server) = threepid.zip(id_server).ok_or(RecordedBindError::Corrupt(bind.medium))?;
        Ok(Target { threepid, id_server, recorded: Some(bind) })
    }
}

fn target_of(threepid: ThirdPartyIdentifier, id_server: IdServer, recorded: Vec<RecordedBind>) -> Target {
    let recorded = recorded.into_iter().find(|bind| bind.id_server == id_server.as_str());
    Target { threepid, id_server, recorded }
}

//! Addresses that users of this node publish at identity servers: bind, and take back wherever they were bound.

mod take_back;
mod unbind;

use std::{panic, sync::Arc, time::Duration};

use countersign_core::{
    AccountHome, ClientSecret, Clock, IdServer, Keyring, Language, Localpart, Medium, OpenError, Random,
    RecordedBind, SealedColumn, ServerName, SessionId, ThirdPartyIdentifier, UserId,
};
use countersign_delivery::{
    Federation, PeerError, Secret,
    federation::{IdServerAnswer, MatrixError},
};
use countersign_storage::{Recorded, Storage, StorageError};
use serde_json::{Map, Value};
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::{
    take_back::TakeBack,
    unbind::{UnbindElsewhereError, UnbindResult},
};
use crate::{Associations, BindError, BindWish, IdentityAccounts, IdentityCallerError, Limits, Signing};

/// Addresses that users of this node publish. Cheap to clone.
#[derive(Clone)]
pub struct BoundThreepids(Arc<BoundThreepidsParts>);

/// What [`BoundThreepids`] is made of.
pub struct BoundThreepidsParts {
    /// Where binds are remembered.
    pub storage: Arc<dyn Storage>,
    /// What seals and hashes.
    pub keyring: Arc<Keyring>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where nonces come from.
    pub random: Arc<dyn Random>,
    /// Calls identity servers.
    pub federation: Arc<Federation>,
    /// The part after the colon in user ids.
    pub server_name: ServerName,
    /// Where the accounts are.
    pub home: AccountHome,
    /// How often things may happen.
    pub limits: Limits,
    /// Signs for this server, if others can check that: beside a homeserver only with that server's key.
    pub signing: Option<Signing>,
    /// The identity service of this process, if there is one.
    pub own_service: Option<OwnIdentityService>,
}

/// The identity service of this process, which needs no call.
pub struct OwnIdentityService {
    /// What clients call it.
    pub names: Vec<IdServer>,
    /// Who may use it.
    pub accounts: IdentityAccounts,
    /// What it publishes.
    pub associations: Associations,
}

/// A wish to publish an address at an identity server.
#[derive(Clone)]
pub struct BindElsewhere {
    /// The identity server.
    pub id_server: IdServer,
    /// The user's access token there.
    pub id_access_token: Zeroizing<String>,
    /// The session there, as it calls it.
    pub sid: String,
    /// The session's secret.
    pub client_secret: ClientSecret,
    /// The language that the user reads.
    pub language: Language,
}

/// Why an address is not published.
#[derive(Debug, Error)]
pub enum BindElsewhereError {
    /// The identity server refused, in these words.
    #[error("the identity server refused with {}", .0.errcode)]
    Refused(MatrixError),
    /// The identity server gave no answer that can be used.
    #[error("the identity server does not do its part")]
    Unreachable(#[source] PeerError),
    /// The user's access token for our own service does not work.
    #[error(transparent)]
    OwnCaller(IdentityCallerError),
    /// Our own service refused.
    #[error(transparent)]
    Own(BindError),
    /// The account ended meanwhile.
    #[error("the account has ended")]
    AccountEnded,
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why the addresses that a user published can't be read.
#[derive(Debug, Error)]
pub enum RecordedBindError {
    /// One does not open: a key is gone from the master key file, or the row is damaged.
    #[error("a sealed address does not open")]
    Sealed(#[source] OpenError),
    /// A row makes no sense.
    #[error("a stored {0} address or identity server makes no sense")]
    Corrupt(Medium),
}

impl BoundThreepids {
    /// Joins what it needs.
    pub fn new(parts: BoundThreepidsParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Has an identity server publish the address of a session there, and remembers that. Goes on though nobody waits for it
    /// any more: what is published must be remembered.
    ///
    /// # Errors
    /// When the identity server refuses or does not answer, the account names such servers too often or has ended, or the
    /// database fails. What was published nevertheless is taken back.
    pub async fn bind(&self, localpart: &Localpart, wish: BindElsewhere) -> Result<(), BindElsewhereError> {
        if self.own_service(&wish.id_server).is_none() {
            self.charge(localpart).await?.map_err(BindElsewhereError::Limited)?;
        }
        let (this, localpart) = (self.clone(), localpart.clone());
        let bound = tokio::spawn(async move { this.bind_and_record(localpart, wish).await }).await;
        match bound {
            Ok(outcome) => outcome,
            Err(error) => panic::resume_unwind(error.into_panic()),
        }
    }

    async fn bind_and_record(
        &self,
        localpart: Localpart,
        wish: BindElsewhere,
    ) -> Result<(), BindElsewhereError> {
        let id_server = wish.id_server.clone();
        let threepid = match self.own_service(&id_server) {
            Some(own) => bind_here(own, UserId::new(&localpart, &self.0.server_name), wish).await?,
            None => self.bind_there(&localpart, wish).await?,
        };
        let bind = self.record(&localpart, &threepid, &id_server);
        let error = match self.0.storage.record_bind(bind.clone(), self.0.home).await {
            Ok(Recorded::Kept) => return Ok(()),
            Ok(Recorded::AccountEnded) => BindElsewhereError::AccountEnded,
            Err(error) => BindElsewhereError::Storage(error),
        };
        if let Err(error) = self.take_back(&bind).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "An address that was published in vain is not taken back yet: {error}");
        }
        Err(error)
    }

    /// Charges an account for having identity servers called; how long to wait if that is too often.
    async fn charge(&self, localpart: &Localpart) -> Result<Result<(), Duration>, StorageError> {
        let BoundThreepidsParts { storage, keyring, clock, limits, .. } = &*self.0;
        let charged = storage.charge(limits.identity_server_call(keyring, localpart), clock.now()).await?;
        Ok(charged.map_err(|limited| limited.retry_after))
    }

    /// Remembers the bind before it is asked for, as far as the identity server tells beforehand what it will be: whatever
    /// comes between, the address can be taken back. That what is remembered may not be there does no harm.
    async fn bind_there(
        &self,
        localpart: &Localpart,
        wish: BindElsewhere,
    ) -> Result<ThirdPartyIdentifier, BindElsewhereError> {
        let BoundThreepidsParts { storage, federation, server_name, .. } = &*self.0;
        let BindElsewhere { id_server, sid, .. } = &wish;
        let token = Secret::new(wish.id_access_token.as_str());
        let secret = Secret::new(wish.client_secret.expose());
        let proven = federation.validated_threepid(id_server, &token, sid, &secret).await;
        let proven = match proven.map_err(BindElsewhereError::Unreachable)? {
            IdServerAnswer::Done(proven) => read_address(&proven),
            IdServerAnswer::Refused(error) => return Err(BindElsewhereError::Refused(error)),
            IdServerAnswer::NotSupported => None,
        };
        let first = match &proven {
            Some(threepid) => self.record_first(localpart, threepid, id_server).await?,
            None => None,
        };
        let user_id = UserId::new(localpart, server_name);
        let answer = federation.bind(id_server, &token, sid, &secret, user_id.as_str()).await;
        let refused = match answer.map_err(BindElsewhereError::Unreachable)? {
            IdServerAnswer::Done(association) => {
                let unusable = BindElsewhereError::Unreachable(PeerError::Answer { status: 200 });
                return read_address(&association).or(proven).ok_or(unusable);
            }
            IdServerAnswer::Refused(error) => BindElsewhereError::Refused(error),
            IdServerAnswer::NotSupported => {
                BindElsewhereError::Unreachable(PeerError::Answer { status: 404 })
            }
        };
        if let Some(first) = first {
            storage.delete_recorded_bind(&first).await?;
        }
        Err(refused)
    }

    /// Remembers a bind that is about to come; answers it if nothing was known of one before.
    async fn record_first(
        &self,
        localpart: &Localpart,
        threepid: &ThirdPartyIdentifier,
        id_server: &IdServer,
    ) -> Result<Option<RecordedBind>, BindElsewhereError> {
        let storage = &self.0.storage;
        let bind = self.record(localpart, threepid, id_server);
        let known = storage.list_recorded_binds(localpart, Some(bind.address_hash)).await?;
        if known.iter().any(|known| known.id_server == bind.id_server) {
            return Ok(None);
        }
        match storage.record_bind(bind.clone(), self.0.home).await? {
            Recorded::Kept => Ok(Some(bind)),
            Recorded::AccountEnded => {
                storage.delete_recorded_bind(&bind).await?;
                Err(BindElsewhereError::AccountEnded)
            }
        }
    }

    fn own_service(&self, id_server: &IdServer) -> Option<&OwnIdentityService> {
        self.0.own_service.as_ref().filter(|own| own.names.contains(id_server))
    }

    fn record(
        &self,
        localpart: &Localpart,
        threepid: &ThirdPartyIdentifier,
        id_server: &IdServer,
    ) -> RecordedBind {
        let BoundThreepidsParts { keyring, clock, random, .. } = &*self.0;
        let address_hash = keyring.address_hash(threepid);
        let (column, address) = (SealedColumn::RecordedBindAddress, threepid.address().as_bytes());
        RecordedBind {
            localpart: localpart.clone(),
            medium: threepid.medium(),
            address_hash,
            sealed_address: keyring.sealer().seal(column, address_hash.as_bytes(), address, &**random),
            id_server: id_server.as_str().to_owned(),
            bound_at: clock.now(),
        }
    }
}

async fn bind_here(
    own: &OwnIdentityService,
    user_id: UserId,
    wish: BindElsewhere,
) -> Result<ThirdPartyIdentifier, BindElsewhereError> {
    let caller = own.accounts.find_caller(&wish.id_access_token).await;
    let caller = caller.map_err(BindElsewhereError::OwnCaller)?;
    let wish = BindWish {
        sid: SessionId::parse(&wish.sid),
        client_secret: wish.client_secret,
        user_id,
        language: wish.language,
    };
    let published = own.associations.bind(&caller, wish).await.map_err(BindElsewhereError::Own)?;
    Ok(published.threepid)
}

/// The address of an association.
fn read_address(association: &Map<String, Value>) -> Option<ThirdPartyIdentifier> {
    let text = |member| association.get(member).and_then(Value::as_str);
    ThirdPartyIdentifier::from_canonical(Medium::parse(text("medium")?)?, text("address")?)
}

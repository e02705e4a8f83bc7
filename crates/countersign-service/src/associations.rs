//! Associations: bind an address to a user, and take that back.

mod unbind;

use std::{sync::Arc, time::Duration};

use countersign_core::{
    Bind, Carrier, ClientSecret, Clock, Keyring, Language, NotValidated, Random, SealedColumn, ServerName,
    SessionId, ThirdPartyIdentifier, Timestamp, UserId, ValidationSession,
};
use countersign_delivery::PeerError;
use countersign_storage::{Bound, Storage, StorageError};
use serde_json::{Map, Value};
use thiserror::Error;

pub use self::unbind::{ProofBySession, SignedRequest, UnbindError, UnbindWish};
use crate::{
    Delegate, OutboxWakeup, Peppers, RemoteKeys, SessionAddressError, Signing, delegate::FindSessionError,
    drafts::UnaskedMessage, session_address::open_session_address,
};

/// How long an association is good: nobody ends it but its user, so this is far away. 100 years.
const VALIDITY: Duration = Duration::from_hours(100 * 365 * 24);

/// How long the homeserver of a user may take to hear of the invitations that waited for an address.
const ON_BIND_LIFETIME: Duration = Duration::from_hours(7 * 24);

/// How often a bind is begun anew when a pepper came meanwhile. One comes once in months.
const TRIES: usize = 3;

/// Associations of the identity service. Cheap to clone.
#[derive(Clone)]
pub struct Associations(Arc<AssociationsParts>);

/// What [`Associations`] is made of.
pub struct AssociationsParts {
    /// Where associations are.
    pub storage: Arc<dyn Storage>,
    /// What seals and hashes.
    pub keyring: Arc<Keyring>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where ids and nonces come from.
    pub random: Arc<dyn Random>,
    /// Wakes the worker that calls homeservers.
    pub wakeup: OutboxWakeup,
    /// Who proves addresses, where this node does not.
    pub delegate: Delegate,
    /// Signs associations.
    pub signing: Signing,
    /// The peppers that associations need keys under.
    pub peppers: Peppers,
    /// The keys of homeservers that sign requests.
    pub remote_keys: RemoteKeys,
    /// What others call this service when they sign a request for it.
    pub own_names: Vec<ServerName>,
}

/// A wish to bind the address of a session to a user.
#[derive(Clone)]
pub struct BindWish {
    /// The session; `None` if what was sent names none.
    pub sid: Option<SessionId>,
    /// The client secret.
    pub client_secret: ClientSecret,
    /// The user.
    pub user_id: UserId,
    /// The language that the user reads.
    pub language: Language,
}

/// Why an address is not bound.
#[derive(Debug, Error)]
pub enum BindError {
    /// The user is not the caller.
    #[error("users bind their own addresses only")]
    Forbidden,
    /// The session does not prove its address.
    #[error(transparent)]
    NotValidated(NotValidated),
    /// A stored value can't be read.
    #[error(transparent)]
    Address(#[from] SessionAddressError),
    /// Another service proves the address, and gave no answer that can be used.
    #[error("the identity service can't say whether the address is proven")]
    Unreachable(#[source] PeerError),
    /// Peppers come and go too fast.
    #[error("the pepper was replaced again and again meanwhile")]
    PeppersChanged,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<FindSessionError> for BindError {
    fn from(error: FindSessionError) -> Self {
        match error {
            FindSessionError::Unreachable(cause) => Self::Unreachable(cause),
            FindSessionError::Storage(cause) => Self::Storage(cause),
        }
    }
}

/// An association, made and signed.
#[derive(Clone, Debug)]
pub struct Published {
    /// The address.
    pub threepid: ThirdPartyIdentifier,
    /// The association as others see it, signed.
    pub signed: Map<String, Value>,
}

impl Associations {
    /// Joins what it needs.
    pub fn new(parts: AssociationsParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Binds the address of a validated session to its caller, in place of whoever it was bound to before; lookups find it at
    /// once. The session stays good for more.
    ///
    /// # Errors
    /// When the user is not the caller, or the session proves nothing; when the database fails.
    pub async fn bind(&self, caller: &UserId, wish: BindWish) -> Result<Published, BindError> {
        if *caller != wish.user_id {
            return Err(BindError::Forbidden);
        }
        let AssociationsParts { storage, keyring, clock, .. } = &*self.0;
        let sid = wish.sid.ok_or(BindError::NotValidated(NotValidated::NoSession))?;
        let secret = keyring.client_secret_hash(&wish.client_secret);
        let session = self.0.delegate.find_session(sid, &secret).await?;
        let (session, _) = ValidationSession::validated_for_identity(session.as_ref(), &secret, clock.now())
            .map_err(BindError::NotValidated)?;
        let threepid = open_session_address(keyring, session)?;
        for _ in 0..TRIES {
            let bind = self.prepare(sid, &wish, &threepid).await?;
            match storage.bind(bind, clock.now()).await? {
                Bound::Done { association, queued } => {
                    if queued {
                        self.0.wakeup.ring(Carrier::Federation);
                    }
                    let signed = self.publish(&threepid, &association.user_id, association.bound_at);
                    return Ok(Published { threepid, signed });
                }
                Bound::Refused(why) => return Err(BindError::NotValidated(why)),
                Bound::PeppersChanged => {}
            }
        }
        Err(BindError::PeppersChanged)
    }

    /// Everything that can be made before the bind waits for the database.
    async fn prepare(
        &self,
        sid: SessionId,
        wish: &BindWish,
        threepid: &ThirdPartyIdentifier,
    ) -> Result<Bind, StorageError> {
        let AssociationsParts { keyring, clock, random, peppers, .. } = &*self.0;
        let on_bind = UnaskedMessage {
            threepid,
            language: &wish.language,
            user_id: &wish.user_id,
            lifetime: ON_BIND_LIFETIME,
        };
        let (row, address) = (keyring.address_hash(threepid), threepid.address().as_bytes());
        let column = SealedColumn::AssociationAddress;
        Ok(Bind {
            sid,
            client_secret_hash: keyring.client_secret_hash(&wish.client_secret),
            user_id: wish.user_id.clone(),
            sealed_address: keyring.sealer().seal(column, row.as_bytes(), address, &**random),
            keys: peppers.keys(threepid).await?,
            on_bind: on_bind.draft(keyring, &**random, clock.now()),
        })
    }

    fn publish(
        &self,
        threepid: &ThirdPartyIdentifier,
        user_id: &UserId,
        bound_at: Timestamp,
    ) -> Map<String, Value> {
        let fields: [(&str, Value); 6] = [
            ("medium", threepid.medium().as_str().into()),
            ("address", threepid.address().into()),
            ("mxid", user_id.as_str().into()),
            ("ts", bound_at.as_millis().into()),
            ("not_before", bound_at.as_millis().into()),
            ("not_after", bound_at.after(VALIDITY).as_millis().into()),
        ];
        self.0.signing.sign(fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
    }
}

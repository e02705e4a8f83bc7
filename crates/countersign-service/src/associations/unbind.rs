//! Taking an association back: by who has the address, or by the user's homeserver.

use std::time::Duration;

use countersign_core::{
    ClientNetwork, ClientSecret, NotValidated, PublicKeys, RequestToSign, SessionId, ThirdPartyIdentifier,
    UserId, ValidationSession, XMatrix,
};
use countersign_delivery::PeerError;
use countersign_storage::StorageError;
use serde_json::Value;
use thiserror::Error;

use super::{Associations, AssociationsParts};
use crate::{RemoteKeyError, delegate::FindSessionError};

/// What is to be taken back.
#[derive(Clone, Debug)]
pub struct UnbindWish {
    /// The user.
    pub user_id: UserId,
    /// The address.
    pub threepid: ThirdPartyIdentifier,
}

/// A session that proves the address.
#[derive(Clone)]
pub struct ProofBySession {
    /// The session; `None` if what was sent names none.
    pub sid: Option<SessionId>,
    /// The client secret.
    pub client_secret: ClientSecret,
}

/// A request that a homeserver signed, as it came.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    /// The header with the signature.
    pub header: XMatrix,
    /// The method, in capitals.
    pub method: String,
    /// Path and query as they were sent.
    pub uri: String,
    /// The body.
    pub content: Value,
    /// Where it comes from.
    pub network: ClientNetwork,
}

/// Why nothing is taken back.
#[derive(Debug, Error)]
pub enum UnbindError {
    /// The session does not prove its address.
    #[error(transparent)]
    NotValidated(NotValidated),
    /// The session proves another address.
    #[error("the session proves another address")]
    OtherAddress,
    /// Another server signed the request than the user's own.
    #[error("the user is not of the server that signed the request")]
    OtherServer,
    /// The request is for another service.
    #[error("the request is for another service")]
    OtherDestination,
    /// The signature is not one of that server on this request.
    #[error("the signature is wrong")]
    Signature,
    /// Too many keys of servers in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// Another service proves the address, and gave no answer that can be used.
    #[error("the identity service can't say whether the address is proven")]
    Unreachable(#[source] PeerError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<FindSessionError> for UnbindError {
    fn from(error: FindSessionError) -> Self {
        match error {
            FindSessionError::Unreachable(cause) => Self::Unreachable(cause),
            FindSessionError::Storage(cause) => Self::Storage(cause),
        }
    }
}

impl Associations {
    /// Takes an association back for who can prove the address. What isn't bound, or to someone else, stays as it is.
    ///
    /// # Errors
    /// When the session does not prove that address, or the database fails.
    pub async fn unbind_by_session(
        &self,
        wish: &UnbindWish,
        proof: &ProofBySession,
    ) -> Result<(), UnbindError> {
        let AssociationsParts { keyring, clock, delegate, .. } = &*self.0;
        let sid = proof.sid.ok_or(UnbindError::NotValidated(NotValidated::NoSession))?;
        let secret = keyring.client_secret_hash(&proof.client_secret);
        let session = delegate.find_session(sid, &secret).await?;
        let (session, _) = ValidationSession::validated_for_identity(session.as_ref(), &secret, clock.now())
            .map_err(UnbindError::NotValidated)?;
        if session.address_hash != keyring.address_hash(&wish.threepid) {
            return Err(UnbindError::OtherAddress);
        }
        Ok(self.unbind(wish).await?)
    }

    /// The same for the user's homeserver, which signed the request.
    ///
    /// # Errors
    /// When another server did, or the signature is wrong or can't be checked; when the database fails.
    pub async fn unbind_by_signature(
        &self,
        wish: &UnbindWish,
        request: &SignedRequest,
    ) -> Result<(), UnbindError> {
        let SignedRequest { header, method, uri, content, network } = request;
        if wish.user_id.server_name() != header.origin {
            return Err(UnbindError::OtherServer);
        }
        let signed = RequestToSign { method, uri, content: Some(content) };
        header.verify(&signed, &self.0.own_names, &self.keys_for(header, *network).await?).map_err(
            |why| {
                tracing::debug!(
                    error = &why as &dyn std::error::Error,
                    "A signed unbind does not pass: {why}"
                );
                UnbindError::Signature
            },
        )?;
        Ok(self.unbind(wish).await?)
    }

    /// Takes an association back for a user of this server, whose node asks.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn unbind(&self, wish: &UnbindWish) -> Result<(), StorageError> {
        let address = self.0.keyring.address_hash(&wish.threepid);
        self.0.storage.unbind(address, &wish.user_id).await?;
        Ok(())
    }

    /// The key that a request says it is signed with, if its server has it.
    async fn keys_for(&self, header: &XMatrix, network: ClientNetwork) -> Result<PublicKeys, UnbindError> {
        // A request for someone else is not worth a call.
        let is_ours = |destination| self.0.own_names.contains(destination);
        if !header.destination.as_ref().is_none_or(is_ours) {
            return Err(UnbindError::OtherDestination);
        }
        match self.0.remote_keys.get(&header.origin, &header.key, network).await {
            Ok(keys) => Ok(keys),
            Err(RemoteKeyError::Limited(wait)) => Err(UnbindError::Limited(wait)),
            Err(RemoteKeyError::Storage(cause)) => Err(UnbindError::Storage(cause)),
            Err(error @ RemoteKeyError::Unreachable(_)) => {
                tracing::info!(
                    server = header.origin.as_str(),
                    error = &error as &dyn std::error::Error,
                    "The key of {} for a signed unbind can't be fetched: {error}",
                    header.origin
                );
                Err(UnbindError::Signature)
            }
        }
    }
}

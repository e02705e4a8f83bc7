//! `/identity/v2/lookup`.

use std::{borrow::Cow, collections::HashMap};

use countersign_api::{
    ErrorCode,
    identity::lookup::{HASH_DETAILS, HashDetailsResponse, LOOKUP, LookupRequest, LookupResponse, SHA256},
};
use countersign_core::{LookupPepper, ThirdPartyIdentifier, lookup_digest};
use reqwest::Method;

use super::IdentityClient;
use crate::{
    connection::{send, send_json},
    error::{Error, Kind},
};

/// Far below what a service refuses as too much at once.
const MOST_AT_ONCE: usize = 1000;

impl IdentityClient {
    /// `GET /identity/v2/hash_details`: how addresses are to be hashed. Needs an access token.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2hash_details)
    pub async fn get_hash_details(&self) -> Result<HashDetailsResponse, Error> {
        send(self.connection.authenticated(Method::GET, HASH_DETAILS)).await
    }

    /// `POST /identity/v2/lookup`: finds users by hashed addresses. Needs an access token.
    /// [`IdentityClient::lookup_addresses`] does the hashing.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2lookup)
    pub async fn lookup(&self, request: &LookupRequest<'_>) -> Result<LookupResponse, Error> {
        send_json(self.connection.authenticated(Method::POST, LOOKUP), request).await
    }

    /// Finds the users to whom addresses are bound: asks how to hash, hashes, and looks up, in as many calls as it takes.
    /// Addresses that are bound to nobody are left out. Needs an access token.
    ///
    /// Only SHA-256 is used, so that the service doesn't learn addresses that it doesn't know; it can still guess them.
    pub async fn lookup_addresses(
        &self,
        addresses: &[ThirdPartyIdentifier],
    ) -> Result<HashMap<ThirdPartyIdentifier, String>, Error> {
        let mut found = HashMap::new();
        if addresses.is_empty() {
            return Ok(found);
        }
        let mut pepper = self.pepper().await?;
        for chunk in addresses.chunks(MOST_AT_ONCE) {
            let users = match self.find(chunk, &pepper).await {
                // The pepper has changed since we asked for it.
                Err(error) if error.errcode() == Some(&ErrorCode::InvalidPepper) => {
                    pepper = self.pepper().await?;
                    self.find(chunk, &pepper).await?
                }
                users => users?,
            };
            found.extend(users);
        }
        Ok(found)
    }

    async fn pepper(&self) -> Result<LookupPepper, Error> {
        let details = self.get_hash_details().await?;
        LookupPepper::parse(&details.lookup_pepper).map_err(|error| Kind::Pepper(error).into())
    }

    /// Looks up addresses that fit into one call.
    async fn find(
        &self,
        addresses: &[ThirdPartyIdentifier],
        pepper: &LookupPepper,
    ) -> Result<Vec<(ThirdPartyIdentifier, String)>, Error> {
        let digests: Vec<String> =
            addresses.iter().map(|address| lookup_digest(address, pepper).encode()).collect();
        let request = LookupRequest {
            algorithm: SHA256.into(),
            pepper: pepper.as_str().into(),
            addresses: digests.iter().map(Cow::from).collect(),
        };
        let mut mappings = self.lookup(&request).await?.mappings;
        let users = addresses.iter().zip(&digests);
        Ok(users.filter_map(|(address, digest)| Some((address.clone(), mappings.remove(digest)?))).collect())
    }
}

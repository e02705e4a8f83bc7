//! `/identity/v2/pubkey`.

use countersign_api::identity::pubkey::{
    EPHEMERAL_IS_VALID, IS_VALID, IsValidResponse, PUBKEY, PubkeyResponse,
};
use reqwest::Method;
use url::form_urlencoded;

use super::IdentityClient;
use crate::{connection::send, error::Error};

impl IdentityClient {
    /// `GET /identity/v2/pubkey/{key_id}`: the public key with an id, such as `ed25519:0`. No access token is needed.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeykeyid)
    pub async fn get_pubkey(&self, key_id: &str) -> Result<PubkeyResponse, Error> {
        // A key id has no space, whose form encoding would be no path encoding.
        let key_id: String = form_urlencoded::byte_serialize(key_id.as_bytes()).collect();
        send(self.connection.anonymous(Method::GET, &PUBKEY.replace("{key_id}", &key_id))).await
    }

    /// `GET /identity/v2/pubkey/isvalid`: tells whether the service signs with a key. No access token is needed.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyisvalid)
    pub async fn is_pubkey_valid(&self, public_key: &str) -> Result<IsValidResponse, Error> {
        self.is_valid(IS_VALID, public_key).await
    }

    /// `GET /identity/v2/pubkey/ephemeral/isvalid`: tells whether a key is one that was made for an invitation, written
    /// exactly as [`IdentityClient::store_invite`] answered it. No access token is needed.
    ///
    /// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyephemeralisvalid)
    pub async fn is_ephemeral_pubkey_valid(&self, public_key: &str) -> Result<IsValidResponse, Error> {
        self.is_valid(EPHEMERAL_IS_VALID, public_key).await
    }

    async fn is_valid(&self, path: &str, public_key: &str) -> Result<IsValidResponse, Error> {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("public_key", public_key).finish();
        send(self.connection.anonymous(Method::GET, &format!("{path}?{query}"))).await
    }
}

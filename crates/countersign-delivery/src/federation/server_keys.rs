//! The keys of other homeservers, as they publish them themselves.

use std::time::Duration;

use countersign_core::{PublicKeys, ServerKeys, ServerName, SigningKeyId, Timestamp};
use hyper::Method;
use serde_json::{Map, Value};

use super::Federation;
use crate::{guard::Request, peer::PeerError};

const SERVER_KEYS: &str = "/_matrix/key/v2/server";

/// How long keys are remembered at most, whatever their server says: a key that was stolen is withdrawn within this time.
const MAX_LIFETIME: Duration = Duration::from_hours(1);

/// How long a server is not asked again for a key that it didn't have.
const MIN_WAIT: Duration = Duration::from_mins(1);

/// What is remembered of a server.
#[derive(Clone)]
pub(super) struct KnownKeys {
    keys: PublicKeys,
    fetched_at: Timestamp,
}

impl Federation {
    /// What [`server_keys`](Self::server_keys) would answer without asking. `None`: it would ask.
    pub fn known_server_keys(&self, server: &ServerName, wanted: &SigningKeyId) -> Option<PublicKeys> {
        let known = self.keys.find(server, self.now())?;
        let is_fresh = self.now() < known.fetched_at.after(MIN_WAIT);
        (is_fresh || known.keys.contains_key(wanted)).then_some(known.keys)
    }

    /// The keys that a homeserver signs with now, by its own word and signature
    /// ([spec](https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server)). They are remembered for a while; a key
    /// that is not among those remembered is asked for. It may still not be among those that are answered.
    pub async fn server_keys(
        &self,
        server: &ServerName,
        wanted: &SigningKeyId,
    ) -> Result<PublicKeys, PeerError> {
        if let Some(keys) = self.known_server_keys(server, wanted) {
            return Ok(keys);
        }
        let request = Request { method: Method::GET, uri: SERVER_KEYS, authorization: None, body: None };
        let answer = self.call(server, request).await?;
        let document: Map<String, Value> = answer.success()?;
        let fetched_at = self.now();
        let ServerKeys { keys, valid_until } = ServerKeys::parse(&document, server).map_err(|error| {
            tracing::debug!(peer.host = %server, reason = %error, "Another server's keys can't be used");
            answer.unexpected()
        })?;
        if valid_until <= fetched_at {
            return Err(answer.unexpected());
        }
        let expires_at = valid_until.min(fetched_at.after(MAX_LIFETIME));
        let known = KnownKeys { keys: keys.clone(), fetched_at };
        self.keys.keep(server.clone(), known, expires_at, fetched_at);
        Ok(keys)
    }
}

//! `/.well-known/…/client`: where a client finds the servers of a domain. Both paths stand under no prefix.

use serde::{Deserialize, Serialize};

/// `GET`: where clients of the Matrix protocol look.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixclient)
pub const MATRIX_CLIENT: &str = "/.well-known/matrix/client";

/// `GET`: where clients of the `/_api` prefix look.
pub const SDN_CLIENT: &str = "/.well-known/sdn/client";

/// The answer of [`MATRIX_CLIENT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixClient {
    /// The homeserver.
    #[serde(rename = "m.homeserver")]
    pub homeserver: BaseUrl,
    /// The identity server, if there is one.
    #[serde(rename = "m.identity_server", default, skip_serializing_if = "Option::is_none")]
    pub identity_server: Option<BaseUrl>,
}

/// The answer of [`SDN_CLIENT`]. Clients refuse it if any value is not an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SdnClient {
    /// The node.
    #[serde(rename = "m.node")]
    pub node: BaseUrl,
    /// The identity server, if there is one.
    #[serde(rename = "m.identity_server", default, skip_serializing_if = "Option::is_none")]
    pub identity_server: Option<BaseUrl>,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseUrl {
    /// What stands before the prefix of a path, with or without a slash at the end.
    pub base_url: String,
}

impl BaseUrl {
    /// A server at `base_url`.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into() }
    }
}

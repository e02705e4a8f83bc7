//! TLS of the library's own: no provider has to be installed for the whole process.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;
use url::Url;

/// A configuration with the ring provider and the platform's certificates.
///
/// On a machine without certificates, it is an error for a `base_url` with https. For one with http, it is a
/// configuration that trusts nobody, since such a machine can still talk to a node on its own network.
pub(crate) fn client_config(base_url: &Url) -> Result<ClientConfig, rustls::Error> {
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
    };
    match builder()?.with_platform_verifier() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        Err(_) if base_url.scheme() == "http" => {
            Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
        }
        Err(error) => Err(error),
    }
}

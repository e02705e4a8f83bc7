//! Whom TLS connections trust: what the system trusts, and the operator's extra certificates.

use std::sync::Arc;

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    client::WantsClientCert,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::Verifier;

/// Why TLS can't be set up.
#[derive(Debug)]
pub(crate) enum TlsError {
    /// The extra certificates are not PEM, or there are none.
    ExtraCa,
    /// No usable set of trusted certificates.
    Setup(rustls::Error),
}

/// Trusts what the system trusts, and the extra certificates.
pub(crate) fn trusting_system_and(extra_ca_pem: Option<&[u8]>) -> Result<ClientConfig, TlsError> {
    let extra = extra_ca_pem.map(parse).transpose()?.unwrap_or_default();
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(TlsError::Setup)?;
    let builder = builder(provider)?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(without_client_certificate(builder))
}

/// Trusts nobody, for connections without TLS: a machine without trusted certificates can still make them.
pub(crate) fn trusting_nobody() -> Result<ClientConfig, TlsError> {
    let builder = builder(Arc::new(ring::default_provider()))?;
    Ok(without_client_certificate(builder.with_root_certificates(RootCertStore::empty())))
}

/// Reads PEM certificates.
pub(crate) fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    parsed.ok().filter(|certificates| !certificates.is_empty()).ok_or(TlsError::ExtraCa)
}

fn builder(provider: Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)
}

fn without_client_certificate(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig {
    builder.with_no_client_auth()
}

//! The roots that TLS connections to other services trust: Mozilla's, which are compiled in, so that a container
//! without any works; and the system's, among which an operator may have put their own.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};

/// The usable roots of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` name other places).
pub(crate) fn system_roots() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::debug!(%error, "some of the system's roots cannot be read");
    }
    let usable = |root: &CertificateDer<'static>| RootCertStore::empty().add(root.clone()).is_ok();
    found.certs.into_iter().filter(usable).collect()
}

/// The TLS configuration of HTTP clients.
///
/// # Errors
/// None in practice: the provider has what the defaults ask for.
pub fn client_config() -> Result<ClientConfig, rustls::Error> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    roots.add_parsable_certificates(system_roots());
    // The one implementation of cryptography that is linked.
    let ring = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

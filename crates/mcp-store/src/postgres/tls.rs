//! TLS to PostgreSQL: our provider, and every certificate is checked for its host.

use std::sync::Arc;

use mcp_core::ConfigError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The authorities in a PEM file.
pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| no_certificate())?;
        roots.add(certificate).map_err(|_| no_certificate())?;
    }
    if roots.is_empty() { Err(no_certificate()) } else { Ok(roots) }
}

fn no_certificate() -> ConfigError {
    ConfigError::new("the root certificate for PostgreSQL must be PEM, with BEGIN CERTIFICATE")
}

/// What makes connections secret. Without TLS the authorities are not looked for.
pub(super) fn connector(root: Option<&[u8]>, mode: SslMode) -> Result<MakeRustlsConnect, ConfigError> {
    let roots = match (root, mode) {
        (_, SslMode::Disable) => RootCertStore::empty(),
        (Some(pem), _) => roots(pem)?,
        (None, _) => {
            let mut roots = RootCertStore::empty();
            // Some systems have odd certificates among many good ones.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(ConfigError::new(
                    "the system knows no certificate authorities: install ca-certificates or name one with sslrootcert",
                ));
            }
            roots
        }
    };
    // Named, because a program that contains two providers has no default.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::new("TLS cannot be set up").because(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

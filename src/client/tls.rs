//! The TLS settings of the client: the certificates that the client trusts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_native_certs::load_native_certs;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// An error in the file with the certificates to trust.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The file cannot be read.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file does not contain a certificate.
    #[error("{}: no certificate in PEM form", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The cause. The error's text leaves the cause out, because the cause is in the words of a library.
        cause: pem::Error,
    },
    /// A certificate in the file cannot be used.
    #[error("{}: a certificate cannot be used", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
}

/// Returns the TLS settings of a client. The client trusts the certificates in the file `ca`. If `ca` is
/// `None`, the client trusts the system's certificates.
pub fn config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, CaError> {
    let roots = ca.map_or_else(|| Ok(trusted_by_the_system()), trusted_by_file)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Returns the certificates that the system trusts. Unreadable certificates are left out. If no certificate
/// is left, this function does not fail. Instead, the client gets an error about an unknown authority when it
/// connects.
fn trusted_by_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(load_native_certs().certs);
    roots
}

fn trusted_by_file(path: &Path) -> Result<RootCertStore, CaError> {
    let path = || path.to_owned();
    let file = std::fs::read(path()).map_err(|source| CaError::Open { path: path(), source })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&file) {
        let certificate = certificate.map_err(|cause| CaError::Pem { path: path(), cause })?;
        roots.add(certificate).map_err(|source| CaError::Certificate { path: path(), source })?;
    }
    if roots.is_empty() {
        return Err(CaError::Pem { path: path(), cause: pem::Error::NoItemsFound });
    }
    Ok(roots)
}

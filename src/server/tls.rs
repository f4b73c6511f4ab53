//! TLS 1.2 and 1.3, with a certificate that may be replaced while the server runs.
//!
//! The server reads the certificate file and the key file again every second, and after each SIGHUP. If a
//! file has changed and the key matches the certificate, new connections use the new certificate. A new
//! certificate does not affect open connections. If the key does not match the certificate, for example
//! during a renewal, the old certificate stays in use.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use tcp_info::Acknowledgements;
use tokio::sync::Notify;
use tokio::{select, time};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use tracing::{info, warn};

use crate::hub::Duplex;

/// The time after which the certificate file and the key file are read again.
const RELOAD_PERIOD: Duration = Duration::from_secs(1);

/// An error in the setup of TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Only the certificate is configured, or only the key.
    #[error("TLS needs a certificate and its key, and only {given} is given")]
    Half {
        /// The name of the one setting that is configured.
        given: &'static str,
    },
    /// The certificate file or the key file cannot be read.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The certificate file contains no certificate, or the key file contains no key.
    #[error("{}: no {what} in PEM form", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The content that the file should have: a certificate or a key.
        what: &'static str,
        /// The cause.
        source: pem::Error,
    },
    /// The key does not belong to the certificate, or the server does not support this kind of key.
    #[error("{} does not fit {}", key.display(), certificate.display())]
    Mismatch {
        /// The path of the certificate file.
        certificate: PathBuf,
        /// The path of the key file.
        key: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
}

impl TlsError {
    /// Returns advice for the user on this error, if there is any advice.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Half { .. } => Some("give both, or neither for plain TCP: --tls-cert FILE --tls-key FILE"),
            Self::Open { .. } => Some("--tls-cert and --tls-key name files that can be read"),
            Self::Pem { .. } | Self::Mismatch { .. } => {
                Some("files begin with -----BEGIN, and the key is the one that the certificate was made for")
            }
        }
    }
}

/// The newest valid certificate and its key.
#[derive(Debug)]
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: Mutex<Arc<CertifiedKey>>,
    /// Wakes the task that reads the certificate file and the key file again.
    asked: Notify,
}

/// The contents of the certificate file and the key file.
type Contents = [Vec<u8>; 2];

impl Identity {
    /// Reads the certificate file and the key file. Returns `None` when neither file is configured.
    ///
    /// # Errors
    ///
    /// Returns an error if only one file is configured, a file cannot be read, or the key does not match the
    /// certificate.
    pub fn load(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<Arc<Self>>, TlsError> {
        let (certificate, key) = match (certificate, key) {
            (Some(certificate), Some(key)) => (certificate.to_owned(), key.to_owned()),
            (Some(_), None) => return Err(TlsError::Half { given: "server.tls_cert" }),
            (None, Some(_)) => return Err(TlsError::Half { given: "server.tls_key" }),
            (None, None) => return Ok(None),
        };
        let provider = Arc::new(ring::default_provider());
        let contents = [read(&certificate)?, read(&key)?];
        let current = Mutex::new(parse(&certificate, &key, &contents, &provider)?);
        Ok(Some(Arc::new(Self { certificate, key, provider, current, asked: Notify::new() })))
    }

    /// Returns an acceptor that does the TLS handshakes with the newest certificate.
    #[must_use]
    pub fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// Requests an immediate reload of the certificate file and the key file. If this reload fails, the
    /// failure is logged, even if the same failure was logged before.
    pub fn reload_soon(&self) {
        self.asked.notify_one();
    }

    /// Reads the certificate file and the key file again every second, and uses their contents if a file has
    /// changed. Returns only when the runtime shuts down.
    pub async fn reload_when_changed(self: Arc<Self>) {
        let mut known = None;
        loop {
            select! {
                () = time::sleep(RELOAD_PERIOD) => {}
                () = self.asked.notified() => known = None,
            }
            let this = Arc::clone(&self);
            let reloaded = tokio::task::spawn_blocking(move || {
                let outcome = this.reload(known.as_ref());
                (known, outcome)
            });
            // The blocking task was cancelled, because the runtime shuts down.
            let Ok((before, outcome)) = reloaded.await else { return };
            known = outcome.or(before);
        }
    }

    /// Reads the certificate file and the key file. Returns the contents of the files if they differ from
    /// `known`. Uses the new certificate and key if they are valid.
    fn reload(&self, known: Option<&Contents>) -> Option<Contents> {
        // A file that cannot be read counts as empty, so that a repeated failure is logged only once.
        let contents = [&self.certificate, &self.key].map(|path| fs::read(path).unwrap_or_default());
        if known == Some(&contents) {
            return None;
        }
        match parse(&self.certificate, &self.key, &contents, &self.provider) {
            Ok(new) => {
                let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                if current.cert != new.cert {
                    info!(certificate = %self.certificate.display(), "new connections get the new certificate");
                }
                *current = new;
            }
            Err(error) => warn!(%error, "cannot use the changed certificate; the old one stays in use"),
        }
        Some(contents)
    }
}

impl<S: Duplex> Duplex for TlsStream<S> {
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        self.get_ref().0.acknowledgements()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Open { path: path.to_owned(), source })
}

fn parse(
    certificate: &Path,
    key: &Path,
    [chain_pem, key_pem]: &Contents,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let bad = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, what, source }
    };
    let chain = CertificateDer::pem_slice_iter(chain_pem).collect::<Result<Vec<_>, _>>();
    let chain = chain
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(bad(certificate, "certificate"))?;
    let private = PrivateKeyDer::from_pem_slice(key_pem).map_err(bad(key, "private key"))?;
    let pair = CertifiedKey::from_der(chain, private, provider).map_err(|source| TlsError::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })?;
    Ok(Arc::new(pair))
}

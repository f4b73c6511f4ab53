//! TLS 1.2 and 1.3 in front of everything, with a certificate that may change while the server runs.
//!
//! Both files are looked at every so often; when either has changed and both go together, new
//! connections get the new certificate, and those that are open keep what they have. Files that do not go
//! together, as in the midst of a renewal, change nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use tcp_info::Acknowledgements;
use tokio::time;
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

/// How often the files are looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Only one of the two files is named.
    #[error("a certificate and its key go together, and only {given} is given")]
    Half {
        /// The key of the configuration that is given.
        given: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: no {what} in PEM form", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// The two do not go together, or are of a kind that is not known.
    #[error("{} does not fit {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

impl TlsError {
    /// What the reader can do about it, where that is known.
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

/// The certificate and its key, as they are now.
#[derive(Debug)]
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: Mutex<Arc<CertifiedKey>>,
}

/// What the two files hold.
type Contents = [Vec<u8>; 2];

impl Identity {
    /// Reads both files; `None` where neither is named.
    ///
    /// # Errors
    ///
    /// One of the two is missing, cannot be read, or does not fit the other.
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
        Ok(Some(Arc::new(Self { certificate, key, provider, current })))
    }

    /// What makes TLS of a socket.
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

    /// Looks at the files for ever, and takes them when they have changed.
    pub async fn follow(self: Arc<Self>) {
        let mut known = None;
        loop {
            time::sleep(LOOK_PERIOD).await;
            let this = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || {
                let outcome = this.reload(known.as_ref());
                (known, outcome)
            });
            // The runtime ends, and with it all of this.
            let Ok((before, outcome)) = looked.await else { return };
            known = outcome.or(before);
        }
    }

    /// Takes the files where they hold something else than was `known`, and returns what they hold then.
    fn reload(&self, known: Option<&Contents>) -> Option<Contents> {
        // A file that cannot be read is as good as an empty one, and is told as such once.
        let contents = [&self.certificate, &self.key].map(|path| fs::read(path).unwrap_or_default());
        if known == Some(&contents) {
            return None;
        }
        match parse(&self.certificate, &self.key, &contents, &self.provider) {
            Ok(new) => {
                let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                if current.cert != new.cert {
                    info!(certificate = %self.certificate.display(), "new connections get a new certificate");
                }
                *current = new;
            }
            Err(error) => warn!(%error, "the certificate has changed and is not taken"),
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

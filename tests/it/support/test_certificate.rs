//! Creates a new certificate for each test, and clients that trust this certificate.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tickerplant::config::Config;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ALL_VERSIONS, ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio_tungstenite::client_async;

use crate::support::test_server::TestServer;
use crate::support::websocket_client::{Client, Line};

/// A self-signed certificate for `localhost`.
pub struct Certificate {
    pub pem: String,
    pub key_pem: String,
    der: CertificateDer<'static>,
}

/// The certificate file and the key file that a server uses for TLS.
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    _folder: TempDir,
}

impl Certificate {
    pub fn new() -> Self {
        Self::from(CertificateParams::new(["localhost".to_owned()]).unwrap())
    }

    /// Does the client's side of a TLS handshake over a socket, with one of the TLS versions in `versions`.
    /// The client trusts only this certificate.
    pub async fn encrypt<S: Line>(
        &self,
        socket: S,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<TlsStream<S>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    }

    /// Connects a WebSocket client with TLS over this socket.
    pub async fn websocket<S: Line + 'static>(&self, socket: S, path: &str) -> Client {
        let socket = self.encrypt(socket, ALL_VERSIONS).await.unwrap();
        Client::new(client_async(format!("wss://localhost{path}"), Box::new(socket) as _).await.unwrap().0)
    }

    /// Connects a WebSocket client with TLS to this server.
    pub async fn connect(&self, server: &TestServer, path: &str) -> Client {
        self.websocket(server.open().await, path).await
    }
}

impl From<CertificateParams> for Certificate {
    fn from(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), key_pem: key.serialize_pem(), der: certificate.der().clone() }
    }
}

impl CertificateFiles {
    pub fn of(certificate: &Certificate) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Self {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
            _folder: folder,
        };
        fs::write(&files.certificate, &certificate.pem).unwrap();
        fs::write(&files.key, &certificate.key_pem).unwrap();
        files
    }

    /// Returns the configuration of a server that uses these files for TLS.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.server.tls_cert = Some(self.certificate.clone());
        config.server.tls_key = Some(self.key.clone());
        config
    }
}

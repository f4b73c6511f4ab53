//! Runs `nginx` or `haproxy` in front of a server, with the configuration that `docs/operations.md`
//! recommends.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tickerplant::config::Config;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ALL_VERSIONS;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};

use super::process::PATIENCE;
use super::test_certificate::Certificate;
use super::websocket_client::Client;

/// The public name of the server in the documented configurations.
pub const NAME: &str = "ticks.example";

/// The address from which clients connect. The address is not the proxy's own address, which is trusted.
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// The programs that the tests run as proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Nginx,
    Haproxy,
}

/// A running proxy, which ends TLS unless a change takes TLS out of its configuration.
pub struct ReverseProxy {
    address: SocketAddr,
    certificate: Certificate,
    _process: Child,
    _folder: TempDir,
}

/// Returns the first code block of this language in `docs/operations.md`, in the section about proxies.
pub fn documented(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("\n## Behind a proxy\n").expect("the document has the section");
    let (_, block) = section.split_once(&format!("```{language}\n")).expect("the section has the block");
    block.split_once("```").unwrap().0.to_owned()
}

/// Returns the configuration of a server behind a proxy, as `docs/operations.md` recommends it.
pub fn documented_config() -> Config {
    toml::from_str(&documented("toml")).unwrap()
}

impl Program {
    pub const ALL: [Self; 2] = [Self::Nginx, Self::Haproxy];

    const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// Returns the change to the documented configuration that takes TLS out of it.
    pub const fn without_tls(self) -> (&'static str, &'static str) {
        match self {
            Self::Nginx => ("listen 443 ssl", "listen 443"),
            Self::Haproxy => (" ssl crt ticks.pem", ""),
        }
    }

    /// Starts this program in front of a server. Each of the `changes` replaces a part of the documented
    /// configuration. Returns `None` and prints that the test is skipped if the program is not installed.
    pub async fn start(self, server: SocketAddr, changes: &[(&str, &str)]) -> Option<ReverseProxy> {
        if self.command().arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().await.is_err() {
            eprintln!("skipped, {} is not installed: a test behind a proxy", self.name());
            return None;
        }
        let certificate = Certificate::new();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("cert.pem"), &certificate.pem).unwrap();
        fs::write(file("key.pem"), &certificate.key_pem).unwrap();
        fs::write(file("ticks.pem"), format!("{}{}", certificate.pem, certificate.key_pem)).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (public, upstream) = (address.to_string(), server.to_string());
        let own = match self {
            Self::Nginx => [("listen 443", format!("listen {public}")), ("127.0.0.1:8000", upstream)],
            Self::Haproxy => [("bind :443", format!("bind {public}")), ("127.0.0.1:8000", upstream)],
        };
        let changes = changes.iter().map(|(old, new)| (*old, (*new).to_owned())).chain(own);
        let config = changes.fold(documented(self.name()), |config, (old, new)| {
            assert!(config.contains(old), "{old} is not in {config}");
            config.replace(old, &new)
        });
        fs::write(file("proxy.conf"), self.complete(&config)).unwrap();
        let log = File::create(file("log")).unwrap();
        let mut process = self
            .command()
            .args(match self {
                Self::Nginx => &["-e", "stderr", "-p", ".", "-c", "proxy.conf"][..],
                Self::Haproxy => &["-db", "-f", "proxy.conf"],
            })
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let started = async {
            while TcpStream::connect(address).await.is_err() {
                let log = || fs::read_to_string(file("log")).unwrap();
                assert!(process.try_wait().unwrap().is_none(), "{} has ended: {}", self.name(), log());
                yield_now().await;
            }
        };
        timeout(PATIENCE, started).await.expect("the proxy listens");
        Some(ReverseProxy { address, certificate, _process: process, _folder: folder })
    }

    fn command(self) -> Command {
        let mut command = Command::new(self.name());
        // The path of an ordinary user may lack the folder of servers.
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        command.kill_on_drop(true);
        command
    }

    /// Adds the settings that a single process in a temporary folder needs.
    fn complete(self, config: &str) -> String {
        match self {
            Self::Nginx => {
                let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
                let folders = folders.map(|name| format!("{name}_temp_path {name};\n")).concat();
                format!(
                    "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\n\
                     http {{\naccess_log off;\n{folders}{config}}}\n"
                )
            }
            Self::Haproxy => format!("global\n    nbthread 1\n\n{config}"),
        }
    }
}

impl ReverseProxy {
    /// Opens a connection with TLS from this address, which must be a loopback address.
    pub async fn open(&self, from: IpAddr) -> TlsStream<TcpStream> {
        self.certificate.encrypt(self.open_plain(from).await, ALL_VERSIONS).await.unwrap()
    }

    /// Opens a connection without TLS from this address, which must be a loopback address.
    pub async fn open_plain(&self, from: IpAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Connects a WebSocket client from this address, with additional headers.
    pub async fn connect(&self, from: IpAddr, path: &str, headers: &[(&str, &str)]) -> Result<Client, Error> {
        let mut request = format!("wss://{NAME}{path}").into_client_request()?;
        for (name, value) in headers {
            let name = name.parse::<HeaderName>().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let socket = Box::new(self.open(from).await);
        Ok(Client::new(client_async(request, socket as _).await?.0))
    }
}

//! The server: accepts connections, answers HTTP requests, and starts sessions.
//!
//! One loop [accepts](accept()) connections and hands each connection to the [worker](Worker) with the fewest
//! connections. A worker is a thread with a shard, a runtime and all tasks of its connections. A session runs
//! on the thread of its shard, from start to end. The library warp routes the requests. The server speaks
//! HTTP/1.0 and HTTP/1.1, but a WebSocket handshake needs HTTP/1.1.

mod accept;
mod admission;
mod answers;
mod app_state;
mod bars_api;
mod cluster_api;
mod compression;
mod connections;
mod contract_pages;
mod cross_origin;
mod dashboard;
mod data_api;
mod events_page;
mod feed_api;
mod guard;
mod handshake;
mod host;
mod info;
mod json_response;
mod last_values_page;
mod listen;
mod metrics;
mod networks;
mod origin;
pub mod readiness;
mod refusal_log;
mod request_socket;
mod request_timer;
mod routes;
mod session_response;
mod streams;
mod tls;
mod worker;
mod write_timeout;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::range::{self, Check, DAY, GIB};

pub use accept::{AcceptedSocket, Listener, Tcp, WorkerHandle, accept, worker_channel};
pub use admission::{Admission, Permit};
pub use app_state::AppState;
pub use contract_pages::ContractPages;
pub use dashboard::missing_dashboard;
pub use host::{Host, Hosts, NotAHost};
pub use info::Info;
pub use listen::{ListenError, bind, browser_url};
pub use metrics::Metrics;
pub use origin::{AllowedOrigin, NotAnOrigin, Origin, Origins};
pub use refusal_log::RefusalLog;
pub use tls::{Identity, TlsError};
pub use worker::Worker;

/// The settings of the server (`[server]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `HOST:PORT` to listen on, where HOST is an address or a name. If HOST is a name, the server listens on
    /// all addresses of the name. With port 0, the system picks a free port.
    pub listen: String,
    /// Whether the server may listen on a non-loopback address when no tokens are configured. Without tokens,
    /// every client has all permissions.
    pub allow_anonymous: bool,
    /// The file with the server's certificate chain, in PEM form. If a certificate and its key are
    /// configured, clients must use TLS.
    pub tls_cert: Option<PathBuf>,
    /// The file with the private key of the certificate, in PEM form.
    pub tls_key: Option<PathBuf>,
    /// Addresses or networks of trusted proxies. The `X-Forwarded-For` header from a trusted proxy contains
    /// the client's address.
    #[serde(with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// The hosts that the `Host` header of a request may contain. A server on a loopback address also accepts
    /// loopback hosts.
    pub allowed_hosts: Vec<Host>,
    /// The origins whose pages may use the server, in addition to the server's own origin.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// The number of threads that serve clients; 0 means one thread per core.
    pub shards: usize,
    /// The longest time for which the server collects updates before it writes them together. The server
    /// collects updates only if clients often get several updates within `flush_window`.
    #[serde(with = "humantime_serde")]
    pub flush_window: Duration,
    /// The maximum number of unsent bytes that the kernel buffers for a client (`TCP_NOTSENT_LOWAT`); 0 means
    /// the system's default.
    pub send_buffer: u32,
    /// The time limit for the TLS handshake; 0 means no limit.
    #[serde(with = "humantime_serde")]
    pub tls_timeout: Duration,
    /// The time limit for the headers of a request; 0 means no limit. The same limit also applies to the body
    /// of a request, and to each write of a response.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// How long a connection may stay idle between two requests; 0 means no limit.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// The maximum number of headers in a request; 0 means 10,000.
    pub max_headers: usize,
    /// The maximum length of the request line and the headers together, in bytes; 0 means 16 MiB.
    pub max_header_bytes: usize,
    /// How long a shutdown waits for clients to close their connections; 0 means no limit.
    #[serde(with = "humantime_serde")]
    pub shutdown: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            allow_anonymous: false,
            tls_cert: None,
            tls_key: None,
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            shards: 0,
            flush_window: Duration::from_millis(2),
            send_buffer: 64 * 1024,
            tls_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
            max_headers: 64,
            max_header_bytes: 16 * 1024,
            shutdown: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Returns a check of each address, path, number and time in these settings.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let is_path = |path: &Option<PathBuf>| path.as_deref().is_none_or(may_be_a_path);
        vec![
            range::text(
                "listen",
                "an address and a port, such as 127.0.0.1:8000 or [::1]:8000",
                is_host_and_port(&self.listen),
            ),
            range::text("tls_cert", "the path of a certificate in PEM form", is_path(&self.tls_cert)),
            range::text("tls_key", "the path of a private key in PEM form", is_path(&self.tls_key)),
            range::whole_number("shards", self.shards, 0..=1024),
            range::time("flush_window", self.flush_window, Duration::ZERO..=Duration::from_secs(1)),
            range::whole_number("send_buffer", self.send_buffer, 0..=GIB),
            range::time("tls_timeout", self.tls_timeout, Duration::ZERO..=DAY),
            range::time("header_timeout", self.header_timeout, Duration::ZERO..=DAY),
            range::time("keep_alive", self.keep_alive, Duration::ZERO..=DAY),
            range::whole_number("max_headers", self.max_headers, 0..=10_000),
            range::whole_number("max_header_bytes", self.max_header_bytes, 0..=1024 * 1024),
            range::time("shutdown", self.shutdown, Duration::ZERO..=DAY),
        ]
    }
}

/// Returns whether a text has the form HOST:PORT. An IPv6 address needs brackets, because the last group of
/// the address could otherwise be read as a port.
fn is_host_and_port(text: &str) -> bool {
    let is_name = |host: &str| {
        !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    text.parse::<SocketAddr>().is_ok()
        || text.rsplit_once(':').is_some_and(|(host, port)| is_name(host) && is_port(port))
}

/// Returns whether a configured text can be a path. Rejects the contents of a PEM file, which a user may set
/// by mistake.
fn may_be_a_path(path: &Path) -> bool {
    let text = path.to_string_lossy();
    !text.is_empty() && !text.contains(['\n', '\0']) && !text.contains("-----BEGIN")
}

//! The server: accepts connections, answers HTTP requests, and starts sessions.
//!
//! One loop [accepts](accept()) connections and hands each connection to the [worker](Worker) with the fewest
//! connections. A worker is a thread with a shard, a runtime and all tasks of its connections. A session runs
//! on the thread of its shard, from start to end. Warp routes the requests. The server speaks HTTP/1.1 only.

mod accept;
mod admission;
mod app_state;
mod connections;
mod cross_origin;
mod feed_api;
mod guard;
mod handshake;
mod host;
mod json_response;
mod metrics;
mod ndjson;
mod networks;
mod origin;
pub mod readiness;
mod refusal_log;
mod routes;
mod tls;
mod worker;
mod write_timeout;

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::range::{self, DAY, OutOfRange};

pub use accept::{AcceptedSocket, Listener, Tcp, WorkerHandle, accept, worker_channel};
pub use admission::{Admission, Permit};
pub use app_state::AppState;
pub use host::{Host, Hosts, NotAHost};
pub use metrics::Metrics;
pub use origin::{AllowedOrigin, NotAnOrigin, Origin, Origins};
pub use refusal_log::RefusalLog;
pub use tls::{Identity, TlsError};
pub use worker::Worker;

/// The settings of the server (`[server]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on; port 0 picks a free port.
    pub listen: String,
    /// Whether the server may listen on a non-loopback address without tokens. Every client that reaches the
    /// port may then do everything.
    pub allow_anonymous: bool,
    /// The certificate chain, in PEM form. If a certificate and its key are configured, clients must use TLS.
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM form.
    pub tls_key: Option<PathBuf>,
    /// Addresses or networks of trusted proxies, whose `X-Forwarded-For` header names the client.
    #[serde(with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Hosts under which the server answers, in addition to loopback hosts on a loopback address.
    pub allowed_hosts: Vec<Host>,
    /// Origins whose pages may use the server, in addition to the server's own origin.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// Number of threads that serve clients; 0 means one per core.
    pub shards: usize,
    /// How long updates are collected before they are written together. The first update after a pause is
    /// written at once.
    #[serde(with = "humantime_serde")]
    pub flush_window: Duration,
    /// Limit of unsent bytes that the kernel buffers for a client (`TCP_NOTSENT_LOWAT`); 0 means the system's
    /// default.
    pub send_buffer: u32,
    /// Time limit for the TLS handshake; 0 means no limit.
    #[serde(with = "humantime_serde")]
    pub tls_timeout: Duration,
    /// Time limit for the headers of a request, for its body, and for each write of the response; 0 means no
    /// limit.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// Maximum number of headers in a request; 0 means 10,000.
    pub max_headers: usize,
    /// Maximum length of the request line and the headers together, in bytes; 0 means 16 MiB.
    pub max_header_bytes: usize,
    /// How long a shutdown waits for clients to close; 0 means no limit.
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
            max_headers: 64,
            max_header_bytes: 16 * 1024,
            shutdown: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Checks that each value lies in its range.
    pub(crate) fn check(&self) -> Result<(), OutOfRange> {
        range::check("shards", self.shards, 0..=1024)?;
        range::check("flush_window", self.flush_window, Duration::ZERO..=Duration::from_secs(1))?;
        range::check("tls_timeout", self.tls_timeout, Duration::ZERO..=DAY)?;
        range::check("header_timeout", self.header_timeout, Duration::ZERO..=DAY)?;
        range::check("max_headers", self.max_headers, 0..=10_000)?;
        range::check("max_header_bytes", self.max_header_bytes, 0..=1024 * 1024)?;
        range::check("shutdown", self.shutdown, Duration::ZERO..=DAY)
    }
}

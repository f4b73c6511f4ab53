//! The server: an accept loop of our own before warp's routes, and sessions behind them.
//!
//! One loop [accepts](accept()) and hands each socket to the [worker](Worker) with the fewest connections. A worker is
//! a thread with a shard, a runtime and all tasks of its connections: a client's session never leaves
//! its shard's thread. HTTP/1.1 only.

mod accept;
mod admission;
mod answer;
mod app_state;
mod connection;
mod control;
mod handshake;
mod metrics;
mod patient;
pub mod ready;
mod routes;
mod stream;
mod tls;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::range::{self, DAY, OutOfRange};

pub use accept::{Arriving, Listener, Outlet, Tcp, accept, handover};
pub use admission::{Admission, Permit};
pub use app_state::AppState;
pub use handshake::Origins;
pub use metrics::Metrics;
pub use tls::{Identity, TlsError};
pub use worker::Worker;

/// The server (`[server]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen: an address and a port; port 0 picks a free one.
    pub listen: String,
    /// Whether to listen beyond this machine without tokens, where everybody who reaches the port may do everything.
    pub allow_anonymous: bool,
    /// The certificate of the server and those above it, in PEM form; with it and its key, clients speak TLS.
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM form.
    pub tls_key: Option<PathBuf>,
    /// Proxies, by address or network, whose `X-Forwarded-For` says whose a connection is.
    #[serde(with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may connect beside the server's own.
    pub allowed_origins: Vec<String>,
    /// Threads that serve clients; 0 for one a core.
    pub shards: usize,
    /// How long updates are collected before they are written; an update after a quiet moment goes out at once.
    #[serde(with = "humantime_serde")]
    pub flush_window: Duration,
    /// Bytes that the kernel takes for a client before they are under way (`TCP_NOTSENT_LOWAT`); 0 leaves it to the system.
    pub send_buffer: u32,
    /// How long a client may take for the TLS handshake; 0 for as long as it takes.
    #[serde(with = "humantime_serde")]
    pub tls_timeout: Duration,
    /// How long a client may take to send the headers of a request, to send its body, and to take something of the answer; 0
    /// for as long as it takes.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// How many headers it may send; 0 for no limit of ours.
    pub max_headers: usize,
    /// How many bytes they may have, the request line included; 0 for no limit of ours.
    pub max_header_bytes: usize,
    /// How long a shutdown waits for clients; 0 for as long as they take.
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

/// Networks in the configuration: an address alone is one too.
mod networks {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(networks)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
        let parse = |text: &String| {
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| {
                de::Error::custom(format_args!("`{text}` is no address and no network such as 10.0.0.0/8"))
            })
        };
        Vec::<String>::deserialize(deserializer)?.iter().map(parse).collect()
    }
}

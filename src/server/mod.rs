//! The server: an accept loop of our own before warp's routes, and sessions behind them.
//!
//! One loop [accepts](accept()) and hands each socket to the [worker](Worker) with the fewest connections. A worker is
//! a thread with a shard, a runtime and all tasks of its connections: a client's session never leaves
//! its shard's thread. HTTP/1.1 only.

mod accept;
mod handshake;
mod routes;
mod worker;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use accept::{Accepted, Arriving, Listener, Outlet, Tcp, accept, handover};
pub use handshake::Origins;
pub use routes::{Site, routes};
pub use worker::Worker;

/// The server (`[server]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen: an address and a port; port 0 picks a free one.
    pub listen: String,
    /// Whether to listen beyond this machine, where everybody who reaches the port may do everything.
    pub allow_anonymous: bool,
    /// Origins whose pages may connect beside the server's own.
    pub allowed_origins: Vec<String>,
    /// Threads that serve clients; 0 for one a core.
    pub shards: usize,
    /// How long updates are collected before they are written; an update after a quiet moment goes out at once.
    #[serde(with = "humantime_serde")]
    pub flush_window: Duration,
    /// Bytes that the kernel takes for a client before they are under way (`TCP_NOTSENT_LOWAT`); 0 leaves it to the system.
    pub send_buffer: u32,
    /// How long a client may take to send the headers of a request.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// How many headers it may send.
    pub max_headers: usize,
    /// How many bytes they may have; 8 KiB at the least.
    pub max_header_bytes: usize,
    /// How long a shutdown waits for clients.
    #[serde(with = "humantime_serde")]
    pub shutdown: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            allow_anonymous: false,
            allowed_origins: Vec::new(),
            shards: 0,
            flush_window: Duration::from_millis(2),
            send_buffer: 64 * 1024,
            header_timeout: Duration::from_secs(5),
            max_headers: 64,
            max_header_bytes: 16 * 1024,
            shutdown: Duration::from_secs(10),
        }
    }
}

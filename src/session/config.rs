//! The configuration of sessions: how clients are served, and their limits.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hub::Timeouts;
use crate::range::{self, DAY, MILLISECOND, OutOfRange};
use crate::wire::DecoderLimits;

/// How clients are served (`[session]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time between heartbeats. A heartbeat may come up to an eighth of this time early, to share a write
    /// with an update.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// Bytes of events and relayed messages that may be pending for one client. An `every` client that
    /// exceeds this is closed with 4008. So is any client whose relayed messages no longer fit. A replay at
    /// full speed does not close a client for pending events, but waits for it.
    pub every_buffer: usize,
    /// Time limit for closing a connection; 0 means no limit.
    #[serde(with = "humantime_serde")]
    pub close_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            every_buffer: 1024 * 1024,
            close_timeout: Duration::from_secs(2),
        }
    }
}

impl Config {
    /// Checks that each value lies in its range.
    pub(crate) fn check(&self) -> Result<(), OutOfRange> {
        range::check("heartbeat", self.heartbeat, MILLISECOND..=DAY)?;
        range::check("every_buffer", self.every_buffer, 1024..=1024 * 1024 * 1024)?;
        range::check("close_timeout", self.close_timeout, Duration::ZERO..=DAY)
    }
}

/// The limits of clients (`[limits]` in config.toml); 0 switches a limit off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections to the server; one more is answered with 503.
    pub connections: usize,
    /// Connections of one address, or of one IPv6 network of 64 bits; one more is answered with 429.
    pub per_address: usize,
    /// New connections per second of one address; one more is answered with 429.
    pub new_per_second: u32,
    /// New connections of one address in a burst.
    pub new_burst: NonZeroU32,
    /// Whether the limits by address apply to loopback addresses.
    pub loopback: bool,
    /// The longest message of a client, in bytes; a longer one closes the connection with 1009.
    pub message_bytes: usize,
    /// WebSocket frames of one message, empty ones included; one more closes the connection with 1008.
    pub fragments: usize,
    /// Time limit for a message from its first to its last byte; a slower one closes the connection with 1008.
    #[serde(with = "humantime_serde")]
    pub message_timeout: Duration,
    /// Control frames per second of one connection; one more closes the connection with 1008.
    pub control_rate: u32,
    /// Control frames of one connection in a burst.
    pub control_burst: NonZeroU32,
    /// Symbols to which one connection may subscribe; `*` counts as one.
    pub symbols: usize,
    /// Commands per second of one connection; one more is answered with `rate_limited`. A command counts once more for each
    /// 100 symbols that it names.
    pub command_rate: u32,
    /// Commands of one connection in a burst.
    pub command_burst: NonZeroU32,
    /// Time between pings.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// Time limit for a sign of life after a ping: a byte from the client, or an update that its machine
    /// acknowledges. A client that gives none is dropped.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let nonzero = |n| NonZeroU32::new(n).expect("the defaults are not zero");
        Self {
            connections: 10_000,
            per_address: 256,
            new_per_second: 50,
            new_burst: nonzero(256),
            loopback: false,
            message_bytes: 64 * 1024,
            fragments: 64,
            message_timeout: Duration::from_secs(10),
            control_rate: 10,
            control_burst: nonzero(50),
            symbols: 1000,
            command_rate: 20,
            command_burst: nonzero(100),
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Checks that each value lies in its range.
    pub(crate) fn check(&self) -> Result<(), OutOfRange> {
        range::check("message_timeout", self.message_timeout, Duration::ZERO..=DAY)?;
        range::check("ping_interval", self.ping_interval, Duration::ZERO..=DAY)?;
        range::check("ping_timeout", self.ping_timeout, Duration::ZERO..=DAY)
    }

    /// Returns the timeouts of a connection. `auth` is the time within which its client has to show a token.
    #[must_use]
    pub fn deadlines(&self, auth: Duration) -> Timeouts {
        Timeouts {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            message: self.message_timeout,
            auth,
        }
    }

    pub(super) fn inbound(&self) -> DecoderLimits {
        DecoderLimits { message_bytes: self.message_bytes, fragments: self.fragments }
    }
}

/// Returns the time limit. Zero switches a limit off; for zero this returns the longest possible time.
#[must_use]
pub const fn unless_zero(limit: Duration) -> Duration {
    if limit.is_zero() { Duration::MAX } else { limit }
}

//! How clients are served, and what they may do: the part of the configuration that sessions go by.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hub::Timeouts;
use crate::range::{self, DAY, MILLISECOND, OutOfRange};
use crate::wire::InboundLimits;

/// How a client is served (`[session]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time between heartbeats; one goes with an update up to an eighth of it early, where there is one.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// Bytes of events and relayed messages that may wait for one client: an `every` client past them is closed with 4008,
    /// and so is any client that leaves so much of what its peers say. A replay at full speed waits for its events instead.
    pub every_buffer: usize,
    /// How long a close may take; 0 for as long as it takes.
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

/// What clients may do (`[limits]` in config.toml); 0 switches a limit off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections to the server; one more is answered 503.
    pub connections: usize,
    /// Connections of one address (of an IPv6 network of 64 bits); one more is answered 429.
    pub per_address: usize,
    /// New connections a second of one address; one more is answered 429.
    pub new_per_second: u32,
    /// New connections that it may begin at once.
    pub new_burst: NonZeroU32,
    /// Whether the limits by address count loopback addresses as well.
    pub loopback: bool,
    /// The longest message that is read, in bytes; a longer one closes with 1009.
    pub message_bytes: usize,
    /// In how many frames a message may come, empty ones counted; one more closes with 1008.
    pub fragments: usize,
    /// Within what time a message that begins is to be whole; one that takes longer closes with 1008.
    #[serde(with = "humantime_serde")]
    pub message_timeout: Duration,
    /// Control frames a second of one connection; one more closes with 1008.
    pub control_rate: u32,
    /// Control frames that it may send at once.
    pub control_burst: NonZeroU32,
    /// Symbols of one connection; `*` counts as one.
    pub symbols: usize,
    /// Commands a second of one connection; one more is answered `rate_limited`. One that names many symbols counts once more
    /// for each 100 of them.
    pub command_rate: u32,
    /// Commands that it may send at once.
    pub command_burst: NonZeroU32,
    /// Time between pings.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// A client is gone when for so long after a ping no byte came from it and its machine acknowledged no update.
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

    /// What a connection has to do in time, beside showing a token within `auth`.
    #[must_use]
    pub fn deadlines(&self, auth: Duration) -> Timeouts {
        Timeouts {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            message: self.message_timeout,
            auth,
        }
    }

    pub(super) fn inbound(&self) -> InboundLimits {
        InboundLimits { message_bytes: self.message_bytes, fragments: self.fragments }
    }
}

/// A time limit, which zero switches off.
#[must_use]
pub const fn unless_zero(limit: Duration) -> Duration {
    if limit.is_zero() { Duration::MAX } else { limit }
}

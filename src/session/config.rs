//! The settings of sessions and the limits of clients, from the sections `[session]` and `[limits]` of
//! config.toml.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hub::Timeouts;
use crate::range::{self, Check, DAY, GIB, MILLION, MILLISECOND};
use crate::wire::DecoderLimits;

/// The settings of the sessions (`[session]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time between heartbeats. A heartbeat may be sent early, by up to an eighth of this time, so that one
    /// write carries the heartbeat and an update.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// Maximum size of the pending events and relayed messages for one client, in bytes. If the pending bytes
    /// of a client with `delivery=every` exceed this limit, the server closes the connection with the code
    /// 4008. A relayed message that would exceed the limit closes the connection with 4008 under either
    /// delivery policy. During a replay at full speed, pending events never close a client, because the
    /// replay waits for slow clients.
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
    /// Returns the range check of each setting.
    pub(crate) fn checks(&self) -> Vec<Check> {
        vec![
            range::time("heartbeat", self.heartbeat, MILLISECOND..=DAY),
            range::whole_number("every_buffer", self.every_buffer, 1024..=GIB as usize),
            range::time("close_timeout", self.close_timeout, Duration::ZERO..=DAY),
        ]
    }
}

/// The limits of clients (`[limits]` in config.toml); 0 switches a limit off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Maximum number of connections to the server; a further connection is answered with 503.
    pub connections: usize,
    /// Maximum number of connections from one address or one IPv6 /64 network; a further connection is
    /// answered with 429.
    pub per_address: usize,
    /// Maximum rate of new connections from one address, per second; a further connection is answered with
    /// 429.
    pub new_per_second: u32,
    /// Maximum number of new connections from one address in a burst.
    pub new_burst: NonZeroU32,
    /// Whether the limits on connections from one address also apply to loopback addresses.
    pub loopback: bool,
    /// Maximum length of a client's message, in bytes; a longer message closes the connection with 1009.
    pub message_bytes: usize,
    /// Maximum number of WebSocket frames in one message, including empty frames; a further frame closes the
    /// connection with 1008.
    pub fragments: usize,
    /// Time limit for receiving a message, from its first byte to its last; a slower message closes the
    /// connection with 1008.
    #[serde(with = "humantime_serde")]
    pub message_timeout: Duration,
    /// Maximum rate of control frames of one connection, per second; a further frame closes the connection
    /// with 1008.
    pub control_rate: u32,
    /// Maximum number of control frames of one connection in a burst.
    pub control_burst: NonZeroU32,
    /// Maximum number of symbols that one connection may subscribe to; `*` counts as one symbol.
    pub symbols: usize,
    /// Maximum rate of commands of one connection, per second; a further command is answered with
    /// `rate_limited`. A command counts once, and once more for every 100 of its symbols.
    pub command_rate: u32,
    /// Maximum number of commands of one connection in a burst.
    pub command_burst: NonZeroU32,
    /// Time between pings.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// Time limit for a sign of life after a ping; a silent client is dropped. A sign of life is a byte from
    /// the client, or a TCP acknowledgement of an update.
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
    /// Returns the range check of each number and each time limit.
    pub(crate) fn checks(&self) -> Vec<Check> {
        const COUNT: usize = MILLION as usize;
        vec![
            range::whole_number("connections", self.connections, 0..=COUNT),
            range::whole_number("per_address", self.per_address, 0..=COUNT),
            range::whole_number("new_per_second", self.new_per_second, 0..=MILLION),
            range::whole_number("new_burst", self.new_burst.get(), 1..=MILLION),
            range::whole_number("message_bytes", self.message_bytes, 0..=GIB as usize),
            range::whole_number("fragments", self.fragments, 0..=COUNT),
            range::time("message_timeout", self.message_timeout, Duration::ZERO..=DAY),
            range::whole_number("control_rate", self.control_rate, 0..=MILLION),
            range::whole_number("control_burst", self.control_burst.get(), 1..=MILLION),
            range::whole_number("symbols", self.symbols, 0..=COUNT),
            range::whole_number("command_rate", self.command_rate, 0..=MILLION),
            range::whole_number("command_burst", self.command_burst.get(), 1..=MILLION),
            range::time("ping_interval", self.ping_interval, Duration::ZERO..=DAY),
            range::time("ping_timeout", self.ping_timeout, Duration::ZERO..=DAY),
        ]
    }

    /// Returns the timeouts of a connection. `auth` is the time limit for showing a token.
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

/// Returns `limit`. If `limit` is zero, which means no limit, returns the longest possible duration.
#[must_use]
pub const fn unless_zero(limit: Duration) -> Duration {
    if limit.is_zero() { Duration::MAX } else { limit }
}

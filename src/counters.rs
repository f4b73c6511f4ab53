//! What is counted, for `/metrics`: how often each limit has struck, why connections closed, and more of the kind.
//!
//! A bus has one counters, and every stage counts there. Labels are names of ours: nothing that a client or a
//! file says becomes one.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters that differ in one label.
pub type LabelledCounters = Family<[(&'static str, &'static str); 1], Counter>;

/// A limit that strikes clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `limits.connections`: one more is answered 503.
    Connections,
    /// `limits.per_address`: one more is answered 429.
    PerAddress,
    /// `limits.new_per_second`: one sooner is answered 429.
    NewPerSecond,
    /// `server.tls_timeout`: a later handshake is dropped.
    TlsTimeout,
    /// `server.header_timeout`: later headers are not waited for, nor a client that does not take its answer.
    HeaderTimeout,
    /// `server.max_headers` and `server.max_header_bytes`: more are answered 431.
    Headers,
    /// `auth.timeout`: a later token finds the connection closed with 1008.
    AuthTimeout,
    /// `limits.message_bytes`: a longer message closes with 1009.
    MessageBytes,
    /// `limits.fragments`: a message in more parts closes with 1008.
    Fragments,
    /// `limits.message_timeout`: a message that takes longer closes with 1008.
    MessageTimeout,
    /// `limits.control_rate`: more control frames close with 1008.
    ControlRate,
    /// `limits.command_rate`: a command more is answered `rate_limited`.
    CommandRate,
    /// `limits.symbols`: a subscribe to more is answered `too_many_symbols`.
    Symbols,
    /// `limits.ping_timeout`: a client that has not been heard of for longer is dropped.
    PingTimeout,
    /// `session.close_timeout`: a close that takes longer is broken off.
    CloseTimeout,
    /// `session.every_buffer`: a client for which more waits is closed with 4008.
    EveryBuffer,
    /// `feed.replay.stall_timeout`: a client that stands still for longer while a replay waits for it is closed with 4008.
    StallTimeout,
    /// `bus.history` and `bus.history_bytes`: who comes back from further away gets a gap, or is closed with 4008.
    History,
    /// `relay.max_bytes`: a longer message is answered `message_too_long`.
    RelayBytes,
    /// `relay.rate`: a message more is answered `rate_limited`.
    RelayRate,
    /// `relay.total_bytes`: a message more is answered `rate_limited`.
    RelayTotal,
    /// `server.shutdown`: a client that takes longer is dropped.
    Shutdown,
}

impl Limit {
    const ALL: [Self; 22] = [
        Self::Connections,
        Self::PerAddress,
        Self::NewPerSecond,
        Self::TlsTimeout,
        Self::HeaderTimeout,
        Self::Headers,
        Self::AuthTimeout,
        Self::MessageBytes,
        Self::Fragments,
        Self::MessageTimeout,
        Self::ControlRate,
        Self::CommandRate,
        Self::Symbols,
        Self::PingTimeout,
        Self::CloseTimeout,
        Self::EveryBuffer,
        Self::StallTimeout,
        Self::History,
        Self::RelayBytes,
        Self::RelayRate,
        Self::RelayTotal,
        Self::Shutdown,
    ];

    /// Its label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::PerAddress => "per_address",
            Self::NewPerSecond => "new_per_second",
            Self::TlsTimeout => "tls_timeout",
            Self::HeaderTimeout => "header_timeout",
            Self::Headers => "headers",
            Self::AuthTimeout => "auth_timeout",
            Self::MessageBytes => "message_bytes",
            Self::Fragments => "fragments",
            Self::MessageTimeout => "message_timeout",
            Self::ControlRate => "control_rate",
            Self::CommandRate => "command_rate",
            Self::Symbols => "symbols",
            Self::PingTimeout => "ping_timeout",
            Self::CloseTimeout => "close_timeout",
            Self::EveryBuffer => "every_buffer",
            Self::StallTimeout => "stall_timeout",
            Self::History => "history",
            Self::RelayBytes => "relay_bytes",
            Self::RelayRate => "relay_rate",
            Self::RelayTotal => "relay_total",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The counts of one bus and its clients.
#[derive(Debug)]
pub struct Counters {
    limits: LabelledCounters,
    /// How often the log has passed a reader.
    pub lags: Counter,
    /// How often a shard conflated because it could not send every event in time.
    pub overloads: Counter,
    /// Clients that were sent all that they had missed.
    pub resumed: Counter,
    /// Messages of clients that went to their peers.
    pub relayed: Counter,
    /// Sessions that ended in a fault of ours.
    pub panics: Counter,
}

impl Default for Counters {
    fn default() -> Self {
        let limits = LabelledCounters::default();
        for limit in Limit::ALL {
            // It is there from the start, with 0.
            drop(limits.get_or_create(&[("limit", limit.name())]));
        }
        Self {
            limits,
            lags: Counter::default(),
            overloads: Counter::default(),
            resumed: Counter::default(),
            relayed: Counter::default(),
            panics: Counter::default(),
        }
    }
}

impl Counters {
    /// Counts that a limit has struck.
    pub fn increment(&self, limit: Limit) {
        self.limits.get_or_create(&[("limit", limit.name())]).inc();
    }

    /// How often a limit has struck.
    #[must_use]
    pub fn count_of(&self, limit: Limit) -> u64 {
        self.limits.get_or_create(&[("limit", limit.name())]).get()
    }

    /// Names the counts for whoever asks.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("limit_strikes", "How often a limit has struck", self.limits.clone());
        registry.register("lags", "How often the history has passed a shard", self.lags.clone());
        let help = "How often a shard conflated because it could not send every event in time";
        registry.register("overloads", help, self.overloads.clone());
        registry.register("resumed", "Clients that were sent all that they had missed", self.resumed.clone());
        registry.register("relayed", "Messages of clients that went to their peers", self.relayed.clone());
        registry.register("panics", "Sessions that ended in a fault of the server's", self.panics.clone());
    }
}

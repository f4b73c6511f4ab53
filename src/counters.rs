//! Counters for `/metrics`: how often clients exceeded each limit, how often readers lagged, how old updates
//! are when they are sent, and more.
//!
//! Each bus has one set of [`Counters`]. Text from a client or a file never becomes a label of a metric, so
//! that clients cannot create new metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The counters of one metric, with one counter for each value of the metric's label.
pub type LabelledCounters = Family<[(&'static str, &'static str); 1], Counter>;

/// The upper bounds of the histogram of data ages, in seconds.
const DATA_AGE_BOUNDS: [f64; 14] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// A limit that clients can exceed. [`Counters`] has one counter for each limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `limits.connections`: a connection beyond this number is answered with status 503.
    Connections,
    /// `limits.per_address`: a connection beyond this number from one address is answered with status 429.
    PerAddress,
    /// `limits.new_per_second`: a new connection beyond this rate from one address is answered with status
    /// 429.
    NewPerSecond,
    /// `server.tls_timeout`: a connection whose TLS handshake takes longer than this time is dropped.
    TlsTimeout,
    /// `server.header_timeout`: a connection is dropped if the headers of a request arrive too late, or if a
    /// write to the client takes too long.
    HeaderTimeout,
    /// `server.max_headers` and `server.max_header_bytes`: a request whose headers exceed one of these limits
    /// is answered with status 431.
    Headers,
    /// `auth.timeout`: a client that shows no token within this time is closed with code 1008.
    AuthTimeout,
    /// `limits.message_bytes`: a client that sends a message longer than this limit is closed with code 1009.
    MessageBytes,
    /// `limits.fragments`: a client that sends a message in more fragments than this limit is closed with
    /// code 1008.
    Fragments,
    /// `limits.message_timeout`: a client whose message takes longer than this time to arrive is closed with
    /// code 1008.
    MessageTimeout,
    /// `limits.control_rate`: a client that sends control frames faster than this rate is closed with code
    /// 1008.
    ControlRate,
    /// `limits.command_rate`: a command beyond this rate is answered with `rate_limited`.
    CommandRate,
    /// `limits.symbols`: a subscribe command that would exceed this number of symbols is answered with
    /// `too_many_symbols`.
    Symbols,
    /// `limits.ping_timeout`: a client that shows no sign of life within this time after a ping is dropped.
    PingTimeout,
    /// `session.close_timeout`: a connection that takes longer than this time to close is dropped.
    CloseTimeout,
    /// `session.every_buffer`: a client is closed with code 4008 if more bytes than this limit are pending
    /// for the client.
    EveryBuffer,
    /// `feed.replay.stall_timeout`: a client that keeps a replay waiting is closed with code 4008 if the
    /// client makes too little progress within this time.
    StallTimeout,
    /// `bus.history` and `bus.history_bytes`: if a client needs events that are no longer in the log, the
    /// client gets a `gap` frame or is closed with code 4008.
    History,
    /// `relay.max_bytes`: a client's message to its peers is answered with `message_too_long` if the message
    /// is longer than this limit.
    RelayBytes,
    /// `relay.rate`: if one client sends messages to peers faster than this rate, further messages are
    /// answered with `rate_limited`.
    RelayRate,
    /// `relay.total_bytes`: if all clients together send bytes to peers faster than this rate, further
    /// messages are answered with `rate_limited`.
    RelayTotal,
    /// `server.shutdown`: during the shutdown, a connection that takes longer than this time to close is
    /// dropped.
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

    /// Returns the name of the limit, which is also the label of the limit's counter.
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

/// The counters of one bus and its clients.
#[derive(Debug)]
pub struct Counters {
    limits: LabelledCounters,
    /// How often the log had already evicted a reader's next entry when the reader tried to read it.
    pub lags: Counter,
    /// How often a shard conflated events, because the shard could not send every event in time. A shard is a
    /// thread that serves connections.
    pub overloads: Counter,
    /// How many clients resumed and received all events that they had missed.
    pub resumed: Counter,
    /// How many messages were relayed from a client to its peers.
    pub relayed: Counter,
    /// How many client sessions ended in a panic.
    pub panics: Counter,
    /// The data age in seconds: the time from the publication of an update until a client's socket has accepted
    /// the update.
    pub data_age: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        let limits = LabelledCounters::default();
        for limit in Limit::ALL {
            // The call creates the counter, so that `/metrics` lists each limit with 0 from the start.
            drop(limits.get_or_create(&[("limit", limit.name())]));
        }
        Self {
            limits,
            lags: Counter::default(),
            overloads: Counter::default(),
            resumed: Counter::default(),
            relayed: Counter::default(),
            panics: Counter::default(),
            data_age: Histogram::new(DATA_AGE_BOUNDS),
        }
    }
}

impl Counters {
    /// Increments the counter of a limit that a client exceeded.
    pub fn increment(&self, limit: Limit) {
        self.limits.get_or_create(&[("limit", limit.name())]).inc();
    }

    /// Returns how often clients exceeded a limit.
    #[must_use]
    pub fn count_of(&self, limit: Limit) -> u64 {
        self.limits.get_or_create(&[("limit", limit.name())]).get()
    }

    /// Registers the counters, so that they appear at `/metrics`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("limit_strikes", "How often clients exceeded a limit", self.limits.clone());
        registry.register(
            "lags",
            "How often the history has passed a shard or the reader of the bars",
            self.lags.clone(),
        );
        let help = "How often a shard conflated because it could not send every event in time";
        registry.register("overloads", help, self.overloads.clone());
        registry.register("resumed", "Clients that were sent all that they had missed", self.resumed.clone());
        registry.register(
            "relayed",
            "Messages of clients that were relayed to their peers",
            self.relayed.clone(),
        );
        registry.register("panics", "Sessions that ended in a panic", self.panics.clone());
        let help = "Time from the publication of an update until a client's socket has accepted it, sampled";
        registry.register_with_unit("data_age", help, Unit::Seconds, self.data_age.clone());
    }
}

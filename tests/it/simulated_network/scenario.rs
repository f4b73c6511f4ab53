//! The scenario that belongs to a seed: the server's limits, the market, the clients' habits, and the
//! disturbances.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tickerplant::config::Config;
use tickerplant::market::{Bar, Event, Payload, Quote, Trade};

use super::published_log::{KINDS, PublishedEvent, Subscription};

/// The length of the first phase of a run, in which disturbances happen.
pub const DISTURBED: Duration = Duration::from_secs(6);

/// How long events are still published after the disturbances have ended.
const AFTERMATH: Duration = Duration::from_millis(1500);

/// The server's ping interval in scenarios with frequent pings.
const PING_INTERVAL: Duration = Duration::from_millis(640);

/// While nothing disturbs a client, each event must arrive at the client within this time. This time begins
/// when the event is published, or when the event's conflation interval ends.
pub const MAX_DELAY: Duration = Duration::from_millis(200);

/// How long the clients may take to catch up after the last event has been published.
const CATCH_UP: Duration = Duration::from_secs(12);

/// The names of the first symbols in the market. A larger market also has symbols such as `S008`.
const SYMBOLS: [&str; 8] = ["AAPL", "BRK.B", "BTC/USD", "EURUSD", "MSFT", "NIFTY_50", "^GSPC", "Ä1"];

/// The scenario of one run: its settings and its disturbances.
pub struct Scenario {
    pub seed: u64,
    pub config: Config,
    /// How many bytes each socket of the server accepts in one write.
    pub write_bytes: usize,
    pub market: Market,
    pub clients: Vec<Habits>,
    /// Each disturbance and the time at which it happens, in order of time.
    pub disturbances: Vec<(Duration, Disturbance)>,
}

/// The settings of the simulated market, which publishes the events.
pub struct Market {
    seed: u64,
    symbols: usize,
    /// The longest pause between two steps of the market, in units of 2 ms.
    pause: u64,
    /// The average number of floods in a thousand steps of the market. In a flood, very many events are
    /// published at once.
    floods: u32,
    /// The smallest and the greatest number of events in a flood.
    flood: RangeInclusive<usize>,
    /// The greatest number of events that are published together as a batch.
    batch: usize,
    /// The average number of feed states in a thousand steps of the market.
    feed_states: u32,
    /// The average number of seeks in a thousand steps of the market.
    seeks: u32,
}

/// The habits of a client: its subscription, its delivery, and how often it does something unusual.
#[derive(Clone, Debug)]
pub struct Habits {
    pub seed: u64,
    pub wanted: Subscription,
    pub every: bool,
    pub interval_ms: u64,
    /// How often the client stops reading for a while, per thousand received frames on average.
    pub pauses: u32,
    /// How often the client disconnects, per thousand received frames on average.
    pub leaves: u32,
    /// How often the client changes its delivery, per thousand received frames on average.
    pub changes: u32,
    /// How often the client subscribes to more symbols, per thousand received frames on average.
    pub subscribes: u32,
    /// The number of symbols in the market.
    symbols: usize,
}

/// The beginning or the end of a disturbance. If the disturbance affects one client, the first field is the
/// client's number.
#[derive(Clone, Copy, Debug)]
pub enum Disturbance {
    /// All messages between the client and the server wait in the network until `Release`.
    Hold(usize),
    Release(usize),
    /// All messages between the client and the server are lost, in both directions.
    Partition(usize),
    /// All messages from the client to the server are lost.
    DropFromClient(usize),
    /// All messages from the server to the client are lost.
    DropToClient(usize),
    Repair(usize),
    /// The greatest latency of the client's link changes to an unusual value.
    Slow(usize, Duration),
    /// The greatest latency of the client's link returns to its usual value.
    UsualLatency(usize, Duration),
    /// The latency of the client's link becomes constant.
    FixedLatency(usize, Duration),
    Crash(usize),
    Restart(usize),
    /// The client's machine disappears without closing its connections.
    Vanish(usize),
    CrashServer,
    /// The server begins an orderly shutdown.
    StopServer,
    RestartServer,
    /// The server's process is suspended while the clock keeps running.
    StopProcess,
    ContinueProcess,
}

impl Disturbance {
    /// Returns the number of the affected client, and whether the step ends the client's disturbance. Returns
    /// `None` if the step affects the server.
    pub fn client(self) -> Option<(usize, bool)> {
        match self {
            Self::Hold(client)
            | Self::Partition(client)
            | Self::DropFromClient(client)
            | Self::DropToClient(client)
            | Self::Slow(client, _)
            | Self::Crash(client)
            | Self::Vanish(client) => Some((client, false)),
            Self::Release(client)
            | Self::Repair(client)
            | Self::UsualLatency(client, _)
            | Self::FixedLatency(client, _)
            | Self::Restart(client) => Some((client, true)),
            Self::CrashServer
            | Self::StopServer
            | Self::RestartServer
            | Self::StopProcess
            | Self::ContinueProcess => None,
        }
    }
}

impl Scenario {
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut config = config(&mut rng);
        let is_large = rng.random_ratio(1, 3);
        let symbols = if is_large { rng.random_range(350..450) } else { rng.random_range(1..=SYMBOLS.len()) };
        let floods = pick(&mut rng, [0, 5, 20]);
        let flood = (config.bus.history.get() * 3).min(1500);
        let stops_process = rng.random_ratio(1, 4);
        // With few events, only answers to pings show the server that a client is alive. The server must not
        // count the time in which its process was stopped as silence of a client.
        let pause = if stops_process { pick(&mut rng, [20, 400]) } else { pick(&mut rng, [5, 10, 20, 40]) };
        let feed_states = pick(&mut rng, [0, 20]);
        let seeks = pick(&mut rng, [0, 4]);
        let mut market =
            Market { seed, symbols, pause, floods, flood: 1..=flood, batch: flood, feed_states, seeks };
        let count = rng.random_range(2..=if is_large { 3 } else { 6 });
        let mut clients: Vec<_> = (0..count).map(|_| Habits::new(&mut rng, symbols)).collect();
        if stops_process {
            // With a flush window, several timers would be due together when the process continues. tokio
            // would choose their order at random.
            config.server.flush_window = Duration::ZERO;
            config.limits.ping_interval = PING_INTERVAL;
            clients[count - 1].pauses = 0;
        }
        let vanishes = rng.random_ratio(1, 2) && config.limits.ping_interval == PING_INTERVAL;
        let disturbances = disturbances(&mut rng, count, stops_process, vanishes);
        let mut write_bytes = if is_large {
            pick(&mut rng, [100, 300, 1000])
        } else {
            pick(&mut rng, [64, 200, 1000, 1 << 20])
        };
        if !stops_process && rng.random_ratio(1, 3) {
            overload(&mut rng, &mut config, &mut market);
            // This client keeps up, so conflated events are flushed to it at once.
            clients[0] = Habits { every: false, interval_ms: 0, pauses: 0, ..clients[0].clone() };
            write_bytes = pick(&mut rng, [1000, 1 << 20, 1 << 20]);
        }
        Self { seed, config, write_bytes, market, clients, disturbances }
    }

    /// Returns the time at which the effects of all disturbances have ended. At that time, no client pauses
    /// any more, and all delayed messages have arrived.
    pub fn calm_at() -> Duration {
        DISTURBED + Duration::from_millis(500)
    }

    /// Returns the time after which the market publishes no more events.
    pub fn quiet_at() -> Duration {
        DISTURBED + AFTERMATH
    }

    /// Returns the time by which the server must have closed the connection of a client that vanished at the
    /// time `at`.
    ///
    /// The vanished client may first become a slow consumer, and the close of its connection then takes up to
    /// `close_timeout`. The server's process may also be suspended once before it closes the connection.
    pub fn closed_by(&self, at: Duration) -> Duration {
        let Config { limits, session, .. } = &self.config;
        at + limits.ping_interval + limits.ping_timeout + session.close_timeout + Duration::from_millis(1500)
    }

    /// Returns the time by which all clients must have caught up.
    pub fn ends_at() -> Duration {
        Self::quiet_at() + CATCH_UP
    }
}

/// Returns the server's configuration. Its limits are so small that a run can reach them.
fn config(rng: &mut impl Rng) -> Config {
    let mut config = Config::default();
    // With this heartbeat the server checks its clients every 10 ms. Events are published at odd
    // milliseconds. If a check and an event were due together, tokio would choose their order at random,
    // without the seed.
    config.session.heartbeat = Duration::from_millis(640);
    config.session.close_timeout = Duration::from_millis(pick(rng, [100, 500, 2000]));
    config.session.every_buffer = pick(rng, [1500, 5000, 20_000, 1 << 20]);
    config.server.flush_window = Duration::from_millis(pick(rng, [0, 2, 4]));
    config.server.header_timeout = Duration::from_secs(1);
    config.server.shutdown = Duration::from_millis(500);
    config.bus.history = pick(rng, [20, 100, 500, 5000]).try_into().expect("it is not zero");
    config.limits.ping_interval =
        pick(rng, [Duration::ZERO, PING_INTERVAL, PING_INTERVAL, Duration::from_secs(20)]);
    config.limits.ping_timeout = Duration::from_millis(320);
    // These limits are off, because the clients connect and send commands often.
    config.limits.per_address = 0;
    config.limits.new_per_second = 0;
    config.limits.command_rate = 0;
    config
}

/// Changes the scenario so that the shard is overloaded at times. The shard reads the log so rarely that a
/// flood of events fills the log and waits in the log for a long time.
///
/// In one turn (one pass of its loop), the shard reads the log up to a feed state, or reads a full batch of
/// events. The unread rest of a flood then overloads the shard. The shard's turns take no simulated time, so
/// that several timers are never due together. If several timers were due together, tokio would choose their
/// order at random, without the seed.
fn overload(rng: &mut impl Rng, config: &mut Config, market: &mut Market) {
    let history = pick(rng, [100, 500, 2000]);
    config.bus.history = history.try_into().expect("it is not zero");
    // Each step is at an odd millisecond. The window is an even number of milliseconds. So a window that
    // begins with a step also ends at an odd millisecond.
    config.server.flush_window = Duration::from_millis(pick(rng, [40, 60]));
    market.pause = 10;
    market.feed_states = 300;
    market.floods = 30;
    market.flood = history * 3 / 4..=history;
    market.batch = history / 32;
}

impl Habits {
    fn new(rng: &mut impl Rng, symbols: usize) -> Self {
        let all = rng.random_bool(if symbols > SYMBOLS.len() { 0.7 } else { 0.4 });
        // Some of these symbols get values later or never.
        let mut names = some_symbols(rng, symbols);
        if all && rng.random_bool(0.7) {
            names.clear();
        } else if !all && names.is_empty() {
            names.push(symbol(rng.random_range(0..symbols)));
        }
        let mut kinds: Vec<usize> = (0..KINDS.len()).collect();
        if rng.random_bool(0.3) {
            kinds = vec![rng.random_range(0..KINDS.len())];
        }
        let every = rng.random_bool(0.5);
        Self {
            seed: rng.random(),
            wanted: Subscription { all, names, kinds },
            every,
            interval_ms: pick(rng, [0, 0, 50, 300]),
            pauses: pick(rng, [0, 0, 10, 40]),
            leaves: pick(rng, [0, 2, 10]),
            changes: pick(rng, [0, 0, 5, 20]),
            subscribes: pick(rng, [0, 0, 5, 20]),
            symbols,
        }
    }

    /// Returns a random subscription with which the client subscribes to more symbols.
    pub fn more(&self, rng: &mut impl Rng) -> Subscription {
        let all = rng.random_bool(0.3);
        let mut names = some_symbols(rng, self.symbols);
        if !all && names.is_empty() {
            names.push(symbol(rng.random_range(0..self.symbols)));
        }
        Subscription { all, names, kinds: self.wanted.kinds.clone() }
    }
}

fn symbol(number: usize) -> String {
    SYMBOLS.get(number).map_or_else(|| format!("S{number:03}"), |name| (*name).to_owned())
}

/// Returns the names of random symbols, sorted as in the server's answers. Some of these symbols may not be
/// in the market.
fn some_symbols(rng: &mut impl Rng, symbols: usize) -> Vec<String> {
    let mut names: Vec<String> = (0..symbols.max(SYMBOLS.len())).map(symbol).collect();
    names.retain(|_| rng.random_bool(1.0 / 3.0));
    names.sort_unstable();
    names
}

fn disturbances(
    rng: &mut impl Rng,
    clients: usize,
    stops_process: bool,
    vanishes: bool,
) -> Vec<(Duration, Disturbance)> {
    let mut disturbances = Vec::new();
    let millis = |rng: &mut _, range| Duration::from_millis(RngExt::random_range(rng, range));
    for client in 0..clients {
        let latency = millis(rng, 1..40);
        disturbances.push((Duration::ZERO, Disturbance::UsualLatency(client, latency)));
        if stops_process && client + 1 == clients {
            // Only the stopped process disturbs this client. The high latency delays its answers to pings.
            disturbances.push((Duration::ZERO, Disturbance::FixedLatency(client, millis(rng, 90..120))));
            continue;
        }
        let mut now = millis(rng, 200..1500);
        while now < DISTURBED {
            if vanishes && client == 0 && now > DISTURBED / 4 {
                disturbances.push((now, Disturbance::Vanish(client)));
                break;
            }
            let (begin, end) = match rng.random_range(0..7) {
                0 | 1 => (Disturbance::Hold(client), Disturbance::Release(client)),
                2 => (Disturbance::Partition(client), Disturbance::Repair(client)),
                3 => (Disturbance::DropFromClient(client), Disturbance::Repair(client)),
                4 => (Disturbance::DropToClient(client), Disturbance::Repair(client)),
                5 => (Disturbance::Crash(client), Disturbance::Restart(client)),
                _ => (
                    Disturbance::Slow(client, millis(rng, 1..300)),
                    Disturbance::UsualLatency(client, latency),
                ),
            };
            let end_at = (now + millis(rng, 20..2500)).min(DISTURBED);
            disturbances.extend([(now, begin), (end_at, end)]);
            now = end_at + millis(rng, 50..2000);
        }
    }
    if rng.random_bool(0.5) {
        let mut now = millis(rng, 1000..5000);
        while now < DISTURBED {
            let begin = if rng.random_bool(0.6) { Disturbance::CrashServer } else { Disturbance::StopServer };
            let end = (now + millis(rng, 600..1000)).min(DISTURBED);
            disturbances.extend([(now, begin), (end, Disturbance::RestartServer)]);
            now = end + millis(rng, 500..6000);
        }
    }
    if stops_process {
        let mut now = millis(rng, 500..3000);
        // A stop is long enough that the server notices it, and short enough that the clients do not give up.
        let longest = 1200;
        while now + Duration::from_millis(longest) < DISTURBED {
            let end = now + millis(rng, 1050..longest);
            disturbances.extend([(now, Disturbance::StopProcess), (end, Disturbance::ContinueProcess)]);
            now = end + millis(rng, 1500..4000);
        }
    }
    disturbances.sort_by_key(|(at, _)| *at);
    disturbances
}

impl Market {
    /// Returns the random number generator for the events of an epoch.
    pub fn rng(&self, epoch: &str) -> ChaCha8Rng {
        let epoch = epoch.bytes().fold(0, |sum, byte| sum * 31 + u64::from(byte));
        ChaCha8Rng::seed_from_u64(self.seed ^ epoch.rotate_left(32))
    }

    /// Returns a random pause until the next step of the market. The pause is an even number of milliseconds.
    /// The first step is at an odd millisecond, so every later step is also at an odd millisecond.
    pub fn pause(&self, rng: &mut impl Rng) -> Duration {
        Duration::from_millis(2 * rng.random_range(1..=self.pause))
    }

    /// Decides at random whether the market sets a feed state after a step.
    pub fn has_feed_state(&self, rng: &mut impl Rng) -> bool {
        rng.random_ratio(self.feed_states, 1000)
    }

    /// Returns the first events of an epoch. In a large market, there are two of these events for each
    /// symbol. In a small market, there are none.
    pub fn listing(&self, rng: &mut impl Rng) -> Vec<(Event, PublishedEvent)> {
        let symbols = if self.symbols > SYMBOLS.len() { self.symbols } else { 0 };
        (0..2 * symbols).map(|number| event_of(rng, number / 2)).collect()
    }

    /// Decides at random whether the feed seeks after a step. If the feed seeks, returns the events that
    /// happened before the new position. After the disturbances the feed does not seek.
    pub fn seek(&self, rng: &mut impl Rng, is_calm: bool) -> Option<Vec<(Event, PublishedEvent)>> {
        let seeks = !is_calm && rng.random_ratio(self.seeks, 1000);
        seeks.then(|| {
            let count = rng.random_range(0..=3 * self.symbols);
            (0..count).map(|_| self.event(rng)).collect()
        })
    }

    /// Returns the events of one step of the market, in batches. After the disturbances there are no floods.
    pub fn step(&self, rng: &mut impl Rng, is_calm: bool) -> Vec<Vec<(Event, PublishedEvent)>> {
        let mut left = rng.random_range(1..=3);
        if !is_calm && rng.random_ratio(self.floods, 1000) {
            left = rng.random_range(self.flood.clone());
        }
        let mut batches = Vec::new();
        while left > 0 {
            let size = rng.random_range(1..=left.min(self.batch));
            left -= size;
            batches.push((0..size).map(|_| self.event(rng)).collect());
        }
        batches
    }

    /// Returns a random event of a random symbol, and its market frame.
    fn event(&self, rng: &mut impl Rng) -> (Event, PublishedEvent) {
        let symbol = rng.random_range(0..self.symbols);
        event_of(rng, symbol)
    }
}

/// Returns a random event of the symbol with this number, and the market frame of the event. The event and
/// the frame contain the same numbers.
fn event_of(rng: &mut impl Rng, number: usize) -> (Event, PublishedEvent) {
    let symbol = symbol(number);
    let kind = rng.random_range(0..KINDS.len());
    let mut price = || format!("{}.{:02}", rng.random_range(1..500), rng.random_range(0..100));
    let prices = [price(), price(), price(), price()];
    let [first, second, third, fourth] = &prices;
    let size = rng.random_bool(0.8).then(|| rng.random_range(0..10_000).to_string());
    let mut fields: Vec<(&str, &str)> = match kind {
        0 => vec![("price", first)],
        1 => vec![("bid", first), ("ask", second)],
        _ => vec![("open", first), ("high", second), ("low", third), ("close", fourth)],
    };
    if let Some(size) = &size {
        fields.push((["size", "bid_size", "volume"][kind], size));
    }
    let time = format!("2024-01-03T14:30:{:02}.{:02}7Z", rng.random_range(0..60), rng.random_range(0..100));
    let numbers = fields.iter().map(|(name, digits)| format!(",\"{name}\":{digits}"));
    let frame = format!(
        r#"{{"type":"{}","symbol":"{symbol}","time":"{time}"{}}}"#,
        KINDS[kind],
        numbers.collect::<String>()
    );
    let parsed = |digits: &String| digits.parse().expect("it is a number");
    let volume = size.as_ref().map(|digits| digits.parse().expect("it is a number"));
    let payload = match kind {
        0 => Payload::Trade(Trade { price: parsed(first), size: volume }),
        1 => Payload::Quote(Quote {
            bid: Some(parsed(first)),
            bid_size: volume,
            ask: Some(parsed(second)),
            ask_size: None,
        }),
        _ => Payload::Bar(Bar {
            interval: None,
            open: Some(parsed(first)),
            high: Some(parsed(second)),
            low: Some(parsed(third)),
            close: parsed(fourth),
            volume,
        }),
    };
    let event = Event {
        symbol: symbol.parse().expect("it is a symbol"),
        time: time.parse().expect("it is a time"),
        payload,
    };
    let frame = serde_json::from_str(&frame).expect("it is JSON");
    let at = turmoil::sim_elapsed().unwrap_or_default();
    (event, PublishedEvent { symbol, kind, frame, at })
}

fn pick<T: Copy, const N: usize>(rng: &mut impl Rng, choices: [T; N]) -> T {
    choices[rng.random_range(0..N)]
}

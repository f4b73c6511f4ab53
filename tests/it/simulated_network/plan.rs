//! What a seed says: the server's limits, the market, the clients' habits, and what goes wrong when.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tickerplant::config::Config;
use tickerplant::market::{Bar, Event, Payload, Quote, Trade};

use super::truth::{KINDS, Published, Subscription};

/// For so long something goes wrong.
pub const TROUBLE: Duration = Duration::from_secs(6);

/// Then the market goes on for this long, on a network that works.
const AFTERMATH: Duration = Duration::from_millis(1500);

/// Where clients are pinged often.
const PING_INTERVAL: Duration = Duration::from_millis(640);

/// What is published has arrived this long after its interval, where nothing is wrong and nothing lies before it.
pub const PROMPTNESS: Duration = Duration::from_millis(200);

/// Then it is quiet, and within this time everybody has to be level.
const SETTLING: Duration = Duration::from_secs(12);

/// Odd ones; a market with more than these has some by number.
const SYMBOLS: [&str; 8] = ["AAPL", "BRK.B", "BTC/USD", "EURUSD", "MSFT", "NIFTY_50", "^GSPC", "Ä1"];

/// The story of one run.
pub struct Plan {
    pub seed: u64,
    pub config: Config,
    /// How many bytes a server's socket takes at a time.
    pub write_bytes: usize,
    pub market: Market,
    pub clients: Vec<Habits>,
    /// In order of time.
    pub troubles: Vec<(Duration, Trouble)>,
}

/// What is published.
pub struct Market {
    seed: u64,
    symbols: usize,
    /// Twice this many milliseconds lie between two steps at the most.
    pause: u64,
    /// In a thousand steps, how many are floods.
    floods: u32,
    /// How many events a flood has.
    flood: RangeInclusive<usize>,
    /// How many events a batch has at the most.
    batch: usize,
    /// In a thousand steps, after how many there is news of the feed.
    news: u32,
    /// In a thousand steps, after how many the feed goes on from elsewhere.
    seeks: u32,
}

/// One client.
#[derive(Clone, Debug)]
pub struct Habits {
    pub seed: u64,
    pub wanted: Subscription,
    pub every: bool,
    pub interval_ms: u64,
    /// In a thousand frames, after how many it rests.
    pub rests: u32,
    /// In a thousand frames, after how many it leaves by itself.
    pub leaves: u32,
    /// In a thousand frames, after how many it changes how it is served.
    pub changes: u32,
    /// In a thousand frames, after how many it subscribes to more.
    pub grows: u32,
    /// How many symbols the market has.
    symbols: usize,
}

/// What goes wrong, and is made good: each between the server and one client, where it has a number.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    Hold(usize),
    Release(usize),
    /// Nothing arrives in either direction.
    Part(usize),
    /// Nothing of what the client sends arrives.
    Mute(usize),
    /// Nothing of what the server sends arrives.
    Deafen(usize),
    Repair(usize),
    /// Messages take longer than usual.
    Slow(usize, Duration),
    /// Messages take as long as they usually do, at the most.
    Latency(usize, Duration),
    /// Messages take exactly so long.
    Far(usize, Duration),
    Crash(usize),
    Bounce(usize),
    /// Its machine is gone for good, and nobody says so.
    Vanish(usize),
    CrashServer,
    /// It shuts down in order.
    StopServer,
    BounceServer,
    /// The server's process stops, and its clock does not.
    StopProcess,
    ContinueProcess,
}

impl Trouble {
    /// With whose link or machine something begins to be wrong, or is all right again.
    pub fn client(self) -> Option<(usize, bool)> {
        match self {
            Self::Hold(client)
            | Self::Part(client)
            | Self::Mute(client)
            | Self::Deafen(client)
            | Self::Slow(client, _)
            | Self::Crash(client)
            | Self::Vanish(client) => Some((client, false)),
            Self::Release(client)
            | Self::Repair(client)
            | Self::Latency(client, _)
            | Self::Far(client, _)
            | Self::Bounce(client) => Some((client, true)),
            Self::CrashServer
            | Self::StopServer
            | Self::BounceServer
            | Self::StopProcess
            | Self::ContinueProcess => None,
        }
    }
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut config = config(&mut rng);
        let is_large = rng.random_ratio(1, 3);
        let symbols = if is_large { rng.random_range(350..450) } else { rng.random_range(1..=SYMBOLS.len()) };
        let floods = pick(&mut rng, [0, 5, 20]);
        let flood = (config.bus.history.get() * 3).min(1500);
        let stops = rng.random_ratio(1, 4);
        // Where little is published, a client has to answer pings: a standstill of the server may not be held against it.
        let pause = if stops { pick(&mut rng, [20, 400]) } else { pick(&mut rng, [5, 10, 20, 40]) };
        let news = pick(&mut rng, [0, 20]);
        let seeks = pick(&mut rng, [0, 4]);
        let mut market = Market { seed, symbols, pause, floods, flood: 1..=flood, batch: flood, news, seeks };
        let count = rng.random_range(2..=if is_large { 3 } else { 6 });
        let mut clients: Vec<_> = (0..count).map(|_| Habits::new(&mut rng, symbols)).collect();
        if stops {
            // What is left of a window when the process stops would be read when it goes on, before or after the checks that
            // are due by then: that is drawn from a source that has no seed.
            config.server.flush_window = Duration::ZERO;
            config.limits.ping_interval = PING_INTERVAL;
            clients[count - 1].rests = 0;
        }
        let vanishes = rng.random_ratio(1, 2) && config.limits.ping_interval == PING_INTERVAL;
        let troubles = troubles(&mut rng, count, stops, vanishes);
        let mut write_bytes = if is_large {
            pick(&mut rng, [100, 300, 1000])
        } else {
            pick(&mut rng, [64, 200, 1000, 1 << 20])
        };
        if !stops && rng.random_ratio(1, 3) {
            overload(&mut rng, &mut config, &mut market);
            // One that keeps up, and so is written what is conflated at once.
            clients[0] = Habits { every: false, interval_ms: 0, rests: 0, ..clients[0].clone() };
            write_bytes = pick(&mut rng, [1000, 1 << 20, 1 << 20]);
        }
        Self { seed, config, write_bytes, market, clients, troubles }
    }

    /// When a connection that was cut has nothing more to give: clients rest no more, and all that was late is there.
    pub fn calm() -> Duration {
        TROUBLE + Duration::from_millis(500)
    }

    /// When nothing more is published.
    pub fn quiet() -> Duration {
        TROUBLE + AFTERMATH
    }

    /// By when a client has lost its place that vanished at this time: it may be too slow first, and a close takes its time;
    /// and the server may have stood still once meanwhile.
    pub fn gone(&self, at: Duration) -> Duration {
        let Config { limits, session, .. } = &self.config;
        at + limits.ping_interval + limits.ping_timeout + session.close_timeout + Duration::from_millis(1500)
    }

    /// When everybody has to be level at the latest.
    pub fn end() -> Duration {
        Self::quiet() + SETTLING
    }
}

/// The server's configuration: limits so small that they strike.
fn config(rng: &mut impl Rng) -> Config {
    let mut config = Config::default();
    // It looks every 10 ms who is due: never in the same millisecond as something is published, since which of the
    // two it then does first is drawn from a source that has no seed.
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
    // All clients of a host come back at once.
    config.limits.per_address = 0;
    config.limits.new_per_second = 0;
    config.limits.command_rate = 0;
    config
}

/// Has the shard be overloaded at times: it reads the log so seldom that meanwhile a flood fills the log, and grows old there.
///
/// A turn ends at news of the feed, and where a batch is full. The shard is behind then, and the rest of the flood overloads
/// it. Its turns take no time: after one that did, several things would be due at once, and which of them its loop takes
/// first is drawn from a source that has no seed.
fn overload(rng: &mut impl Rng, config: &mut Config, market: &mut Market) {
    let history = pick(rng, [100, 500, 2000]);
    config.bus.history = history.try_into().expect("it is not zero");
    // Even, so that it ends at an odd millisecond, as the steps of the market are.
    config.server.flush_window = Duration::from_millis(pick(rng, [40, 60]));
    market.pause = 10;
    market.news = 300;
    market.floods = 30;
    market.flood = history * 3 / 4..=history;
    market.batch = history / 32;
}

impl Habits {
    fn new(rng: &mut impl Rng, symbols: usize) -> Self {
        let all = rng.random_bool(if symbols > SYMBOLS.len() { 0.7 } else { 0.4 });
        // Some have no data yet, or never.
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
            rests: pick(rng, [0, 0, 10, 40]),
            leaves: pick(rng, [0, 2, 10]),
            changes: pick(rng, [0, 0, 5, 20]),
            grows: pick(rng, [0, 0, 5, 20]),
            symbols,
        }
    }

    /// What it may subscribe to beside what it has.
    pub fn more(&self, rng: &mut impl Rng) -> Subscription {
        let all = rng.random_bool(0.3);
        let mut names = some_symbols(rng, self.symbols);
        if !all && names.is_empty() {
            names.push(symbol(rng.random_range(0..self.symbols)));
        }
        Subscription { all, names, kinds: self.wanted.kinds.clone() }
    }
}

/// The name of a symbol.
fn symbol(number: usize) -> String {
    SYMBOLS.get(number).map_or_else(|| format!("S{number:03}"), |name| (*name).to_owned())
}

/// Some symbols of a market, and some that it never has, in the order in which replies list them.
fn some_symbols(rng: &mut impl Rng, symbols: usize) -> Vec<String> {
    let mut names: Vec<String> = (0..symbols.max(SYMBOLS.len())).map(symbol).collect();
    names.retain(|_| rng.random_bool(1.0 / 3.0));
    names.sort_unstable();
    names
}

fn troubles(rng: &mut impl Rng, clients: usize, stops: bool, vanishes: bool) -> Vec<(Duration, Trouble)> {
    let mut troubles = Vec::new();
    let millis = |rng: &mut _, range| Duration::from_millis(RngExt::random_range(rng, range));
    for client in 0..clients {
        let latency = millis(rng, 1..40);
        troubles.push((Duration::ZERO, Trouble::Latency(client, latency)));
        if stops && client + 1 == clients {
            // Nothing is wrong with this one: whatever happens to it, the standstill has done it. An answer to a ping takes long.
            troubles.push((Duration::ZERO, Trouble::Far(client, millis(rng, 90..120))));
            continue;
        }
        let mut now = millis(rng, 200..1500);
        while now < TROUBLE {
            if vanishes && client == 0 && now > TROUBLE / 4 {
                troubles.push((now, Trouble::Vanish(client)));
                break;
            }
            let (begin, end) = match rng.random_range(0..7) {
                0 | 1 => (Trouble::Hold(client), Trouble::Release(client)),
                2 => (Trouble::Part(client), Trouble::Repair(client)),
                3 => (Trouble::Mute(client), Trouble::Repair(client)),
                4 => (Trouble::Deafen(client), Trouble::Repair(client)),
                5 => (Trouble::Crash(client), Trouble::Bounce(client)),
                _ => (Trouble::Slow(client, millis(rng, 1..300)), Trouble::Latency(client, latency)),
            };
            let end_at = (now + millis(rng, 20..2500)).min(TROUBLE);
            troubles.extend([(now, begin), (end_at, end)]);
            now = end_at + millis(rng, 50..2000);
        }
    }
    if rng.random_bool(0.5) {
        let mut now = millis(rng, 1000..5000);
        while now < TROUBLE {
            let begin = if rng.random_bool(0.6) { Trouble::CrashServer } else { Trouble::StopServer };
            let end = (now + millis(rng, 600..1000)).min(TROUBLE);
            troubles.extend([(now, begin), (end, Trouble::BounceServer)]);
            now = end + millis(rng, 500..6000);
        }
    }
    if stops {
        let mut now = millis(rng, 500..3000);
        // The server has to know that it stood still, and its clients not to give up.
        let longest = 1200;
        while now + Duration::from_millis(longest) < TROUBLE {
            let end = now + millis(rng, 1050..longest);
            troubles.extend([(now, Trouble::StopProcess), (end, Trouble::ContinueProcess)]);
            now = end + millis(rng, 1500..4000);
        }
    }
    troubles.sort_by_key(|(at, _)| *at);
    troubles
}

impl Market {
    /// The dice of a server's life.
    pub fn dice(&self, life: &str) -> ChaCha8Rng {
        let life = life.bytes().fold(0, |sum, byte| sum * 31 + u64::from(byte));
        ChaCha8Rng::seed_from_u64(self.seed ^ life.rotate_left(32))
    }

    /// Milliseconds until the next step: even, so that every step is at an odd one.
    pub fn pause(&self, rng: &mut impl Rng) -> Duration {
        Duration::from_millis(2 * rng.random_range(1..=self.pause))
    }

    /// Whether there is news of the feed after a step.
    pub fn has_news(&self, rng: &mut impl Rng) -> bool {
        rng.random_ratio(self.news, 1000)
    }

    /// What a large market publishes first: something of each symbol. Of a small one some symbols have no data yet, or never.
    pub fn listing(&self, rng: &mut impl Rng) -> Vec<(Event, Published)> {
        let symbols = if self.symbols > SYMBOLS.len() { self.symbols } else { 0 };
        (0..2 * symbols).map(|number| event_of(rng, number / 2)).collect()
    }

    /// What has happened so far where the feed goes on from, if that is elsewhere after a step; nothing where all is calm.
    pub fn seek(&self, rng: &mut impl Rng, is_calm: bool) -> Option<Vec<(Event, Published)>> {
        let seeks = !is_calm && rng.random_ratio(self.seeks, 1000);
        seeks.then(|| {
            let count = rng.random_range(0..=3 * self.symbols);
            (0..count).map(|_| self.event(rng)).collect()
        })
    }

    /// What one step publishes, batch by batch; there are no floods where all is calm.
    pub fn step(&self, rng: &mut impl Rng, is_calm: bool) -> Vec<Vec<(Event, Published)>> {
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

    /// An event of any symbol.
    fn event(&self, rng: &mut impl Rng) -> (Event, Published) {
        let symbol = rng.random_range(0..self.symbols);
        event_of(rng, symbol)
    }
}

/// An event of this symbol, and the frame that has to come of it: both from the same digits.
fn event_of(rng: &mut impl Rng, number: usize) -> (Event, Published) {
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
    (event, Published { symbol, kind, frame, at })
}

fn pick<T: Copy, const N: usize>(rng: &mut impl Rng, choices: [T; N]) -> T {
    choices[rng.random_range(0..N)]
}

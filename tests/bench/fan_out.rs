//! Measures the cost of bringing an update from the bus to the clients' outboxes, without sockets.
//!
//! One shard on one thread reads published events. For each client, the shard prepares the bytes that a
//! server would write to the client's socket. In each round of a benchmark, the shard reads a fixed number of
//! events together. The measured time is the duration of one round. `item/s` is the number of delivered
//! updates a second. In rounds with few events, each write to a client contains few frames.

use std::hint::black_box;
use std::time::Duration;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, Divan};
use tickerplant::bus::{self, Bus, Reader};
use tickerplant::encoding::{Encoding, Value};
use tickerplant::feed::simulated::{self, Instrument, Profile, Simulation};
use tickerplant::hub::{Settings, Shard, Timeouts};
use tickerplant::market::{Event, FeedKind, Time};
use tickerplant::wire::{CommandWithId, UrlParameters};
use tokio::time::Instant;

/// Each benchmark is measured for at least this long.
const MIN_TIME: Duration = Duration::from_millis(500);

/// How many events a round has. Each benchmark is measured once with each of these numbers.
const ROUNDS: [usize; 3] = [1, 10, 100];

const A: Load = Load { clients: 1_000, each: 10, symbols: 500, delivery: "every" };
const B: Load = Load { clients: 100, each: 50, symbols: 50, delivery: "every" };
const C: Load = Load { clients: 10_000, each: 1, symbols: 100, delivery: "every" };

/// The clients and symbols of a benchmark. All symbols have the same number of subscribers.
struct Load {
    clients: usize,
    /// The number of symbols that each client subscribes to.
    each: usize,
    symbols: usize,
    delivery: &'static str,
}

/// A shard with its clients.
struct Bench {
    reader: Reader,
    shard: Shard,
    now: Instant,
}

fn main() {
    Divan::default().min_time(MIN_TIME).config_with_args().main();
}

#[divan::bench(args = ROUNDS)]
fn a_1000_clients_10_of_500_symbols(bencher: Bencher<'_, '_>, events: usize) {
    deliver(bencher, &A, events);
}

#[divan::bench(args = ROUNDS)]
fn b_100_clients_all_50_symbols(bencher: Bencher<'_, '_>, events: usize) {
    deliver(bencher, &B, events);
}

#[divan::bench(args = ROUNDS)]
fn c_10000_clients_1_of_100_symbols(bencher: Bencher<'_, '_>, events: usize) {
    deliver(bencher, &C, events);
}

/// Measures the load `A`, but with `delivery=latest` and clients that do not read, so that every update is
/// conflated.
#[divan::bench(args = ROUNDS)]
fn a_latest_nobody_reads(bencher: Bencher<'_, '_>, events: usize) {
    let load = Load { delivery: "latest", ..A };
    let (mut bench, mut simulation) = bench(&load);
    bencher
        .counter(ItemsCount::new(events * load.subscribers()))
        .with_inputs(|| simulation.by_ref().take(events).collect())
        .bench_local_values(|events| bench.publish(events, |_| 0));
}

/// Measures only the encoding of simulated events as WebSocket frames.
#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    let events: Vec<Event> = simulation(&B).take(1_000).collect();
    let mut frames = Vec::new();
    let mut encode = || {
        frames.clear();
        for (seq, event) in (1_000_000..).zip(&events) {
            Encoding::WebSocket.write(&mut frames, &Value::Event(seq, event));
        }
        frames.len()
    };
    let bytes = encode();
    bencher
        .counter(ItemsCount::new(events.len()))
        .counter(BytesCount::new(bytes))
        .bench_local(|| black_box(encode()));
}

fn deliver(bencher: Bencher<'_, '_>, load: &Load, events: usize) {
    let (mut bench, mut simulation) = bench(load);
    bencher
        .counter(ItemsCount::new(events * load.subscribers()))
        .with_inputs(|| simulation.by_ref().take(events).collect())
        .bench_local_values(|events| bench.publish(events, <[u8]>::len));
}

impl Load {
    /// Returns the number of subscribers of each symbol.
    const fn subscribers(&self) -> usize {
        self.clients * self.each / self.symbols
    }

    /// Returns the query of a client's URL.
    fn query(&self, client: usize) -> String {
        let symbol = |offset| name((client * self.each + offset) % self.symbols);
        let symbols: Vec<_> = (0..self.each).map(symbol).collect();
        format!("symbols={}&delivery={}", symbols.join(","), self.delivery)
    }
}

/// Returns a shard whose clients have received all events so far, and the simulation that creates further
/// events.
fn bench(load: &Load) -> (Bench, Simulation) {
    let mut bench = Bench::new(load);
    let mut simulation = simulation(load);
    // The simulation begins with one event of each symbol.
    bench.publish(simulation.by_ref().take(load.symbols).collect(), <[u8]>::len);
    (bench, simulation)
}

fn simulation(load: &Load) -> Simulation {
    let instrument = |symbol| Instrument::named(name(symbol).parse().expect("the names are symbols"));
    let symbols = (0..load.symbols).map(instrument).collect();
    Simulation::new(&simulated::Config { profile: Profile::Gbm, symbols, ..simulated::Config::default() })
        .expect("the configuration is valid")
}

fn name(symbol: usize) -> String {
    format!("S{symbol:03}")
}

impl Bench {
    fn new(load: &Load) -> Self {
        let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "bench".to_owned());
        let (reader, checkpoint) = bus.reader("bench");
        let settings = Settings {
            heartbeat: Duration::from_secs(5),
            every_buffer: 1024 * 1024,
            max_symbols: 0,
            timeouts: Timeouts::default(),
            flush_window: Duration::ZERO,
            has_system_clock: false,
            stall_timeout: Duration::from_secs(10),
            catch_up_bytes: Settings::CATCH_UP_BYTES,
            conflated_events: Settings::CONFLATED_EVENTS,
        };
        let mut shard = Shard::new(bus, checkpoint, settings);
        let now = Instant::now();
        for client in 0..load.clients {
            let parameters = UrlParameters::parse(&load.query(client)).expect("the query is well formed");
            let id = shard.connect(Encoding::WebSocket, now);
            shard.set_delivery(id, parameters.delivery, parameters.interval);
            let command = parameters.subscribe.expect("the query has symbols");
            shard.execute(id, &CommandWithId { id: None, command }, Time::now());
            let answer = shard.outgoing(id, now).len();
            shard.written(id, answer);
        }
        Self { reader, shard, now }
    }

    /// Publishes events and lets the shard read them. `accept` stands in for a client's socket: it gets the
    /// bytes of a write and returns how many bytes it accepts.
    fn publish(&mut self, events: Vec<Event>, accept: impl Fn(&[u8]) -> usize) {
        let Self { reader, shard, now } = self;
        reader.bus().publish(events);
        shard.read(*now, Time::default(), || reader.try_next(), |_, bytes| accept(black_box(bytes)));
    }
}

//! Overload: events are published faster than the server can send each of them to all subscribers.
//!
//! The published events are known beforehand, because the same seed creates the same events. Because the
//! events are known, no client needs to record every event. At the end the feed is paused. Then each client's
//! count of received and conflated events must equal the number of events that were published for its
//! symbols.

use std::io;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tickerplant::feed::simulated::{Config, Instrument, Profile, Simulation};
use tickerplant::market::Payload;

use crate::canary::{HEAD_START, spread};
use crate::fleet::Fleet;
use crate::process;
use crate::published_events::{Key, PublishedEvents};
use crate::results::{Results, list};
use crate::server_under_test::{self, ServerSettings, name};
use crate::statistics::{float, percentile};
use crate::stream_checker::{Delivery, Subscription};
use crate::subscriber::{Pace, Subscriber};
use crate::websocket::number;

/// The number of symbols of the feed.
const SYMBOLS: usize = 500;

/// The number of symbols that each client subscribes to.
const EACH: usize = 50;

/// Of this many clients, the benchmark measures the delays of one.
const MEASURED: usize = 10;

/// The clients connect at random moments within this time.
const ARRIVAL: Duration = Duration::from_secs(1);

/// How long the clients read before the measurement.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long the measurement takes.
const TIME: Duration = Duration::from_secs(4);

/// After the feed is paused, the clients read for this long, so that all waiting events arrive. This time is
/// longer than a heartbeat interval, so that each client also gets a heartbeat with its counts.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The benchmark predicts the events that the feed publishes during this many seconds after its start. The
/// feed is paused before this time ends.
const PREDICTED_SECONDS: u32 = 15;

/// The 99th percentile of the updates' age must be below this limit, in milliseconds.
const MAX_P99: f64 = 250.0;

/// Overloads three servers in turn: two with the default history but different rates, and one with a short
/// history.
pub fn run(clients: u32, cores: Option<&str>) -> io::Result<Results> {
    let mut results = Results::new();
    for (rate, history) in [(100_000, "65536"), (200_000, "65536"), (20_000, "2000")] {
        let environment =
            vec![("TICKERPLANT_SESSION__HEARTBEAT", "1s"), ("TICKERPLANT_BUS__HISTORY", history)];
        let settings =
            ServerSettings { symbols: SYMBOLS, rate, cores: cores.map(str::to_owned), environment };
        println!(
            "\noverload: {clients} clients × {EACH} of {SYMBOLS} symbols, {rate} events a second, a history of {history}"
        );
        results.add(&overload(&settings, clients)?);
    }
    Ok(results)
}

fn overload(settings: &ServerSettings, clients: u32) -> io::Result<Results> {
    let server = settings.start()?;
    let start = Instant::now();
    let mut fleet = Fleet::new(server.address(), SYMBOLS)?;
    predict_events(settings.rate, &mut fleet.context().observations.published)?;
    let begin = Instant::now() + HEAD_START;
    for number in 0..clients as usize {
        let symbols = spread(number, EACH, SYMBOLS);
        let subscription = Subscription {
            symbols,
            delivery: Delivery::Latest(0),
            is_measured: number.is_multiple_of(MEASURED),
        };
        fleet.subscribe(subscription, Pace::Prompt, begin + ARRIVAL.mul_f64(rand::random()));
    }
    fleet.run(begin + ARRIVAL + WARM_UP)?;
    fleet.context().observations.results.delays.reset();
    let (updates, cpu, own_cpu) = (fleet.results().updates, server.cpu()?, process::own_cpu()?);
    fleet.run(Instant::now() + TIME)?;
    let ages = fleet.results().delays.clone();
    let updates = fleet.results().updates - updates;
    let cpu = server.cpu()?.saturating_sub(cpu);
    let own_cpu = process::own_cpu()?.saturating_sub(own_cpu);
    let status = server_under_test::pause(server.address())?;
    let published = number(&status, r#""events":"#).unwrap_or(0);
    let took = start.elapsed();
    fleet.run(Instant::now() + DRAIN_TIME)?;
    fleet.each(Subscriber::compare_counts);
    fleet.context().observations.is_drained = true;
    fleet.run(Instant::now() + DRAIN_TIME)?;
    fleet.each(Subscriber::compare_counts);
    let exact = fleet.subscribers().filter(|subscriber| subscriber.is_exact()).count();
    let seconds = TIME.as_secs_f64();
    let p99 = percentile(&ages, 99.0) / 1e6;

    let mut results = Results::new();
    results.add(fleet.results());
    println!(
        "  published {:.0} a second; {:.2} million updates a second; cores: server {:.2}, clients {:.2}\n  \
         {} merged; gaps: {}; {} counts compared, {exact} of {clients} exact after the pause\n  \
         age of updates p50 {:.1}, p99 {p99:.1}, at most {:.0} ms, p99 must be below {MAX_P99}",
        float(published) / took.as_secs_f64(),
        float(updates) / seconds / 1e6,
        cpu.as_secs_f64() / seconds,
        own_cpu.as_secs_f64() / seconds,
        results.merged,
        list(&results.gaps),
        results.checked,
        percentile(&ages, 50.0) / 1e6,
        float(ages.max()) / 1e6,
    );
    let warnings = server.warnings();
    if let Some(first) = warnings.first() {
        println!("  {} warnings of the server at least, the first: {first}", warnings.len());
    }
    if !results.gaps.is_empty() {
        results.record_violation("a client got a gap in overload", list(&results.gaps));
    }
    if exact < clients as usize {
        results.record_violation(
            "not every count is exact after the pause",
            format_args!("{exact} of {clients}"),
        );
    }
    if ages.is_empty() || p99 >= MAX_P99 {
        results.record_violation("the updates are too old in overload", format_args!("p99 {p99:.0} ms"));
    }
    Ok(results)
}

/// Predicts the events that the server will publish, and records them in `published`.
fn predict_events(rate: u32, published: &mut PublishedEvents) -> io::Result<()> {
    let named = |symbol| name(symbol).parse().map(Instrument::named).map_err(io::Error::other);
    let config = Config {
        profile: Profile::Gbm,
        rate: NonZeroU32::new(rate).expect("the rate is not zero"),
        symbols: (0..SYMBOLS).map(named).collect::<io::Result<_>>()?,
        seed: Some(server_under_test::SEED),
        ..Config::default()
    };
    let walk = Simulation::new(&config).map_err(io::Error::other)?;
    let count = (rate * PREDICTED_SECONDS) as usize;
    for (seq, event) in (1..).zip(walk.take(count)) {
        let symbol = usize::from_str_radix(event.symbol.as_str(), 16).map_err(io::Error::other)?;
        let is_quote = matches!(event.payload, Payload::Quote(_));
        published.record(seq, Key { symbol, is_quote }, event.time);
    }
    Ok(())
}

//! Overload: events come faster than the server can send each of them to all who subscribed.
//!
//! What is published is known beforehand: the same seed gives the same walk. So no client has to take every event, and
//! at the end, when the feed is paused, every client's count must be exact.

use std::io;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tickerplant::feed::simulated::{Config, Instrument, Walk};
use tickerplant::market::Payload;

use crate::canary::{HEAD_START, spread};
use crate::fleet::Fleet;
use crate::ledger::{Delivery, Wants};
use crate::plant::{self, Plant, name};
use crate::process;
use crate::subscriber::{Pace, Subscriber};
use crate::table::{float, percentile};
use crate::tally::{Tally, list};
use crate::websocket::number;
use crate::witness::{Key, Witness};

/// The symbols of the feed, and of each client.
const SYMBOLS: usize = 500;
const EACH: usize = 50;

/// One client in so many is measured.
const MEASURED: usize = 10;

/// Over this time the clients come.
const ARRIVAL: Duration = Duration::from_secs(1);

/// How long they read before they are measured, and then.
const WARM_UP: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(4);

/// So long after a pause all has come that was held, and then every client has had another heartbeat.
const CALM: Duration = Duration::from_secs(2);

/// The feed is paused long before this.
const FORETOLD: u32 = 15;

/// The greatest age of 99 of 100 updates, in milliseconds.
const MAX_P99: f64 = 250.0;

/// Overloads a server with its usual history, at two rates, and one with hardly any; returns what the clients saw.
pub fn run(clients: u32, cores: Option<&str>) -> io::Result<Tally> {
    let mut tally = Tally::new();
    for (rate, history) in [(100_000, "65536"), (200_000, "65536"), (20_000, "2000")] {
        let settings = vec![("TICKERPLANT_SESSION__HEARTBEAT", "1s"), ("TICKERPLANT_BUS__HISTORY", history)];
        let plant = Plant { symbols: SYMBOLS, rate, cores: cores.map(str::to_owned), settings };
        println!(
            "\noverload: {clients} clients × {EACH} of {SYMBOLS} symbols, {rate} events a second, a history of {history}"
        );
        tally.add(&overload(&plant, clients)?);
    }
    Ok(tally)
}

fn overload(plant: &Plant, clients: u32) -> io::Result<Tally> {
    let server = plant.start()?;
    let start = Instant::now();
    let mut fleet = Fleet::new(server.address(), SYMBOLS)?;
    foretell(plant.rate, &mut fleet.world().notes.witness)?;
    let begin = Instant::now() + HEAD_START;
    for number in 0..clients as usize {
        let symbols = spread(number, EACH, SYMBOLS);
        let wants =
            Wants { symbols, delivery: Delivery::Latest(0), is_measured: number.is_multiple_of(MEASURED) };
        fleet.subscribe(wants, Pace::Prompt, begin + ARRIVAL.mul_f64(rand::random()));
    }
    fleet.run(begin + ARRIVAL + WARM_UP)?;
    fleet.world().notes.tally.delays.reset();
    let (updates, cpu, own_cpu) = (fleet.tally().updates, server.cpu()?, process::own_cpu()?);
    fleet.run(Instant::now() + TIME)?;
    let ages = fleet.tally().delays.clone();
    let updates = fleet.tally().updates - updates;
    let cpu = server.cpu()?.saturating_sub(cpu);
    let own_cpu = process::own_cpu()?.saturating_sub(own_cpu);
    let status = plant::pause(server.address())?;
    let published = number(&status, r#""events":"#).unwrap_or(0);
    let took = start.elapsed();
    fleet.run(Instant::now() + CALM)?;
    fleet.each(Subscriber::settle);
    fleet.world().notes.is_still = true;
    fleet.run(Instant::now() + CALM)?;
    fleet.each(Subscriber::settle);
    let exact = fleet.subscribers().filter(|subscriber| subscriber.is_exact()).count();
    let seconds = TIME.as_secs_f64();
    let p99 = percentile(&ages, 99.0) / 1e6;

    let mut tally = Tally::new();
    tally.add(fleet.tally());
    println!(
        "  published {:.0} a second; {:.2} million updates a second; cores: server {:.2}, clients {:.2}\n  \
         {} merged; gaps: {}; {} counts compared, {exact} of {clients} exact when all was still\n  \
         age of updates p50 {:.1}, p99 {p99:.1}, at most {:.0} ms, wanted p99 below {MAX_P99}",
        float(published) / took.as_secs_f64(),
        float(updates) / seconds / 1e6,
        cpu.as_secs_f64() / seconds,
        own_cpu.as_secs_f64() / seconds,
        tally.merged,
        list(&tally.gaps),
        tally.checked,
        percentile(&ages, 50.0) / 1e6,
        float(ages.max()) / 1e6,
    );
    let warnings = server.warnings();
    if let Some(first) = warnings.first() {
        println!("  {} warnings of the server or more, the first: {first}", warnings.len());
    }
    if !tally.gaps.is_empty() {
        tally.violation("a gap in overload", list(&tally.gaps));
    }
    if exact < clients as usize {
        tally.violation("not every count is exact when all is still", format_args!("{exact} of {clients}"));
    }
    if ages.is_empty() || p99 >= MAX_P99 {
        tally.violation("updates are old in overload", format_args!("p99 {p99:.0} ms"));
    }
    Ok(tally)
}

/// Tells the witness what will be published.
fn foretell(rate: u32, witness: &mut Witness) -> io::Result<()> {
    let named = |symbol| name(symbol).parse().map(Instrument::named).map_err(io::Error::other);
    let config = Config {
        rate: NonZeroU32::new(rate).expect("events come"),
        symbols: (0..SYMBOLS).map(named).collect::<io::Result<_>>()?,
        ..Config::default()
    };
    let walk = Walk::new(&config).map_err(io::Error::other)?;
    let count = (rate * FORETOLD) as usize;
    for (seq, event) in (1..).zip(walk.take(count)) {
        let symbol = usize::from_str_radix(event.symbol.as_str(), 16).map_err(io::Error::other)?;
        let is_quote = matches!(event.payload, Payload::Quote(_));
        witness.take(seq, Key { symbol, is_quote }, event.time);
    }
    Ok(())
}

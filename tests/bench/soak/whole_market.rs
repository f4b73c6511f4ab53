//! The whole market: many clients subscribe to all 65,536 symbols at once, and half of them read nothing.
//!
//! The benchmark writes the events to the server's standard input. The benchmark first writes one event of
//! each symbol. After that, half of the events belong to one symbol. The canary, a client whose delays are
//! measured, reads this symbol.

use std::io::{self, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::canary::{Canary, HEAD_START};
use crate::fleet::Fleet;
use crate::memory_bound::mib;
use crate::process::Server;
use crate::results::Results;
use crate::server_under_test::{self, name};
use crate::statistics::{float, percentile};
use crate::stdin_feed;
use crate::stream_checker::{Delivery, Subscription};
use crate::subscriber::Pace;

/// The number of symbols of the feed: the greatest number that a server accepts by default (`feed.symbols`).
const SYMBOLS: usize = 65_536;

/// The index of the symbol that the canary client reads.
const BUSY: usize = 0;

/// Events a second.
const RATE: u32 = 1000;

/// The clients connect at random moments within this time.
const ARRIVAL: Duration = Duration::from_secs(2);

/// The time within which all snapshots must arrive.
const PATIENCE: Duration = Duration::from_secs(40);

/// The time between two checks whether the clients have all snapshots.
const SLICE: Duration = Duration::from_millis(100);

/// The memory of the server must be below this limit, in KiB.
const MAX_MEMORY: u32 = 512 * 1024;

/// The 99th percentile of the canary client's delays must be below this limit, in milliseconds.
const MAX_P99: f64 = 50.0;

/// Lets this many clients subscribe to the whole market.
pub fn run(clients: u32, cores: Option<&str>) -> io::Result<Results> {
    let mut command = server_under_test::command(cores);
    let mut server = Server::start(command.args(["--feed", "stdin"]).stdin(Stdio::piped()))?;
    let mut input = server.input().expect("the command pipes the server's input");
    let market: String = (0..SYMBOLS).map(|symbol| stdin_feed::line(&name(symbol))).collect();
    input.write_all(market.as_bytes())?;
    let names = (0..SYMBOLS).flat_map(|symbol| [name(BUSY), name(symbol)]).collect();
    let writer = stdin_feed::start(input, names, RATE);
    let busy = Subscription { symbols: vec![BUSY], delivery: Delivery::Latest(0), is_measured: true };
    let canary = Canary::start(server.address(), 0, vec![busy]);
    // With no symbols, the fleet records no published events.
    let mut fleet = Fleet::new(server.address(), 0)?;
    let begin = Instant::now() + HEAD_START;
    for number in 0..clients {
        let subscription =
            Subscription { symbols: Vec::new(), delivery: Delivery::Latest(0), is_measured: false };
        let pace = if number.is_multiple_of(2) { Pace::Prompt } else { Pace::NeverReads };
        fleet.subscribe(subscription, pace, begin + ARRIVAL.mul_f64(rand::random()));
    }
    let readers = fleet.subscribers().filter(|subscriber| subscriber.is_prompt()).count();
    let complete = |fleet: &Fleet| fleet.subscribers().filter(|subscriber| subscriber.is_caught_up()).count();
    while Instant::now() < begin + ARRIVAL || complete(&fleet) < readers && begin.elapsed() < PATIENCE {
        fleet.run(Instant::now() + SLICE)?;
    }
    let took = begin.elapsed();
    let delays = canary.delays();
    let connections = fleet.connections();
    drop(writer);

    let mut results = Results::new();
    results.add(fleet.results());
    results.add(&canary.stop()?);
    let memory = server.peak_memory()?;
    let p99 = percentile(&delays, 99.0) / 1e6;
    println!(
        "\nmarket: {connections} of {clients} clients connected to all {SYMBOLS} symbols, {readers} of them read, \
         {RATE} events a second\n  \
         {} of {readers} sets complete in {:.1} s: {} snapshots, {} updates, {} merged; gaps: {}\n  \
         memory at most {} MiB, must be below {}\n  \
         canary: {} updates, p50 {:.2}, p99 {p99:.2}, at most {:.1} ms, p99 must be below {MAX_P99}",
        complete(&fleet),
        took.as_secs_f64(),
        results.snapshots,
        results.updates,
        results.merged,
        results.gaps.values().sum::<u64>(),
        mib(memory),
        mib(MAX_MEMORY),
        delays.len(),
        percentile(&delays, 50.0) / 1e6,
        float(delays.max()) / 1e6,
    );
    if memory >= MAX_MEMORY {
        results
            .record_violation("the whole market takes too much memory", format_args!("{} MiB", mib(memory)));
    }
    if delays.is_empty() || p99 >= MAX_P99 {
        results.record_violation("the canary's updates are too late", format_args!("{p99:.1} ms"));
    }
    Ok(results)
}

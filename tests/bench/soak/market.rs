//! The whole market: many clients take every one of 65,536 symbols at once, and half of them read nothing.
//!
//! This process writes the events to the server's standard input: one of each symbol first, then half of them of the
//! symbol that the canary reads.

use std::io::{self, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::canary::{Canary, HEAD_START};
use crate::fleet::Fleet;
use crate::ledger::{Delivery, Wants};
use crate::plant::{self, mib, name};
use crate::process::Server;
use crate::subscriber::Pace;
use crate::table::{float, percentile};
use crate::tally::Tally;
use crate::written::{self, Writer};

/// As many as a server takes (`feed.symbols`).
const SYMBOLS: usize = 65_536;

/// The symbol that the canary reads.
const BUSY: usize = 0;

/// Events a second.
const RATE: u32 = 1000;

/// Over this time the clients come.
const ARRIVAL: Duration = Duration::from_secs(2);

/// All snapshots may take so long.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often it is looked whether all have come.
const SLICE: Duration = Duration::from_millis(100);

/// The server's memory stays below this, in KiB.
const MAX_MEMORY: u32 = 512 * 1024;

/// The greatest delay of 99 of 100 updates of the canary, in milliseconds.
const MAX_P99: f64 = 50.0;

/// Lets so many clients take the whole market; returns what they saw.
pub fn run(clients: u32, cores: Option<&str>) -> io::Result<Tally> {
    let mut command = plant::command(cores);
    let mut server = Server::start(command.args(["--feed", "stdin"]).stdin(Stdio::piped()))?;
    let mut input = server.input().expect("it is piped");
    let market: String = (0..SYMBOLS).map(|symbol| written::line(&name(symbol))).collect();
    input.write_all(market.as_bytes())?;
    let names = (0..SYMBOLS).flat_map(|symbol| [name(BUSY), name(symbol)]).collect();
    let writer = Writer::start(input, names, RATE);
    let busy = Wants { symbols: vec![BUSY], delivery: Delivery::Latest(0), is_measured: true };
    let canary = Canary::start(server.address(), 0, vec![busy]);
    // Of no symbol it is noted which events there were.
    let mut fleet = Fleet::new(server.address(), 0)?;
    let begin = Instant::now() + HEAD_START;
    for number in 0..clients {
        let wants = Wants { symbols: Vec::new(), delivery: Delivery::Latest(0), is_measured: false };
        let pace = if number.is_multiple_of(2) { Pace::Prompt } else { Pace::Deaf };
        fleet.subscribe(wants, pace, begin + ARRIVAL.mul_f64(rand::random()));
    }
    let readers = fleet.subscribers().filter(|subscriber| subscriber.is_prompt()).count();
    let complete = |fleet: &Fleet| fleet.subscribers().filter(|subscriber| subscriber.is_level()).count();
    while Instant::now() < begin + ARRIVAL || complete(&fleet) < readers && begin.elapsed() < PATIENCE {
        fleet.run(Instant::now() + SLICE)?;
    }
    let took = begin.elapsed();
    let delays = canary.delays();
    let connections = fleet.connections();
    drop(writer);

    let mut tally = Tally::new();
    tally.add(fleet.tally());
    tally.add(&canary.stop()?);
    let memory = server.peak_memory()?;
    let p99 = percentile(&delays, 99.0) / 1e6;
    println!(
        "\nmarket: {connections} of {clients} clients connected to all {SYMBOLS} symbols, {readers} of them read, \
         {RATE} events a second\n  \
         {} of {readers} sets complete in {:.1} s: {} snapshots, {} updates, {} merged; gaps: {}\n  \
         memory at most {} MiB, wanted below {}\n  \
         canary: {} updates, p50 {:.2}, p99 {p99:.2}, at most {:.1} ms, wanted p99 below {MAX_P99}",
        complete(&fleet),
        took.as_secs_f64(),
        tally.snapshots,
        tally.updates,
        tally.merged,
        tally.gaps.values().sum::<u64>(),
        mib(memory),
        mib(MAX_MEMORY),
        delays.len(),
        percentile(&delays, 50.0) / 1e6,
        float(delays.max()) / 1e6,
    );
    if memory >= MAX_MEMORY {
        tally.violation("the whole market takes too much memory", format_args!("{} MiB", mib(memory)));
    }
    if delays.is_empty() || p99 >= MAX_P99 {
        tally.violation("the canary's updates are late beside the whole market", format_args!("{p99:.1} ms"));
    }
    Ok(tally)
}

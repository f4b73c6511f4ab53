//! Clients that vanish: what those that stay notice when a process with many others is killed.
//!
//! The others are the benchmark's own executable, called as `soak crowd --address HOST:PORT`.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use hdrhistogram::Histogram;

use crate::canary::{self, spread};
use crate::crowd::Crowd;
use crate::fleet::Fleet;
use crate::ledger::{Delivery, Wants};
use crate::plant::Plant;
use crate::subscriber::{Pace, Subscriber};
use crate::table::float;
use crate::tally::Tally;

/// Clients that vanish,
const CLIENTS: usize = 2000;

/// and the symbols of each,
const EACH: usize = 100;

/// of so many.
const SYMBOLS: usize = 500;

/// Events a second: few, so that the others hardly wait before.
const RATE: u32 = 1000;

/// They come one after the other at this distance,
const DISTANCE: Duration = Duration::from_micros(500);

/// and read for so long at the most.
const LIFETIME: Duration = Duration::from_secs(30);

/// How long the others are watched before, and after.
const TIME: Duration = Duration::from_secs(3);

/// How often it is looked whether all have come.
const SLICE: Duration = Duration::from_millis(20);

/// No update may take longer than this, in milliseconds.
const MAX_WAIT: f64 = 1000.0;

/// Lets them come and vanish; returns what those saw that stay.
pub fn run(cores: Option<String>) -> io::Result<Tally> {
    let plant = Plant { symbols: SYMBOLS, rate: RATE, cores, settings: Vec::new() };
    let server = plant.start()?;
    let mut fleet = Fleet::new(server.address(), SYMBOLS)?;
    canary::join(&mut fleet, canary::clients(SYMBOLS));
    let args = format!("crowd --address {}", server.address());
    let coming = thread::spawn(move || Crowd::start(&args));
    while !coming.is_finished() {
        fleet.run(Instant::now() + SLICE)?;
    }
    let crowd = coming.join().map_err(|_| io::Error::other("the thread of the crowd has failed"))??;
    fleet.world().notes.tally.delays.reset();
    fleet.run(Instant::now() + TIME)?;
    let before = longest(&fleet.tally().delays);
    fleet.world().notes.tally.delays.reset();
    // The canary reads on while the process ends.
    let ending = thread::spawn(|| drop(crowd));
    fleet.run(Instant::now() + TIME)?;
    ending.join().map_err(|_| io::Error::other("the crowd cannot be killed"))?;
    fleet.each(Subscriber::settle);

    let mut tally = Tally::new();
    tally.add(fleet.tally());
    let wait = longest(&tally.delays);
    println!(
        "\nvanish: {CLIENTS} clients × {EACH} of {SYMBOLS} symbols are killed at once, {RATE} events a second\n  \
         longest wait of the canary {wait:.1} ms (before that {before:.1}), wanted below {MAX_WAIT}"
    );
    if wait >= MAX_WAIT {
        tally.violation("the others waited when clients vanished", format_args!("{wait:.0} ms"));
    }
    Ok(tally)
}

/// The greatest delay, in milliseconds.
fn longest(delays: &Histogram<u64>) -> f64 {
    float(delays.max()) / 1e6
}

/// What the process of those that vanish is told.
#[derive(Parser)]
struct Args {
    #[arg(long)]
    address: SocketAddr,
}

/// Connects the clients, says so, and reads until it is killed.
pub fn main() -> io::Result<()> {
    let args = Args::parse_from(env::args().skip(1));
    let mut fleet = Fleet::new(args.address, SYMBOLS)?;
    let mut begins = Instant::now();
    for number in 0..CLIENTS {
        let symbols = spread(number, EACH, SYMBOLS);
        let wants = Wants { symbols, delivery: Delivery::Latest(0), is_measured: false };
        fleet.subscribe(wants, Pace::Prompt, begins);
        begins += DISTANCE;
    }
    while !fleet.subscribers().all(Subscriber::is_level) {
        fleet.run(Instant::now() + SLICE)?;
    }
    println!();
    fleet.run(Instant::now() + LIFETIME)
}

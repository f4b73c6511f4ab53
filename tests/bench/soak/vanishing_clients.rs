//! Measures how the other clients are affected when a process with many clients is killed.
//!
//! The killed process runs the benchmark's own executable, with the command line `soak vanishing-clients
//! --address HOST:PORT`.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use hdrhistogram::Histogram;

use crate::canary::{self, spread};
use crate::client_process::ClientProcess;
use crate::fleet::Fleet;
use crate::results::Results;
use crate::server_under_test::ServerSettings;
use crate::statistics::float;
use crate::stream_checker::{Delivery, Subscription};
use crate::subscriber::{Pace, Subscriber};

/// The number of clients that vanish.
const CLIENTS: usize = 2000;

/// The number of symbols that each vanishing client subscribes to.
const EACH: usize = 100;

/// The number of symbols of the feed.
const SYMBOLS: usize = 500;

/// The number of events a second. This rate is low, so that the other clients' delays are short before the
/// kill.
const RATE: u32 = 1000;

/// The vanishing clients connect one after the other, with this pause between two clients.
const DISTANCE: Duration = Duration::from_micros(500);

/// The longest time that the vanishing clients read, if nobody kills their process.
const LIFETIME: Duration = Duration::from_secs(30);

/// The delays of the other clients are measured for this long before the kill, and for this long after it.
const TIME: Duration = Duration::from_secs(3);

/// The time between two checks whether all vanishing clients are connected.
const SLICE: Duration = Duration::from_millis(20);

/// After the kill, the greatest delay of an update must be below this limit, in milliseconds.
const MAX_WAIT: f64 = 1000.0;

/// Lets the vanishing clients connect, and kills their process. Returns the results of the remaining clients.
pub fn run(cores: Option<String>) -> io::Result<Results> {
    let settings = ServerSettings { symbols: SYMBOLS, rate: RATE, cores, environment: Vec::new() };
    let server = settings.start()?;
    let mut fleet = Fleet::new(server.address(), SYMBOLS)?;
    canary::join(&mut fleet, canary::clients(SYMBOLS));
    let args = format!("vanishing-clients --address {}", server.address());
    let coming = thread::spawn(move || ClientProcess::start(&args));
    while !coming.is_finished() {
        fleet.run(Instant::now() + SLICE)?;
    }
    let client_process = coming
        .join()
        .map_err(|_| io::Error::other("the thread that starts the client process has failed"))??;
    fleet.context().observations.results.delays.reset();
    fleet.run(Instant::now() + TIME)?;
    let before = longest(&fleet.results().delays);
    fleet.context().observations.results.delays.reset();
    // The canary continues to read while the process ends.
    let ending = thread::spawn(|| drop(client_process));
    fleet.run(Instant::now() + TIME)?;
    ending.join().map_err(|_| io::Error::other("the client process cannot be killed"))?;
    fleet.each(Subscriber::compare_counts);

    let mut results = Results::new();
    results.add(fleet.results());
    let wait = longest(&results.delays);
    println!(
        "\nvanish: {CLIENTS} clients × {EACH} of {SYMBOLS} symbols are killed at once, {RATE} events a second\n  \
         longest wait of the canary {wait:.1} ms (before that {before:.1}), must be below {MAX_WAIT}"
    );
    if wait >= MAX_WAIT {
        results.record_violation(
            "the others waited too long when clients vanished",
            format_args!("{wait:.0} ms"),
        );
    }
    Ok(results)
}

/// Returns the greatest delay, in milliseconds.
fn longest(delays: &Histogram<u64>) -> f64 {
    float(delays.max()) / 1e6
}

/// The arguments of the process with the vanishing clients.
#[derive(Parser)]
struct Args {
    #[arg(long)]
    address: SocketAddr,
}

/// The main function of the process with the vanishing clients. Connects these clients, writes a byte to
/// standard output, and reads until the process is killed.
pub fn main() -> io::Result<()> {
    let args = Args::parse_from(env::args().skip(1));
    let mut fleet = Fleet::new(args.address, SYMBOLS)?;
    let mut begins = Instant::now();
    for number in 0..CLIENTS {
        let symbols = spread(number, EACH, SYMBOLS);
        let subscription = Subscription { symbols, delivery: Delivery::Latest(0), is_measured: false };
        fleet.subscribe(subscription, Pace::Prompt, begins);
        begins += DISTANCE;
    }
    while !fleet.subscribers().all(Subscriber::is_caught_up) {
        fleet.run(Instant::now() + SLICE)?;
    }
    println!();
    fleet.run(Instant::now() + LIFETIME)
}

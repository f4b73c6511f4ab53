//! What the server promises, under strain: for long, on its worst day, when all come at once, and to the millisecond.
//!
//! Clients follow the protocol and check what it promises: `seq` ascends, nothing is lost and nothing comes twice,
//! not over any number of connections; a heartbeat's numbers are those of what came. A promise that is not kept is
//! told and counted, and the run fails. The server is a process of its own, all clients are this one.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 10
//! cargo bench --bench soak -- --seconds 60 --clients 1000 --rate 5000
//! cargo bench --bench soak -- --only market
//! cargo bench --bench soak -- --storm 10000 --rate 2000
//! cargo bench --bench soak -- --intervals 100,500
//! EARLIER=PATH cargo bench --bench soak -- --minutes 10
//! ```
//!
//! The soak itself (`--minutes`, `--seconds`) begins with clients that behave alone, for a fifth of its time; then
//! one in twenty of them is slow and one in a hundred means no good. Every so often it says what the server's memory and
//! the delay of a few undisturbed clients are; at the end the server is told to stop while all are connected.
//!
//! Then come the loads of a worst day, each for some seconds and on a server of its own; `--only` runs parts alone.
//! Events come faster than the server can send them to all ([overload]); many [vanish] at once; many take the whole
//! [market], and half of them read nothing.
//!
//! `--storm` breaks so many connections at once; all come back within five seconds with their cursors, and nothing may
//! be missing. `--intervals` looks at how long updates wait for clients with an interval of so many milliseconds.
//! Times are shown and fail nothing, for they are the machine's as well, but where a load of a worst day promises one.
//! `EARLIER` names the program of another build.

mod abuse;
mod canary;
#[path = "../crowd.rs"]
mod crowd;
mod fleet;
mod intervals;
mod ledger;
mod link;
mod long;
mod market;
mod overload;
mod plant;
#[path = "../process.rs"]
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod process;
mod storm;
mod subscriber;
#[path = "../table.rs"]
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod table;
mod tally;
#[path = "../update.rs"]
mod update;
mod vanish;
#[path = "../websocket.rs"]
mod websocket;
mod witness;
#[path = "../written.rs"]
mod written;

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use plant::Plant;
use tally::{Tally, list};

/// The parts behind the long one take about so long: it leaves them that much of the time, but keeps half of it.
const OTHERS: Duration = Duration::from_secs(50);

/// The core of the server while its clients read all that they can, where none is named: they would have that core, too, and
/// what waits in their own queues would be held against the server.
const OWN_CORE: &str = "0";

/// See whether the server keeps its promises under strain
#[derive(Parser)]
struct Args {
    /// How long to soak, in minutes
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: Option<u64>,
    /// How long to soak, or to look at each interval, in seconds [default: 60; 20 for an interval]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10..=600_000))]
    seconds: Option<u64>,
    /// How many clients soak, take the whole market, are there in overload, or have an interval
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(20..=9000))]
    clients: u32,
    /// Events a second of the simulated feed
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Run these parts alone
    #[arg(long, value_name = "PARTS", value_delimiter = ',', conflicts_with_all = ["storm", "intervals"])]
    only: Vec<Part>,
    /// How often the soak says how it goes, in seconds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    report: u64,
    /// Break so many connections at once and see what comes back
    #[arg(long, value_name = "CLIENTS", conflicts_with_all = ["intervals", "minutes", "seconds"])]
    #[arg(value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    storm: Option<u32>,
    /// See how long updates wait for clients with these intervals, in milliseconds
    #[arg(long, value_name = "MS", value_delimiter = ',', conflicts_with = "minutes")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=60_000))]
    intervals: Vec<u32>,
    /// Cores of the server, e.g. 0; the clients get the others [default: the system decides]
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
    /// Said by cargo bench; without it nothing runs, so that cargo test does not soak
    #[arg(long, hide = true)]
    bench: bool,
}

/// What runs without `--storm` and `--intervals`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Long,
    Overload,
    Vanish,
    Market,
}

fn main() -> ExitCode {
    let result = match env::args().nth(1).as_deref() {
        Some("crowd") => vanish::main().map(|()| ExitCode::SUCCESS),
        _ => run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn run() -> io::Result<ExitCode> {
    let args = Args::parse();
    if !args.bench {
        println!("this is a benchmark: cargo bench --bench soak");
        return Ok(ExitCode::SUCCESS);
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let cores = args.cores.as_deref().and_then(process::pin);
    let seconds = args.minutes.map(|minutes| minutes * 60).or(args.seconds);
    let mut tally = Tally::new();
    if let Some(clients) = args.storm {
        let plant = Plant { symbols: 500, rate: args.rate, cores, settings: Vec::new() };
        tally.add(&storm::run(&plant, clients)?);
    } else if args.intervals.is_empty() {
        let parts = if args.only.is_empty() { Part::value_variants() } else { &args.only };
        for part in parts {
            tally.add(&part.run(&args, seconds, cores.clone())?);
        }
    } else {
        // With few symbols, so that each has several events in an interval.
        let plant = Plant { symbols: 50, rate: args.rate, cores, settings: Vec::new() };
        let time = Duration::from_secs(seconds.unwrap_or(20));
        for interval in args.intervals {
            tally.add(&intervals::run(&plant, args.clients, interval, time)?);
        }
    }
    Ok(verdict(&tally))
}

impl Part {
    fn run(self, args: &Args, seconds: Option<u64>, cores: Option<String>) -> io::Result<Tally> {
        match self {
            Self::Long => {
                let plant = Plant { symbols: 500, rate: args.rate, cores, settings: Vec::new() };
                let whole = Duration::from_secs(seconds.unwrap_or(60));
                let is_alone = !args.only.is_empty();
                let time = if is_alone { whole } else { whole.saturating_sub(OTHERS).max(whole / 2) };
                long::run(&plant, args.clients, time, Duration::from_secs(args.report))
            }
            Self::Overload => {
                let cores = cores.or_else(|| process::pin(OWN_CORE));
                overload::run(args.clients, cores.as_deref())
            }
            Self::Vanish => vanish::run(cores),
            Self::Market => {
                let cores = cores.or_else(|| process::pin(OWN_CORE));
                market::run(args.clients, cores.as_deref())
            }
        }
    }
}

/// Says whether all promises were kept.
fn verdict(tally: &Tally) -> ExitCode {
    if tally.violations.is_empty() {
        println!("\nall promises kept");
        return ExitCode::SUCCESS;
    }
    println!("\npromises not kept: {}", list(&tally.violations));
    ExitCode::FAILURE
}

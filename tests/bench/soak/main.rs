//! Checks the server's promises under strain: in a long run, in overload, and when all clients reconnect at
//! once.
//!
//! The well-behaved clients check whether the server keeps the promises of the protocol. One promise is that
//! `seq` ascends. Another promise is that no event is lost or sent twice, even over several connections. The
//! counts in a heartbeat must match the frames that arrived. If the server breaks a promise, the benchmark
//! prints the broken promise and fails. The server runs in a process of its own, and the clients run in the
//! benchmark's process.
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
//! For the first fifth of the long soak (`--minutes`, `--seconds`), all clients are well-behaved. Then slow
//! clients (one in twenty) and hostile clients (one in a hundred) join. At regular intervals, the soak prints
//! the server's memory and the delays of the canary clients. The canary clients are a few well-behaved
//! clients on a thread of their own. At the end the server shuts down while all clients are connected.
//!
//! Then three extreme loads follow. Each load runs for some seconds on a server of its own. The flag `--only`
//! selects parts of the benchmark by name. The parts besides the long soak are:
//!
//! - `overload`: events are published faster than the server can send all of them.
//! - `vanish`: many clients vanish at once.
//! - `market`: many clients subscribe to all symbols, and half of them read nothing.
//!
//! `--storm N` cuts N connections at once. The clients of these connections connect again within five seconds
//! and resume with their cursors. No event may be missing. `--intervals MS,MS` measures the delays of updates
//! to clients with the given conflation intervals.
//!
//! Delays depend on the speed of the machine, so most delays are only printed. Under the extreme loads,
//! however, the benchmark fails if a delay exceeds its limit. If the environment variable `EARLIER` names the
//! server program of another build, the benchmark tests that program.

mod canary;
#[path = "../client_process.rs"]
mod client_process;
mod connection;
#[path = "../event_writer.rs"]
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod event_writer;
mod fleet;
mod hostile_client;
mod intervals;
mod long_soak;
#[path = "../market_frame.rs"]
mod market_frame;
mod memory_bound;
mod overload;
#[path = "../process.rs"]
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod process;
mod published_events;
mod reconnect_storm;
mod results;
mod server_under_test;
#[path = "../statistics.rs"]
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod statistics;
#[path = "../stdin_feed.rs"]
mod stdin_feed;
mod stream_checker;
mod subscriber;
mod vanishing_clients;
#[path = "../websocket.rs"]
mod websocket;
mod whole_market;

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use results::{Results, list};
use server_under_test::ServerSettings;

/// Approximately how long all parts after the long soak take together. The long soak is shortened by this
/// duration, but at most by half.
const OTHERS: Duration = Duration::from_secs(50);

/// The server's default core in `overload` and `market`. If the clients ran on the server's core, they would
/// read slowly. The clients' own delay would then count as the server's delay.
const OWN_CORE: &str = "0";

/// Check the server's promises under strain
#[derive(Parser)]
struct Args {
    /// Duration of the soak, in minutes
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: Option<u64>,
    /// Duration of the soak or of each interval's measurement, in seconds [default: 60; 20 for an interval]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10..=600_000))]
    seconds: Option<u64>,
    /// Number of clients in the soak, in overload, in market, or with each interval
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(20..=9000))]
    clients: u32,
    /// Events a second of the simulated feed
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Run only these parts
    #[arg(long, value_name = "PARTS", value_delimiter = ',', conflicts_with_all = ["storm", "intervals"])]
    only: Vec<Part>,
    /// Seconds between two reports of the soak
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    report: u64,
    /// Cut this many connections at once, and check that all clients resume without loss
    #[arg(long, value_name = "CLIENTS", conflicts_with_all = ["intervals", "minutes", "seconds"])]
    #[arg(value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    storm: Option<u32>,
    /// Measure the delays of updates to clients with these conflation intervals, given in milliseconds
    #[arg(long, value_name = "MS", value_delimiter = ',', conflicts_with = "minutes")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=60_000))]
    intervals: Vec<u32>,
    /// Cores of the server, e.g. 0; the clients use the other cores [default: the system decides]
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
    /// Set by cargo bench; without this flag the program does nothing, so that cargo test does not run the
    /// soak
    #[arg(long, hide = true)]
    bench: bool,
}

/// The parts of the benchmark that run if neither `--storm` nor `--intervals` is given.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Long,
    Overload,
    Vanish,
    Market,
}

fn main() -> ExitCode {
    let result = match env::args().nth(1).as_deref() {
        Some("vanishing-clients") => vanishing_clients::main().map(|()| ExitCode::SUCCESS),
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
    let mut results = Results::new();
    if let Some(clients) = args.storm {
        let settings = ServerSettings { symbols: 500, rate: args.rate, cores, environment: Vec::new() };
        results.add(&reconnect_storm::run(&settings, clients)?);
    } else if args.intervals.is_empty() {
        let parts = if args.only.is_empty() { Part::value_variants() } else { &args.only };
        for part in parts {
            results.add(&part.run(&args, seconds, cores.clone())?);
        }
    } else {
        // With few symbols, each symbol has several events in an interval.
        let settings = ServerSettings { symbols: 50, rate: args.rate, cores, environment: Vec::new() };
        let time = Duration::from_secs(seconds.unwrap_or(20));
        for interval in args.intervals {
            results.add(&intervals::run(&settings, args.clients, interval, time)?);
        }
    }
    Ok(verdict(&results))
}

impl Part {
    fn run(self, args: &Args, seconds: Option<u64>, cores: Option<String>) -> io::Result<Results> {
        match self {
            Self::Long => {
                let settings =
                    ServerSettings { symbols: 500, rate: args.rate, cores, environment: Vec::new() };
                let whole = Duration::from_secs(seconds.unwrap_or(60));
                let is_alone = !args.only.is_empty();
                let time = if is_alone { whole } else { whole.saturating_sub(OTHERS).max(whole / 2) };
                long_soak::run(&settings, args.clients, time, Duration::from_secs(args.report))
            }
            Self::Overload => {
                let cores = cores.or_else(|| process::pin(OWN_CORE));
                overload::run(args.clients, cores.as_deref())
            }
            Self::Vanish => vanishing_clients::run(cores),
            Self::Market => {
                let cores = cores.or_else(|| process::pin(OWN_CORE));
                whole_market::run(args.clients, cores.as_deref())
            }
        }
    }
}

/// Prints whether all promises were kept.
fn verdict(results: &Results) -> ExitCode {
    if results.violations.is_empty() {
        println!("\nall promises kept");
        return ExitCode::SUCCESS;
    }
    println!("\npromises not kept: {}", list(&results.violations));
    ExitCode::FAILURE
}

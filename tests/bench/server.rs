//! What the whole server costs, with real sockets: the server is one process, its clients are this one.
//!
//! Each run starts a server of its own, connects the clients of a scenario, lets a feed run on its schedule, and asks
//! the system for the server's time on a core. A delay is what lies between an event's own time, at which
//! it was due, and the moment at which a client has read it: a server that falls behind shows it.
//!
//! Ours is compared with the bare limit, which is a loop of ours that only writes, and with Bun and Node's `ws`, which
//! npm installs where they are not there yet. All take turns, so that the machine's moods meet all alike. The
//! servers are kept on one core and the clients on the others.
//!
//! Benchmarks measure and tests decide: faults are counted and shown, and nothing fails for being slow.
//!
//! ```text
//! cargo bench --bench server
//! cargo bench --bench server -- A B --flush-window 0ms,1ms,2ms,5ms --repeat 5
//! cargo bench --bench server -- A --servers tickerplant --cores 0,1 --shards 1,2
//! ```
//!
//! The scenarios: A is many clients and symbols, B few clients that take everything, C many clients with one symbol
//! each, D a high rate for ours alone, S one symbol for all, where the order of the clients shows, and L events that
//! this process writes as they happen, each to a server that is idle.
//!
//! The environment configures the server as always, e.g. `TICKERPLANT_SESSION__HEARTBEAT=1s`. Memory a client counts
//! all that the server took since the first connected, the growing history included: it says little for few clients.

mod arrivals;
mod bare;
mod clients;
mod peers;
mod process;
mod run;
mod scenario;
mod table;
mod update;
mod written;

use std::env;
use std::io;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use clap::Parser;

use peers::{Contender, Kind};
use run::{Figures, Plan};
use scenario::{Feed, Scenario};
use table::Spread;

/// Measure the whole server under load
#[derive(Parser)]
struct Args {
    /// The scenarios to run, e.g. A C; all of them where none is named
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<char>,
    /// What to compare
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "tickerplant,bare,collecting,bun,ws"
    )]
    servers: Vec<Kind>,
    /// Flush windows of the server to compare, e.g. 0ms,2ms
    #[arg(long, value_name = "TIMES", value_delimiter = ',')]
    flush_window: Vec<String>,
    /// Numbers of shards of the server to compare, e.g. 1,2
    #[arg(long, value_name = "N", value_delimiter = ',')]
    shards: Vec<u32>,
    /// Cores of the servers, e.g. 0,1; the clients have the others, or share them where there are none
    #[arg(long, value_name = "LIST", default_value = "0")]
    cores: String,
    /// Events a second, instead of the scenario's own
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// How many runs each line sums up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Seconds that are measured in each run
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Seconds before that
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=600))]
    warm_up: u32,
    /// Said by cargo bench; without it nothing runs, so that cargo test does not measure
    #[arg(long, hide = true)]
    bench: bool,
}

/// A line of the table: a server in a scenario, and its runs so far.
struct Line {
    scenario: Scenario,
    contender: Contender,
    runs: Vec<Figures>,
}

fn main() -> io::Result<()> {
    if env::args().nth(1).is_some_and(|first| first == "bare") {
        return bare::main();
    }
    let args = Args::parse();
    if !args.bench {
        println!("this is a benchmark: cargo bench --bench server");
        return Ok(());
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let plan = Plan {
        cores: pin(&args.cores),
        warm_up: Duration::from_secs(args.warm_up.into()),
        time: Duration::from_secs(args.seconds.into()),
    };
    let kinds = peers::available(&args.servers)?;
    let mut lines = args.lines(&kinds);
    if lines.is_empty() {
        return Err(io::Error::other("scenarios are A, B, C, D, S and L"));
    }
    for turn in 1..=args.repeat {
        for line in &mut lines {
            eprintln!("run {turn} of {}: {}, {}", args.repeat, line.scenario.name, line.contender.title());
            line.runs.push(plan.run(&line.contender, &line.scenario)?);
        }
    }
    print(&lines);
    Ok(())
}

impl Args {
    fn runs(&self, scenario: char) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario)
    }

    fn lines(&self, kinds: &[Kind]) -> Vec<Line> {
        let some = |windows: &[String]| windows.iter().cloned().map(Some).collect::<Vec<_>>();
        let shards: Vec<_> = self.shards.iter().copied().map(Some).collect();
        let shards = if shards.is_empty() { vec![None] } else { shards };
        let mut lines = Vec::new();
        for scenario in scenario::ALL.into_iter().filter(|scenario| self.runs(scenario.name)) {
            let windows = match (self.flush_window.as_slice(), scenario.feed) {
                ([], Feed::Simulated) => vec![None],
                ([], Feed::Written) => vec![Some("0ms".to_owned()), None],
                (windows, _) => some(windows),
            };
            let only_ours = scenario.name == 'D' || scenario.feed == Feed::Written;
            let kinds: Vec<_> =
                kinds.iter().copied().filter(|kind| *kind == Kind::Tickerplant || !only_ours).collect();
            let scenario = Scenario { rate: self.rate.unwrap_or(scenario.rate), ..scenario };
            let contenders = Contender::all(&kinds, &windows, &shards);
            lines.extend(contenders.into_iter().map(|contender| Line {
                scenario,
                contender,
                runs: Vec::new(),
            }));
        }
        lines
    }
}

/// Keeps this process off the servers' cores, where there are others; returns the servers' cores, where they can be
/// fixed at all.
fn pin(cores: &str) -> Option<String> {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let is_servers = |core: &String| cores.split(',').any(|taken| taken.trim() == core);
    let mut others: Vec<_> =
        (0..count).map(|core| core.to_string()).filter(|core| !is_servers(core)).collect();
    if others.is_empty() {
        others = (0..count).map(|core| core.to_string()).collect();
    }
    let taskset = Command::new("taskset")
        .args(["--cpu-list", "--pid", &others.join(","), &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status();
    if taskset.is_ok_and(|status| status.success()) {
        println!("servers on core {cores}, clients on core {}", others.join(","));
        return Some(cores.to_owned());
    }
    println!("servers and clients run wherever the system puts them: taskset cannot fix their cores");
    None
}

impl Line {
    fn spread(&self, figure: impl Fn(&Figures) -> f64) -> Spread {
        Spread::of(self.runs.iter().map(figure))
    }

    fn print(&self) {
        let middle = |figure: fn(&Figures) -> f64| self.spread(figure).middle;
        let behind = self.runs.iter().filter(|run| run.is_behind).count();
        let faults: u64 = self.runs.iter().map(|run| run.faults).sum();
        let verdict = if behind > 0 { ", falls behind" } else { "" };
        println!(
            "  {:<22} {:>8.0} {:>10.0} {:>18} {:>8.2} {:>20} {:>8.2} {:>8.2} {:>5.2}–{:<5.2} {:>7.1} {:>8.1} {:>8.0} \
             {:>7}{verdict}",
            self.contender.title(),
            middle(|run| run.events),
            middle(|run| run.updates),
            self.spread(|run| run.cpu).text(2),
            middle(|run| run.p50),
            self.spread(|run| run.p99).text(2),
            middle(|run| run.skew),
            middle(|run| run.skew_p99),
            middle(|run| run.places.0),
            middle(|run| run.places.1),
            middle(|run| run.batch),
            middle(|run| run.memory),
            middle(|run| run.load),
            faults
        );
    }

    /// How much of a core an update took, against another server in the same turns.
    fn print_ratio(&self, other: &Self) {
        let cpu = |line: &Self| line.runs.iter().map(|run| run.cpu).collect::<Vec<_>>();
        let Spread { least, middle, most } = Spread::of_ratios(&cpu(self), &cpu(other));
        println!(
            "  CPU an update, {} / {}: {middle:.2} ({least:.2} to {most:.2})",
            self.contender.title(),
            other.contender.title()
        );
    }
}

fn print(lines: &[Line]) {
    for lines in lines.chunk_by(|one, next| one.scenario.name == next.scenario.name) {
        println!("\n{}", lines[0].scenario.title());
        println!(
            "  {:<22} {:>8} {:>10} {:>18} {:>8} {:>20} {:>8} {:>8} {:^11} {:>7} {:>8} {:>8}",
            "",
            "events",
            "updates",
            "CPU µs an update",
            "delay",
            "delay p99 ms",
            "skew",
            "skew",
            "clients'",
            "updates",
            "KiB a",
            "clients'"
        );
        println!(
            "  {:<22} {:>8} {:>10} {:>18} {:>8} {:>20} {:>8} {:>8} {:^11} {:>7} {:>8} {:>8} {:>7}",
            "",
            "a second",
            "a second",
            "least/middle/most",
            "p50 ms",
            "least/middle/most",
            "p50 ms",
            "p99 ms",
            "mean place",
            "a read",
            "client",
            "core %",
            "faults"
        );
        lines.iter().for_each(Line::print);
        let is_ours = |line: &&Line| line.contender.kind == Kind::Tickerplant;
        for ours in lines.iter().filter(is_ours) {
            for other in lines.iter().filter(|line| !is_ours(line)) {
                ours.print_ratio(other);
            }
        }
    }
}

//! Measures the cost of the whole server over real sockets. The server runs in a process of its own, and this
//! process runs the clients.
//!
//! Each run starts a new server and connects the clients of a scenario. The operating system reports the
//! server's CPU time.
//!
//! In the scenarios A, B, C and L, this process writes each event to the standard input of the server. In
//! scenario R, one client sends the events as messages, and the server relays the messages to the other
//! clients. In these five scenarios, the first event is sent after all clients have connected. The intervals
//! between events are equal, and all servers get the same events. A delay begins when this process creates
//! the event, and ends when a client has read the event. On a busy machine, this process writes some events
//! late. The tables show how late this process writes events.
//!
//! In the scenarios F, D and S, each server creates the events itself. The server publishes the due events at
//! most once a millisecond, so several events are sent together. In the scenarios F, D and S, a delay begins
//! when an event is due. A server that falls behind therefore has long delays.
//!
//! Our server is compared with Bun, with Node's `ws`, and with a write-only server of ours (`bare`). The
//! benchmark installs Bun and `ws` with npm if they are missing. The servers take turns, so that other load
//! on the machine affects all servers. The servers run on one core, and the clients on the other cores.
//!
//! The clients speak WebSocket. In scenario C, and in the measurement of idle connections, our server also runs
//! with clients of `/sse` and of `/ndjson`. These clients count the same faults. The benchmark prints the ratios
//! of the streams' figures to the WebSocket clients' figures.
//!
//! The benchmark counts and prints faults, such as lost events. A slow result does not fail the benchmark.
//!
//! ```text
//! cargo bench --bench server
//! cargo bench --bench server -- A B --flush-window 0ms,1ms,2ms,5ms --repeat 5
//! cargo bench --bench server -- A --servers tickerplant --cores 0,1 --shards 1,2
//! cargo bench --bench server -- --top --servers tickerplant,bun --repeat 1
//! cargo bench --bench server -- C --servers tickerplant,sse,ndjson --repeat 7
//! cargo bench --bench server -- --memory 19900 --stalled
//! cargo bench --bench server -- --vanish 10000
//! EARLIER=PATH cargo bench --bench server -- A B C --servers tickerplant,earlier --repeat 15
//! ```
//!
//! The scenarios:
//!
//! | | clients | events a second | updates a second | events from |
//! |---|---|---|---|---|
//! | A | 1,000 × 10 of 500 symbols | 5,000 | 100,000 | standard input |
//! | B | 100 × all of 50 symbols | 1,000 | 100,000 | standard input |
//! | C | 10,000 × 1 of 100 symbols | 600 | 60,000 | standard input |
//! | L | 1,000 × 10 of 500 symbols: a light load | 1,000 | 20,000 | standard input |
//! | R | 100 plain clients | 2,000 | 200,000 | a client whose messages are relayed |
//! | F | as A | 5,000 | 100,000 | the server's simulation |
//! | D | 100 × 10 of 500 symbols, for our server alone | 50,000 | 100,000 | the server's simulation |
//! | S | 1,000 × 1 symbol, the same for all | 20 | 20,000 | the server's simulation |
//!
//! The write-only server relays no messages, so it does not run scenario R. In scenario R, the sender gets
//! its own messages back, but these messages do not count as updates.
//!
//! The tables show the CPU time for each update, and the delays of the updates. The tables also show how much
//! later the last client reads an event than the first client does. Each figure is the median of all runs.
//! Some columns also show the least and the greatest value. In each turn of the benchmark, every server runs
//! once. To compare two servers, the benchmark computes the ratio of their figures in each turn. The printed
//! ratio is the median of these ratios.
//!
//! `--top` searches for the highest rate that a server keeps up with. The search runs with the clients of the
//! scenarios A and B. If the command line names only A or only B, the search runs only with the clients of
//! that scenario. In the search, the servers create the events. `--memory N` measures the memory of N idle
//! connections. `--stalled` runs scenario C with additional clients that never read. `--vanish N` measures
//! how another client is affected when N clients are killed at once. Without arguments, the benchmark runs
//! the scenarios and the four measurements `--top`, `--memory`, `--stalled` and `--vanish`. The whole
//! benchmark takes about an hour.
//!
//! Environment variables configure the server as usual, for example `TICKERPLANT_SESSION__HEARTBEAT=1s`. The
//! clients of streams need a heartbeat at least every ten seconds. In the tables, the memory for each client includes everything that the server allocates from the first
//! connection on, for example the history. With few clients, the memory for each client therefore says little
//! about the memory of a connection.

mod arrivals;
mod client_process;
mod clients;
mod comparison;
mod contenders;
mod event_writer;
mod framing;
mod handshake;
mod idle_memory;
mod market_frame;
#[allow(dead_code, reason = "the soak uses the rest")]
mod process;
mod rate_search;
mod relay_sender;
mod runner;
mod scenario;
mod snapshot_requests;
mod stalled_clients;
mod statistics;
mod stdin_feed;
mod vanishing_clients;
mod websocket;
mod write_only_feed;
mod write_only_server;

use std::env;
use std::io;
use std::time::Duration;

use clap::Parser;

use comparison::Line;
use contenders::{Contender, Kind};
use framing::Framing;
use idle_memory::IdleMemory;
use rate_search::RateSearch;
use runner::Runner;
use scenario::Scenario;
use snapshot_requests::SnapshotPairs;
use stalled_clients::StalledPairs;
use vanishing_clients::VanishPairs;

/// The default number of idle connections and of vanishing clients.
const MANY: u32 = 10_000;

/// Measure the whole server under load
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Args {
    /// Scenarios to run, such as A C R [default: all]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<char>,
    /// Servers to compare
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "tickerplant,sse,ndjson,bare,collecting,bun,ws"
    )]
    servers: Vec<Kind>,
    /// Flush windows to compare, such as 0ms,2ms
    #[arg(long, value_name = "TIMES", value_delimiter = ',')]
    flush_window: Vec<String>,
    /// Shard counts to compare, such as 1,2
    #[arg(long, value_name = "N", value_delimiter = ',')]
    shards: Vec<u32>,
    /// Cores of the servers, such as 0,1; the clients use the other cores, or all cores if none is left
    #[arg(long, value_name = "LIST", default_value = "0")]
    cores: String,
    /// Events a second, instead of the scenario's own rate
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Number of runs of each server in each scenario
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Seconds that each run measures [default: 5; 20 with clients that never read; 2 at each rate of a search]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: Option<u32>,
    /// Seconds that the clients read before the measurement
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=600))]
    warm_up: u32,
    /// Search for the highest rate that each server keeps up with
    #[arg(long)]
    top: bool,
    /// Measure the memory of this many idle connections
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    memory: Option<u32>,
    /// Measure how clients that never read affect the other clients
    #[arg(long)]
    stalled: bool,
    /// Measure how requests for all snapshots affect the clients
    #[arg(long)]
    snapshots: bool,
    /// Measure how another client is affected when this many clients vanish at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    vanish: Option<u32>,
    /// Set by cargo bench; without it nothing runs, so that cargo test does not measure
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> io::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("bare") => return write_only_server::main(),
        Some("vanishing-clients") => return vanishing_clients::main(),
        _ => {}
    }
    let args = Args::parse();
    if !args.bench {
        println!("this is a benchmark: cargo bench --bench server");
        return Ok(());
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let cores = process::pin(&args.cores);
    let kinds = contenders::available(&args.servers)?;
    let is_part_named =
        args.top || args.memory.is_some() || args.stalled || args.snapshots || args.vanish.is_some();
    let is_all = !is_part_named && args.scenarios.is_empty();
    if !is_part_named {
        args.run_scenarios(&kinds, cores.clone())?;
    }
    if args.top || is_all {
        args.search_highest_rates(&kinds, cores.clone())?;
    }
    if let Some(clients) = args.memory.or(is_all.then_some(MANY)) {
        args.measure_idle_memory(&kinds, clients, cores.clone())?;
    }
    if args.stalled || is_all {
        args.measure_stalled_clients(&kinds, cores.clone())?;
    }
    if args.snapshots || is_all {
        args.measure_snapshot_requests(&kinds, cores.clone())?;
    }
    if let Some(clients) = args.vanish.or(is_all.then_some(MANY)) {
        args.measure_vanishing_clients(&kinds, clients, cores)?;
    }
    Ok(())
}

impl Args {
    fn runs(&self, scenario: char) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario)
    }

    fn runner(&self, default: u32, cores: Option<String>) -> Runner {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Runner { cores, warm_up: seconds(self.warm_up), time: seconds(self.seconds.unwrap_or(default)) }
    }

    /// Returns the servers that are compared in a scenario.
    fn contenders(&self, kinds: &[Kind], scenario: &Scenario) -> Vec<Contender> {
        let runs = |kind: &&Kind| {
            let is_stream = kind.framing() != Framing::WebSocket;
            kind.has(scenario.feed)
                && (kind.is_ours() || scenario.name != 'D')
                && (!is_stream || scenario.name == 'C')
        };
        let kinds: Vec<_> = kinds.iter().filter(runs).copied().collect();
        let windows = match self.flush_window.as_slice() {
            [] => vec![None],
            windows => windows.iter().cloned().map(Some).collect(),
        };
        let shards = match self.shards.as_slice() {
            [] => vec![None],
            shards => shards.iter().copied().map(Some).collect(),
        };
        Contender::all(&kinds, &windows, &shards)
    }

    fn scenarios(&self) -> impl Iterator<Item = Scenario> {
        let named = scenario::ALL.into_iter().filter(|scenario| self.runs(scenario.name));
        named.map(|scenario| Scenario { rate: self.rate.unwrap_or(scenario.rate), ..scenario })
    }

    /// Runs `--repeat` turns. Each turn calls `run` once with each item of `all`. After each turn, the order
    /// of the items is reversed, because the first server of a turn may use a few per cent more CPU time.
    fn take_turns<T>(&self, all: &mut [T], mut run: impl FnMut(&mut T) -> io::Result<()>) -> io::Result<()> {
        for turn in 1..=self.repeat {
            eprintln!("turn {turn} of {}", self.repeat);
            all.iter_mut().try_for_each(&mut run)?;
            all.reverse();
        }
        if self.repeat % 2 == 1 {
            all.reverse();
        }
        Ok(())
    }

    fn run_scenarios(&self, kinds: &[Kind], cores: Option<String>) -> io::Result<()> {
        let mut lines = Vec::new();
        for scenario in self.scenarios() {
            let contenders = self.contenders(kinds, &scenario).into_iter();
            lines.extend(contenders.map(|contender| Line::new(scenario, contender)));
        }
        if lines.is_empty() {
            return Err(io::Error::other(
                "scenarios are A, B, C, L, R, F, D and S; D runs only tickerplant, sse and ndjson run only C, and \
                 bare has no R",
            ));
        }
        let runner = self.runner(5, cores);
        self.take_turns(&mut lines, |line| {
            eprintln!("{}, {}", line.scenario.name, line.contender.title());
            line.run(&runner);
            Ok(())
        })?;
        comparison::print(&lines);
        Ok(())
    }

    fn search_highest_rates(&self, kinds: &[Kind], cores: Option<String>) -> io::Result<()> {
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| *kind != Kind::Ws).collect();
        let mut searches = Vec::new();
        for scenario in self.scenarios().filter(|scenario| matches!(scenario.name, 'A' | 'B')) {
            let contenders = self.contenders(&kinds, &scenario).into_iter();
            searches.extend(contenders.map(|contender| RateSearch::new(scenario, contender)));
        }
        let runner = self.runner(2, cores);
        self.take_turns(&mut searches, |search| {
            eprintln!("highest rate of {}, {}", search.scenario.name, search.contender.title());
            search.run(&runner)
        })?;
        rate_search::print(&searches);
        Ok(())
    }

    fn measure_idle_memory(&self, kinds: &[Kind], clients: u32, cores: Option<String>) -> io::Result<()> {
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| *kind != Kind::Collecting).collect();
        let contenders = Contender::all(&kinds, &[None], &[None]).into_iter();
        let mut all: Vec<_> = contenders.map(|contender| IdleMemory::new(contender, clients)).collect();
        let runner = self.runner(2, cores);
        self.take_turns(&mut all, |idle| {
            eprintln!("{clients} idle connections, {}", idle.contender.title());
            idle.run(&runner)
        })?;
        idle_memory::print(&all);
        Ok(())
    }

    fn measure_stalled_clients(&self, kinds: &[Kind], cores: Option<String>) -> io::Result<()> {
        let is_c = |scenario: &Scenario| scenario.name == 'C';
        let scenario = scenario::ALL.into_iter().find(is_c).expect("there is a scenario C");
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| *kind == Kind::Tickerplant).collect();
        let contenders = self.contenders(&kinds, &scenario).into_iter();
        let mut all: Vec<_> = contenders.map(|contender| StalledPairs::new(scenario, contender)).collect();
        let runner = self.runner(20, cores);
        self.take_turns(&mut all, |pairs| {
            eprintln!("clients that never read, {}", pairs.contender.title());
            pairs.run(&runner)
        })?;
        stalled_clients::print(&all);
        Ok(())
    }

    fn measure_snapshot_requests(&self, kinds: &[Kind], cores: Option<String>) -> io::Result<()> {
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| *kind == Kind::Tickerplant).collect();
        let contenders = Contender::all(&kinds, &[None], &[None]).into_iter();
        let mut all: Vec<_> = contenders.map(SnapshotPairs::new).collect();
        let runner = self.runner(10, cores);
        self.take_turns(&mut all, |pairs| {
            eprintln!("requests for all snapshots, {}", pairs.contender.title());
            pairs.run(&runner)
        })?;
        snapshot_requests::print(&all);
        Ok(())
    }

    fn measure_vanishing_clients(
        &self,
        kinds: &[Kind],
        clients: u32,
        cores: Option<String>,
    ) -> io::Result<()> {
        let is_measured = |kind: &Kind| kind.is_ours() && kind.framing() == Framing::WebSocket;
        let kinds: Vec<_> = kinds.iter().copied().filter(is_measured).collect();
        let contenders = Contender::all(&kinds, &[None], &[None]).into_iter();
        let mut all: Vec<_> = contenders.map(|contender| VanishPairs::new(contender, clients)).collect();
        let runner = self.runner(5, cores);
        self.take_turns(&mut all, |pairs| {
            eprintln!("{clients} clients that vanish, {}", pairs.contender.title());
            pairs.run(&runner)
        })?;
        vanishing_clients::print(&all);
        Ok(())
    }
}

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
//! cargo bench --bench server -- --top --servers tickerplant,bun --repeat 1
//! cargo bench --bench server -- --memory 19900 --stalled
//! cargo bench --bench server -- --vanish 10000
//! EARLIER=PATH cargo bench --bench server -- A B C --servers tickerplant,earlier --repeat 15
//! ```
//!
//! The scenarios: A is many clients and symbols, B few clients that take everything, C many clients with one symbol
//! each, D a high rate for ours alone, S one symbol for all, where the order of the clients shows, and L events that
//! this process writes as they happen, each to a server that is idle. `--top` searches the highest rate that a server
//! keeps up with in A and B, or those of them that are named; `--memory` looks at so many idle connections; `--stalled`
//! adds clients to C that never read; `--vanish` kills so many clients at once. Without arguments all of it runs, for some
//! forty minutes.
//!
//! The environment configures the server as always, e.g. `TICKERPLANT_SESSION__HEARTBEAT=1s`. Memory a client counts
//! all that the server took since the first connected, the growing history included: it says little for few clients.

mod arrivals;
mod bare;
mod clients;
mod comparison;
mod crowd;
mod memory;
mod peers;
#[allow(dead_code, reason = "the soak stops its server, this one ends with it")]
mod process;
mod run;
mod scenario;
mod stalled;
mod table;
mod top;
mod update;
mod vanish;
mod websocket;
mod written;

use std::env;
use std::io;
use std::time::Duration;

use clap::Parser;

use comparison::Line;
use memory::Idle;
use peers::{Contender, Kind};
use run::Plan;
use scenario::{Feed, Scenario};
use stalled::Pairs;
use top::Search;

/// Idle connections, and clients that vanish, where no number is given.
const IDLE: u32 = 10_000;

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
    /// Seconds that are measured in each run [default: 5; 20 with clients that never read, 2 at each rate of a search]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: Option<u32>,
    /// Seconds before that
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=600))]
    warm_up: u32,
    /// Search the highest rate that each server keeps up with
    #[arg(long)]
    top: bool,
    /// Look at the memory of so many idle connections
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    memory: Option<u32>,
    /// See what the others notice of clients that never read
    #[arg(long)]
    stalled: bool,
    /// See what another client notices when so many vanish at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    vanish: Option<u32>,
    /// Said by cargo bench; without it nothing runs, so that cargo test does not measure
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> io::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("bare") => return bare::main(),
        Some("crowd") => return vanish::main(),
        _ => {}
    }
    let args = Args::parse();
    if !args.bench {
        println!("this is a benchmark: cargo bench --bench server");
        return Ok(());
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let cores = process::pin(&args.cores);
    let kinds = peers::available(&args.servers)?;
    let names_a_part = args.top || args.memory.is_some() || args.stalled || args.vanish.is_some();
    let is_all = !names_a_part && args.scenarios.is_empty();
    if !names_a_part {
        args.run_scenarios(&kinds, cores.clone())?;
    }
    if args.top || is_all {
        args.search_tops(&kinds, cores.clone())?;
    }
    if let Some(clients) = args.memory.or(is_all.then_some(IDLE)) {
        args.look_at_memory(&kinds, clients, cores.clone())?;
    }
    if args.stalled || is_all {
        args.stall(&kinds, cores.clone())?;
    }
    if let Some(clients) = args.vanish.or(is_all.then_some(IDLE)) {
        args.let_vanish(&kinds, clients, cores)?;
    }
    Ok(())
}

impl Args {
    fn runs(&self, scenario: char) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario)
    }

    fn plan(&self, default: u32, cores: Option<String>) -> Plan {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Plan { cores, warm_up: seconds(self.warm_up), time: seconds(self.seconds.unwrap_or(default)) }
    }

    /// What is compared in a scenario.
    fn contenders(&self, kinds: &[Kind], scenario: &Scenario) -> Vec<Contender> {
        let only_ours = scenario.name == 'D' || scenario.feed == Feed::Written;
        let kinds = kinds.iter().copied().filter(|kind| kind.is_ours() || !only_ours);
        let windows = match (self.flush_window.as_slice(), scenario.feed) {
            ([], Feed::Simulated) => vec![None],
            ([], Feed::Written) => vec![Some("0ms".to_owned()), None],
            (windows, _) => windows.iter().cloned().map(Some).collect(),
        };
        let shards = match self.shards.as_slice() {
            [] => vec![None],
            shards => shards.iter().copied().map(Some).collect(),
        };
        Contender::all(&kinds.collect::<Vec<_>>(), &windows, &shards)
    }

    fn scenarios(&self) -> impl Iterator<Item = Scenario> {
        let named = scenario::ALL.into_iter().filter(|scenario| self.runs(scenario.name));
        named.map(|scenario| Scenario { rate: self.rate.unwrap_or(scenario.rate), ..scenario })
    }

    /// Calls `run` with each of `all` in turn, as often as is asked for, in the order of the turn before reversed: the first
    /// of a turn may cost a few percent more than the same server as the second.
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
                "scenarios are A, B, C, D, S and L; D and L are for tickerplant alone",
            ));
        }
        let plan = self.plan(5, cores);
        self.take_turns(&mut lines, |line| {
            eprintln!("{}, {}", line.scenario.name, line.contender.title());
            line.run(&plan);
            Ok(())
        })?;
        comparison::print(&lines);
        Ok(())
    }

    fn search_tops(&self, kinds: &[Kind], cores: Option<String>) -> io::Result<()> {
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| *kind != Kind::Ws).collect();
        let mut searches = Vec::new();
        for scenario in self.scenarios().filter(|scenario| matches!(scenario.name, 'A' | 'B')) {
            let contenders = self.contenders(&kinds, &scenario).into_iter();
            searches.extend(contenders.map(|contender| Search::new(scenario, contender)));
        }
        let plan = self.plan(2, cores);
        self.take_turns(&mut searches, |search| {
            eprintln!("the top of {}, {}", search.scenario.name, search.contender.title());
            search.run(&plan)
        })?;
        top::print(&searches);
        Ok(())
    }

    fn look_at_memory(&self, kinds: &[Kind], clients: u32, cores: Option<String>) -> io::Result<()> {
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| *kind != Kind::Collecting).collect();
        let contenders = Contender::all(&kinds, &[None], &[None]).into_iter();
        let mut all: Vec<_> = contenders.map(|contender| Idle::new(contender, clients)).collect();
        let plan = self.plan(2, cores);
        self.take_turns(&mut all, |idle| {
            eprintln!("{clients} idle connections, {}", idle.contender.title());
            idle.run(&plan)
        })?;
        memory::print(&all);
        Ok(())
    }

    fn stall(&self, kinds: &[Kind], cores: Option<String>) -> io::Result<()> {
        let is_c = |scenario: &Scenario| scenario.name == 'C';
        let scenario = scenario::ALL.into_iter().find(is_c).expect("there is a scenario C");
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| *kind == Kind::Tickerplant).collect();
        let contenders = self.contenders(&kinds, &scenario).into_iter();
        let mut all: Vec<_> = contenders.map(|contender| Pairs::new(scenario, contender)).collect();
        let plan = self.plan(20, cores);
        self.take_turns(&mut all, |pairs| {
            eprintln!("clients that never read, {}", pairs.contender.title());
            pairs.run(&plan)
        })?;
        stalled::print(&all);
        Ok(())
    }

    fn let_vanish(&self, kinds: &[Kind], clients: u32, cores: Option<String>) -> io::Result<()> {
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| kind.is_ours()).collect();
        let contenders = Contender::all(&kinds, &[None], &[None]).into_iter();
        let mut all: Vec<_> = contenders.map(|contender| vanish::Pairs::new(contender, clients)).collect();
        let plan = self.plan(5, cores);
        self.take_turns(&mut all, |pairs| {
            eprintln!("{clients} clients that vanish, {}", pairs.contender.title());
            pairs.run(&plan)
        })?;
        vanish::print(&all);
        Ok(())
    }
}

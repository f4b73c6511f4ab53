//! What the whole server costs, with real sockets: the server is one process, its clients are this one.
//!
//! Each run starts a server of its own, connects the clients of a scenario, lets the simulated feed run, and asks
//! the system for the server's time on a core. A delay is what lies between an event's own time, at which
//! it was due, and the moment at which a client has read it.
//!
//! Benchmarks measure and tests decide: faults are counted and shown, and nothing fails for being slow.
//!
//! ```text
//! cargo bench --bench server
//! cargo bench --bench server -- A B --flush-window 0ms,1ms,2ms,5ms --repeat 5
//! ```
//!
//! The environment configures the server as always, e.g. `TICKERPLANT_SERVER__SHARDS=1`. Memory a client counts all
//! that the server took since the first connected, the growing history included: it says little for few clients.

mod clients;
mod process;

use std::io;
use std::time::{Duration, Instant};

use clap::Parser;

use clients::{Clients, Faults};
use process::Server;

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: 'A', clients: 1_000, each: 10, symbols: 500, rate: 5_000 },
    Scenario { name: 'B', clients: 100, each: 50, symbols: 50, rate: 1_000 },
    Scenario { name: 'C', clients: 10_000, each: 1, symbols: 100, rate: 600 },
    Scenario { name: 'D', clients: 100, each: 10, symbols: 500, rate: 50_000 },
];

/// Measure the whole server under load
#[derive(Parser)]
struct Args {
    /// The scenarios to run, e.g. A C; all of them where none is named
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<char>,
    /// Flush windows of the server to compare, e.g. 0ms,2ms
    #[arg(long, value_name = "TIMES", value_delimiter = ',')]
    flush_window: Vec<String>,
    /// Simulated events a second, instead of the scenario's own
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// How many runs each line sums up
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
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

/// How many clients subscribe to how many of the symbols; each symbol has as many takers as any other.
#[derive(Clone, Copy)]
struct Scenario {
    name: char,
    clients: usize,
    /// Symbols of each client.
    each: usize,
    symbols: usize,
    /// Events a second, over all symbols.
    rate: u32,
}

/// A line of the table: a scenario with one value of the flush window, and its runs so far.
struct Line<'a> {
    scenario: Scenario,
    flush_window: Option<&'a str>,
    runs: Vec<Figures>,
}

/// What one run showed.
struct Figures {
    /// Events published a second.
    events: f64,
    /// Updates delivered a second.
    updates: f64,
    /// Time of the server on a core for each delivered update, in microseconds.
    cpu: f64,
    /// Share of a core that the clients took, in per cent.
    load: f64,
    /// Half of the updates had at most this delay, in milliseconds.
    p50: f64,
    /// 99 of 100 updates had at most this delay, in milliseconds.
    p99: f64,
    /// Updates that one read of a client brought.
    batch: f64,
    /// Resident memory of the server a connection, in KiB.
    memory: f64,
    /// Whatever should not have been, and warnings of the server.
    faults: f64,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    if !args.bench {
        println!("this is a benchmark: cargo bench --bench server");
        return Ok(());
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let windows: Vec<_> = match args.flush_window.as_slice() {
        [] => vec![None],
        windows => windows.iter().map(|window| Some(window.as_str())).collect(),
    };
    let mut lines = Vec::new();
    for scenario in SCENARIOS.into_iter().filter(|scenario| args.runs(scenario.name)) {
        let scenario = Scenario { rate: args.rate.unwrap_or(scenario.rate), ..scenario };
        lines.extend(windows.iter().map(|flush_window| Line {
            scenario,
            flush_window: *flush_window,
            runs: Vec::new(),
        }));
    }
    if lines.is_empty() {
        return Err(io::Error::other("scenarios are A, B, C and D"));
    }
    // In turns, so that the machine's moods meet all lines alike.
    for turn in 1..=args.repeat {
        for line in &mut lines {
            eprintln!("run {turn} of {}: {}", args.repeat, line.title());
            line.runs.push(line.run(&args)?);
        }
    }
    print(&lines);
    Ok(())
}

impl Args {
    fn runs(&self, scenario: char) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario)
    }
}

impl Scenario {
    /// How many clients take each symbol.
    const fn takers(&self) -> usize {
        self.clients * self.each / self.symbols
    }

    fn names(&self) -> Vec<String> {
        (0..self.symbols).map(|symbol| format!("S{symbol:03}")).collect()
    }

    /// What each client's URL asks for.
    fn queries(&self) -> Vec<String> {
        let names = self.names();
        let query = |client: usize| {
            let symbol = |offset: usize| names[(client * self.each + offset) % self.symbols].as_str();
            let symbols: Vec<_> = (0..self.each).map(symbol).collect();
            format!("symbols={}&delivery=every", symbols.join(","))
        };
        (0..self.clients).map(query).collect()
    }
}

impl Line<'_> {
    fn title(&self) -> String {
        let Scenario { name, clients, each, symbols, rate } = self.scenario;
        let window = self.flush_window.map_or(String::new(), |window| format!(", window {window}"));
        format!("{name}: {clients} clients × {each} of {symbols} symbols, {rate} events/s{window}")
    }

    fn run(&self, args: &Args) -> io::Result<Figures> {
        let scenario = &self.scenario;
        let server = Server::start(&scenario.names(), scenario.rate, self.flush_window)?;
        let empty = server.memory()?;
        let mut clients = Clients::connect(server.address(), &scenario.queries())?;
        clients.measure(Duration::from_secs(args.warm_up.into()))?;
        let memory = server.memory()?.saturating_sub(empty);

        let (first, begun) = (clients.tally().newest, Instant::now());
        let (cpu, own_cpu) = (server.cpu()?, process::own_cpu()?);
        clients.measure(Duration::from_secs(args.seconds.into()))?;
        let cpu = server.cpu()?.saturating_sub(cpu);
        let own_cpu = process::own_cpu()?.saturating_sub(own_cpu);
        let seconds = begun.elapsed().as_secs_f64();

        let tally = clients.tally();
        let updates = f64::from(tally.updates.max(1));
        let mut delays = tally.delays.clone();
        delays.sort_unstable();
        let mut figures = Figures {
            events: number(tally.newest - first) / seconds,
            updates: updates / seconds,
            cpu: cpu.as_secs_f64() * 1e6 / updates,
            load: own_cpu.as_secs_f64() * 100.0 / seconds,
            p50: percentile(&delays, 50),
            p99: percentile(&delays, 99),
            batch: updates / f64::from(tally.reads.max(1)),
            memory: f64::from(memory) / number(scenario.clients as u64),
            faults: 0.0,
        };
        clients.settle(scenario.takers())?;
        figures.faults = check(&clients, &server);
        Ok(figures)
    }

    /// The least, the middle and the greatest of a figure.
    fn spread(&self, figure: impl Fn(&Figures) -> f64) -> [f64; 3] {
        let mut values: Vec<_> = self.runs.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        [values[0], values[values.len() / 2], values[values.len() - 1]]
    }

    fn print(&self) {
        let [_, events, _] = self.spread(|run| run.events);
        let [_, updates, _] = self.spread(|run| run.updates);
        let [least, cpu, most] = self.spread(|run| run.cpu);
        let [_, p50, _] = self.spread(|run| run.p50);
        let [least_p99, p99, most_p99] = self.spread(|run| run.p99);
        let [_, batch, _] = self.spread(|run| run.batch);
        let [_, memory, _] = self.spread(|run| run.memory);
        let [_, load, _] = self.spread(|run| run.load);
        let faults: f64 = self.runs.iter().map(|run| run.faults).sum();
        println!("{}", self.title());
        println!(
            "  {events:>8.0} {updates:>10.0} {least:>8.2} {cpu:>6.2} {most:>6.2} {p50:>8.2} \
             {least_p99:>8.2} {p99:>6.2} {most_p99:>6.2} {batch:>8.1} {memory:>8.1} {load:>8.0} {faults:>7}"
        );
    }
}

/// Says on standard error what was right and what was not, and counts the latter.
fn check(clients: &Clients, server: &Server) -> f64 {
    let tally = clients.tally();
    let Faults { disorder, miscounted, lost, gone, unexpected } = tally.faults;
    let warnings = server.warnings();
    for warning in &warnings {
        eprintln!("  the server: {warning}");
    }
    let faults = disorder + miscounted + lost + gone + unexpected;
    if faults > 0 {
        eprintln!("  {:?}", tally.faults);
    }
    eprintln!("  {} events checked, {} heartbeats agreed", tally.whole, tally.heartbeats - miscounted);
    number(faults + warnings.len() as u64)
}

fn print(lines: &[Line<'_>]) {
    println!(
        "  {:>8} {:>10} {:>22} {:>8} {:>22} {:>8} {:>8} {:>8} {:>7}",
        "events", "updates", "server CPU µs", "delay", "delay ms", "updates", "KiB a", "clients'", ""
    );
    println!(
        "  {:>8} {:>10} {:>22} {:>8} {:>22} {:>8} {:>8} {:>8} {:>7}",
        "a second",
        "a second",
        "an update: min/med/max",
        "p50 ms",
        "p99: min/med/max",
        "a read",
        "client",
        "core %",
        "faults"
    );
    for line in lines {
        line.print();
    }
}

/// So many per cent of the delays, which are in order, are at most this many milliseconds.
fn percentile(delays: &[Duration], percent: usize) -> f64 {
    let index = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
    delays.get(index).map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3)
}

/// Exact as far as any count here goes.
fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

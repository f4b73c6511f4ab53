//! Measures what the bars cost.
//!
//! The first table shows how fast the bars are folded from trades, on one thread. In each round, the fold reads
//! 100,000 trades, which are one second of market time. With 10,000 symbols, each trade is far from the previous
//! one in memory. The making of the trades is not measured. The second table shows how long the bars of a response
//! take. Both tables show CPU time and wall-clock time. On a busy machine, the wall-clock time is longer.
//!
//! The third table shows what the bars add to a loaded live feed. A server without clients reads 100,000 trades
//! a second from its standard input. The bars have a thread of their own, and no setting switches them off. So
//! the operating system reports the CPU time of the program, and of this thread alone. The ratio is the CPU time
//! of the program to that of the program without the thread. Both are of the same run, so other load on the machine
//! hardly affects the ratio. The ratio leaves out what the bars cost other threads, such as cache misses.
//!
//! ```text
//! cargo bench --bench bars
//! cargo bench --bench bars -- --repeat 9 --seconds 20
//! ```
//!
//! A slow result does not fail the benchmark.

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod event_writer;
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod process;
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod statistics;

use std::hint::black_box;
use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use rust_decimal::Decimal;
use rustix::time::{ClockId, clock_gettime};
use tickerplant::bars::{BarInterval, Config, Fold};
use tickerplant::bus::{self, Bus, Read, Segment};
use tickerplant::market::{Event, FeedKind, Payload, Price, Size, Symbol, Time, Trade};

use event_writer::EventWriter;
use process::Server;
use statistics::{Spread, float, percentile};

/// The trades of a round, and the trades a second of the live feed.
const TRADES: u32 = 100_000;

/// The events of a segment.
const SEGMENT: usize = 1024;

/// The live feed's number of symbols.
const SYMBOLS: usize = 500;

/// How often the live feed writes trades, each second.
const WRITES: u32 = 1_000;

/// How long the server reads the live feed before the measurement.
const WARM_UP: Duration = Duration::from_secs(1);

/// The name of the thread that folds the bars.
const THREAD: &str = "bars-reader";

/// Measure what the bars cost
#[derive(Parser)]
struct Args {
    /// Rounds of each line of the first two tables
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Runs of the server with the live feed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Seconds that each run measures
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Cores of the server, such as 0,1; the rest of the benchmark uses the other cores
    #[arg(long, value_name = "LIST", default_value = "0")]
    cores: String,
    /// Set by cargo bench; without it nothing runs, so that cargo test does not measure
    #[arg(long, hide = true)]
    bench: bool,
}

/// The CPU time of the thread and the wall-clock time that a round took, in seconds.
struct Taken {
    cpu: f64,
    wall: f64,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    if !args.bench {
        println!("this is a benchmark: cargo bench --bench bars");
        return Ok(());
    }
    let cores = process::pin(&args.cores);
    measure_folds(args.rounds);
    measure_answers(args.rounds);
    measure_live_feed(&args, cores.as_deref())
}

/// Measures and prints how many trades a second the fold reads.
fn measure_folds(rounds: u32) {
    print_titles("\nmillion trades a second, folded by one thread");
    for is_mixed in [false, true] {
        for count in [10, 500, 10_000] {
            let symbols = symbols(count);
            let mut fold = new_fold();
            let rounds = (0..rounds).map(|second| {
                let reads = segments(&symbols, second.into(), is_mixed);
                timed(|| reads.iter().for_each(|read| fold.apply(read)))
            });
            let places = if is_mixed { ", mixed decimals" } else { "" };
            let millions = f64::from(TRADES) / 1e6;
            print_spreads(&format!("{count} symbols{places}"), rounds, 2, |seconds| millions / seconds);
        }
    }
}

/// Measures and prints how long the bars of a response take. The symbol has 900 seconds and 4,320 minutes.
fn measure_answers(rounds: u32) {
    let symbols = symbols(1);
    let mut fold = new_fold();
    let seconds = (0..4320).map(|minute| minute * 60).chain(4320 * 60..4320 * 60 + 900);
    let trade = Trade { price: Price(Decimal::new(12345, 2)), size: None };
    let events = seconds.map(|second| Event {
        symbol: symbols[0].clone(),
        time: Time::from_nanos(second * 1_000_000_000),
        payload: Payload::Trade(trade.clone()),
    });
    fold.apply(&Read::Segment(Arc::new(Segment::Events { first: 1, events: events.collect() })));
    print_titles("\nmicroseconds for all bars of a symbol");
    for interval in BarInterval::ALL {
        let answer = || {
            let bars = fold.get(&symbols[0]).expect("it has trades").clone();
            black_box(bars.bars(interval, fold.market_time()));
        };
        print_spreads(interval.name(), (0..rounds).map(|_| timed(answer)), 0, |seconds| seconds * 1e6);
    }
}

/// Measures and prints the CPU time of a server that reads the live feed.
fn measure_live_feed(args: &Args, cores: Option<&str>) -> io::Result<()> {
    let (mut programs, mut bars, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rates, mut late, mut warnings) = (Vec::new(), Vec::new(), 0);
    for _ in 0..args.repeat {
        let mut server = Server::start(&mut command(cores))?;
        let input = server.input().expect("the command pipes the server's input");
        let names = symbols(SYMBOLS);
        let begin = Instant::now();
        let writer = EventWriter::start(input, WRITES, move |number| lines(&names, number));
        wait(WARM_UP);
        let (start, program, thread) = (Instant::now(), server.cpu()?, server.thread_cpu(THREAD)?);
        wait(Duration::from_secs(args.seconds));
        let seconds = start.elapsed().as_secs_f64();
        let program = server.cpu()?.saturating_sub(program).as_secs_f64();
        let thread = server.thread_cpu(THREAD)?.saturating_sub(thread).as_secs_f64();
        let written = writer.stop()?;
        rates.push(float(written.count * u64::from(TRADES / WRITES)) / begin.elapsed().as_secs_f64());
        late.push(percentile(&written.lateness, 99.0) / 1e6);
        programs.push(program * 100.0 / seconds);
        bars.push(thread * 100.0 / seconds);
        ratios.push(program / (program - thread));
        for warning in server.warnings() {
            eprintln!("  the server: {warning}");
            warnings += 1;
        }
    }
    println!("\na live feed of {TRADES} trades a second, {SYMBOLS} symbols, no clients");
    println!("  {:<34} {:>24}", "", "least/middle/most");
    for (title, values, digits) in [
        ("trades a second", rates, 0),
        ("written late, p99 ms", late, 2),
        ("CPU of the program, % of a core", programs, 1),
        ("CPU of the bars' thread", bars, 1),
        ("ratio to the program without it", ratios, 3),
    ] {
        println!("  {title:<34} {:>24}", Spread::of(values).text(digits));
    }
    println!("  {:<34} {warnings:>24}", "warnings of the server");
    Ok(())
}

/// Returns the command that starts a server with a live feed on these cores.
fn command(cores: Option<&str>) -> Command {
    let program = env!("CARGO_BIN_EXE_tickerplant");
    let mut command = match cores {
        Some(cores) => {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", cores, program]);
            command
        }
        None => Command::new(program),
    };
    command.args(["--feed", "stdin", "--listen", "127.0.0.1:0", "--log", "info"]);
    // This folder has no config.toml, so the server uses its defaults.
    command.current_dir(env!("CARGO_TARGET_TMPDIR")).stdin(Stdio::piped());
    command
}

/// Returns the trades of the live feed's write with this number, as lines of JSON.
fn lines(symbols: &[Symbol], number: u64) -> Vec<u8> {
    let time = Time::now();
    let count = u64::from(TRADES / WRITES);
    let lines = (number * count..(number + 1) * count).map(|trade| {
        let symbol = &symbols[usize::try_from(trade).expect("it fits") % symbols.len()];
        let (cents, size) = (trade % 97, 1 + trade % 500);
        format!("{{\"type\":\"trade\",\"symbol\":\"{symbol}\",\"time\":\"{time}\",\"price\":180.{cents:02},\"size\":{size}}}\n")
    });
    lines.collect::<String>().into_bytes()
}

#[expect(clippy::disallowed_methods, reason = "the measurement takes this long")]
fn wait(time: Duration) {
    thread::sleep(time);
}

/// Runs a function, and returns the times that it took.
fn timed(run: impl FnOnce()) -> Taken {
    let cpu = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("it is not negative");
    let (start, before) = (Instant::now(), cpu());
    run();
    Taken { cpu: cpu().saturating_sub(before).as_secs_f64(), wall: start.elapsed().as_secs_f64() }
}

fn print_titles(title: &str) {
    println!("{title}");
    println!("  {:<28} {:>24} {:>24}", "", "by CPU time", "by wall-clock time");
    println!("  {:<28} {:>24} {:>24}", "", "least/middle/most", "least/middle/most");
}

/// Prints a line with the spread of a figure that is computed from the seconds of each round.
fn print_spreads(
    title: &str,
    rounds: impl Iterator<Item = Taken>,
    digits: usize,
    figure: impl Fn(f64) -> f64,
) {
    let (cpu, wall): (Vec<_>, Vec<_>) = rounds.map(|taken| (figure(taken.cpu), figure(taken.wall))).unzip();
    println!("  {title:<28} {:>24} {:>24}", Spread::of(cpu).text(digits), Spread::of(wall).text(digits));
}

fn new_fold() -> Fold {
    let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "bench".to_owned());
    let (_reader, checkpoint) = bus.reader("bench");
    Fold::new(Config::default(), &checkpoint)
}

/// Returns the segments of the log for one second of market time. With `is_mixed`, the prices and sizes have
/// different numbers of decimal places.
fn segments(symbols: &[Symbol], second: i64, is_mixed: bool) -> Vec<Read> {
    let trades = i64::from(TRADES);
    let events = (0..trades).map(|n| {
        // A prime number, so that the order of the symbols looks random.
        let symbol = symbols[usize::try_from(n * 7919).unwrap() % symbols.len()].clone();
        let scale = if is_mixed { u32::try_from(n % 3).unwrap() } else { 2 };
        let (price, size) = (Decimal::new(18_000 + n % 977, scale), Decimal::new(1 + n % 500, scale));
        let trade = Trade { price: Price(price), size: Some(Size(size)) };
        let time = Time::from_nanos(second * 1_000_000_000 + n * (1_000_000_000 / trades));
        Event { symbol, time, payload: Payload::Trade(trade) }
    });
    let events: Vec<Event> = events.collect();
    let segment = |events: &[Event]| Segment::Events { first: 1, events: events.into() };
    events.chunks(SEGMENT).map(|events| Read::Segment(Arc::new(segment(events)))).collect()
}

fn symbols(count: usize) -> Vec<Symbol> {
    (0..count).map(|n| format!("S{n}").parse().expect("it is a symbol")).collect()
}

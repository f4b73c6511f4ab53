//! Measures nodes of a cluster beside a lone server: three nodes with one NATS server, and with three.
//!
//! The variable `NATS_SERVER` names the NATS server; `tests/cluster/run` installs one. All processes run on this
//! machine. In each round, the setups take turns.
//!
//! | part | what it measures |
//! |---|---|
//! | `cpu` | the CPU of the process for each event that one of 100 clients gets, at a lone server and at an edge |
//! | `latency` | the delays of events from standard input to a client of another node, beside a lone server and a bare message |
//! | `rate` | how far each node is behind at 50,000 events a second |
//! | `replay` | how fast a replay at full speed reaches one client with `delivery=every` on each node |
//! | `catch-up` | how fast a node reads what it has missed while it was stopped |
//! | `silence` | the longest time without an event at a living node, after a leader was killed or told to end |
//!
//! The delays of the part `rate` begin at the market time of an event. The market time begins before the feed does, so
//! compare the greatest delay with the median.
//!
//! ```text
//! NATS_SERVER=target/nats/2.15.1/venv/bin/nats-server cargo bench --bench cluster
//! NATS_SERVER=… cargo bench --bench cluster -- cpu latency --rounds 3 --seconds 2
//! ```
//!
//! A slow result does not fail the benchmark.

mod fleet;
mod parts;
#[path = "../process.rs"]
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod process;
mod reader;
#[path = "../statistics.rs"]
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod statistics;

use std::io;

use clap::Parser;

use fleet::Setup;

/// Measure nodes of a cluster
#[derive(Parser)]
pub struct Args {
    /// Parts to measure: cpu, latency, rate, replay, catch-up, silence [default: all]
    #[arg(value_name = "PART")]
    parts: Vec<String>,
    /// Number of rounds
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Seconds that each measurement of cpu and latency takes
    #[arg(long, value_name = "N", default_value_t = 5)]
    seconds: u64,
    /// Seconds that the parts rate and catch-up take
    #[arg(long, value_name = "N", default_value_t = 60)]
    long: u64,
    /// Number of leaders that are killed, and of leaders that are told to end
    #[arg(long, value_name = "N", default_value_t = 50)]
    kills: usize,
    /// Rows of the replayed file
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    rows: u32,
    /// Set by cargo bench; without it nothing runs, so that cargo test does not measure
    #[arg(long, hide = true)]
    bench: bool,
}

/// All setups.
const SETUPS: [Setup; 3] = [Setup::Lone, Setup::Cluster(1), Setup::Cluster(3)];

fn main() -> io::Result<()> {
    let args = Args::parse();
    if !args.bench {
        println!("this is a benchmark: cargo bench --bench cluster");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let is_asked = |part: &str| args.parts.is_empty() || args.parts.iter().any(|asked| asked == part);
    runtime.block_on(async {
        if is_asked("cpu") {
            parts::cpu(&args).await?;
        }
        if is_asked("latency") {
            parts::latency(&args).await?;
        }
        if is_asked("rate") {
            parts::rate(&args).await?;
        }
        if is_asked("replay") {
            parts::replay(&args).await?;
        }
        if is_asked("catch-up") {
            parts::catch_up(&args).await?;
        }
        if is_asked("silence") {
            parts::silence(&args).await?;
        }
        Ok(())
    })
}

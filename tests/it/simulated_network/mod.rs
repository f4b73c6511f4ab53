//! Runs the real server on a simulated network. The server must tell each client about every event that the
//! client misses, even if the network fails.
//!
//! The seed of a run decides everything: the limits, the market, the clients, and the disturbances. Links
//! delay or drop messages, hosts crash or vanish, and the server's process is suspended at times. Time is
//! simulated, so the same seed repeats the same run. In a third of the runs, the market has hundreds of
//! symbols. With hundreds of symbols, the snapshots of one set have several positions in the log. In a
//! quarter of the runs, the shard is overloaded at times.
//!
//! The environment variable `TICKERPLANT_SEED=7` selects one seed. The environment variable
//! `TICKERPLANT_SEEDS=1000..3000` selects many seeds.

mod checker;
mod client;
mod connection_model;
mod open_sockets;
mod published_log;
mod scenario;
mod simulation;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::panic;
use std::sync::{Mutex, Once};
use std::thread;

use scenario::Scenario;
use simulation::Run;

/// The situations that the test must cover. Each number is a minimum: the situation must occur in at least
/// this many of the fifty seeds.
const SITUATIONS: [(&str, u64); 14] = [
    ("resumed", 25),
    ("epoch_changed", 10),
    ("history_exhausted", 10),
    ("closed with 4008", 10),
    ("merged", 10),
    ("lagged", 5),
    ("snapshots at several positions", 6),
    ("closed between snapshots", 2),
    ("subscribed again", 20),
    ("seek", 10),
    ("process stopped", 4),
    ("vanished", 6),
    ("overloaded", 8),
    ("overloaded without a gap", 3),
];

#[test]
fn whatever_the_network_does_clients_are_told_of_each_lost_event() {
    let named = named_seeds();
    let is_usual = named.is_none();

    let (faults, seen) = try_all(named.unwrap_or(0..50));

    println!("seeds in which each situation occurred: {seen:?}");
    assert!(faults.is_empty(), "these seeds failed: {faults:?}");
    for (what, least) in SITUATIONS {
        let count = seen.get(what).copied().unwrap_or_default();
        assert!(!is_usual || count >= least, "{what}: only in {count} of 50 seeds");
    }
}

#[test]
fn the_same_seed_repeats_the_same_run() {
    for seed in named_seeds().unwrap_or(0..4) {
        let [first, second] = [(); 2].map(|()| simulation::run(Scenario::new(seed)).transcripts);

        let mut lines = first.iter().flatten().zip(second.iter().flatten());
        assert_eq!(lines.find(|(first, second)| first != second), None, "seed {seed}");
        assert_eq!(first, second, "seed {seed}: one run ends before the other");
    }
}

/// Returns the seeds that `TICKERPLANT_SEED` or `TICKERPLANT_SEEDS` selects, or `None` if neither variable is
/// set.
fn named_seeds() -> Option<Range<u64>> {
    if let Ok(seed) = std::env::var("TICKERPLANT_SEED") {
        let seed = seed.parse().expect("TICKERPLANT_SEED is a number");
        return Some(seed..seed + 1);
    }
    let seeds = std::env::var("TICKERPLANT_SEEDS").ok()?;
    let ends = seeds.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    Some(ends.expect("TICKERPLANT_SEEDS is two numbers with .. between them"))
}

/// Runs the simulations of the seeds on all processor cores. Returns the seeds that failed, and for each
/// situation, the number of seeds in which it occurred.
fn try_all(seeds: Range<u64>) -> (Vec<u64>, BTreeMap<&'static str, u64>) {
    let is_single = seeds.clone().count() == 1;
    let left = Mutex::new(seeds);
    let outcome = Mutex::new((Vec::new(), BTreeMap::new()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let next = || left.lock().expect("no thread panics").next();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    let run = try_one(seed);
                    let mut outcome = outcome.lock().expect("no thread panics");
                    for what in run.seen.keys() {
                        *outcome.1.entry(*what).or_default() += 1;
                    }
                    if run.fault.is_some() {
                        outcome.0.push(seed);
                        println!("{}", report(seed, &run, is_single));
                    }
                }
            });
        }
    });
    outcome.into_inner().expect("no thread panics")
}

/// Runs the simulation of a seed. A panic in a task does not stop the run, so this function reports the panic
/// as a fault.
fn try_one(seed: u64) -> Run {
    let panics = panics_here();
    let mut run = simulation::run(Scenario::new(seed));
    if panics_here() > panics {
        run.fault = Some((0, "a task panicked".to_owned()));
    }
    run
}

/// Returns a text that describes a failed run. The text contains the fault, the command that repeats the run,
/// and transcript lines of the client with the fault.
fn report(seed: u64, run: &Run, with_whole_transcript: bool) -> String {
    let (client, fault) = run.fault.as_ref().expect("the run has a fault");
    let scenario = Scenario::new(seed);
    let transcript = &run.transcripts[*client];
    let from = if with_whole_transcript { 0 } else { transcript.len().saturating_sub(6) };
    let repeat = format!("TICKERPLANT_SEED={seed} cargo test --test it whatever_the_network_does");
    let lines = transcript[from..].join("\n    ");
    format!(
        "seed {seed}: client {client}: {fault}\n  {repeat}\n  {:?}\n    {lines}",
        scenario.clients[*client]
    )
}

/// Returns the number of panics on this thread so far.
fn panics_here() -> u64 {
    thread_local!(static PANICS: Cell<u64> = const { Cell::new(0) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.with(|panics| panics.set(panics.get() + 1));
            before(info);
        }));
    });
    PANICS.with(Cell::get)
}

//! The real server on a simulated network: whatever happens to it, no client loses anything without being told.
//!
//! A seed says the whole story: the limits, the market, the clients, and when which link holds its messages back or
//! loses them, when which host crashes or vanishes, and when the server stands still. Time is simulated, and the same seed
//! tells the same story again. A third of the markets is so large that a set of snapshots comes in parts; in a quarter of
//! the stories the shard is overloaded at times.
//!
//! `TICKERPLANT_SEED=7` repeats one seed, `TICKERPLANT_SEEDS=1000..3000` tries many.

mod account;
mod checker;
mod client;
mod network;
mod places;
mod plan;
mod truth;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::panic;
use std::sync::{Mutex, Once};
use std::thread;

use network::Run;
use plan::Plan;

/// What has to have happened in so many of the fifty seeds, or the test says nothing about it.
const WITNESSES: [(&str, u64); 14] = [
    ("resumed", 25),
    ("epoch_changed", 10),
    ("history_exhausted", 10),
    ("closed with 4008", 10),
    ("merged", 10),
    ("lagged", 5),
    ("set in parts", 6),
    ("closed within a set", 2),
    ("subscribed to more", 20),
    ("sought", 10),
    ("stood still", 4),
    ("vanished", 6),
    ("overloaded", 8),
    ("overloaded without a gap", 3),
];

#[test]
fn whatever_the_network_does_nothing_is_lost_unsaid() {
    let named = named_seeds();
    let is_usual = named.is_none();

    let (faults, seen) = try_all(named.unwrap_or(0..50));

    println!("seeds in which there was: {seen:?}");
    assert!(faults.is_empty(), "these seeds failed: {faults:?}");
    for (what, least) in WITNESSES {
        let count = seen.get(what).copied().unwrap_or_default();
        assert!(!is_usual || count >= least, "{what}: in {count} of 50 seeds only");
    }
}

#[test]
fn a_seed_tells_the_same_story_again() {
    for seed in named_seeds().unwrap_or(0..4) {
        let [first, second] = [(); 2].map(|()| network::run(Plan::new(seed)).transcripts);

        let told = first.iter().flatten().zip(second.iter().flatten());
        assert_eq!(told.clone().find(|(first, second)| first != second), None, "seed {seed}");
        assert_eq!(first, second, "seed {seed}: one ends before the other");
    }
}

/// What the environment asks for instead of the usual seeds.
fn named_seeds() -> Option<Range<u64>> {
    if let Ok(seed) = std::env::var("TICKERPLANT_SEED") {
        let seed = seed.parse().expect("TICKERPLANT_SEED is a number");
        return Some(seed..seed + 1);
    }
    let seeds = std::env::var("TICKERPLANT_SEEDS").ok()?;
    let ends = seeds.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    Some(ends.expect("TICKERPLANT_SEEDS is two numbers with .. between them"))
}

/// Runs these seeds, on as many threads as there are cores; returns those that failed, and in how many there was what.
fn try_all(seeds: Range<u64>) -> (Vec<u64>, BTreeMap<&'static str, u64>) {
    let is_one = seeds.clone().count() == 1;
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
                        println!("{}", report(seed, &run, is_one));
                    }
                }
            });
        }
    });
    outcome.into_inner().expect("no thread panics")
}

/// Runs a seed. A task that panics is a fault as well: the runtimes would go on without it.
fn try_one(seed: u64) -> Run {
    let panics = panics_here();
    let mut run = network::run(Plan::new(seed));
    if panics_here() > panics {
        run.fault = Some((0, "a task panicked".to_owned()));
    }
    run
}

/// What went wrong, and how to see it again.
fn report(seed: u64, run: &Run, is_whole: bool) -> String {
    let (client, fault) = run.fault.as_ref().expect("it failed");
    let plan = Plan::new(seed);
    let transcript = &run.transcripts[*client];
    let from = if is_whole { 0 } else { transcript.len().saturating_sub(6) };
    let repeat = format!("TICKERPLANT_SEED={seed} cargo test --test it whatever_the_network_does");
    let told = transcript[from..].join("\n    ");
    format!("seed {seed}: client {client}: {fault}\n  {repeat}\n  {:?}\n    {told}", plan.clients[*client])
}

/// How often something has panicked on this thread.
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

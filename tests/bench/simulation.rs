//! Measures how fast a simulation makes events and publishes them on the bus, and how long a seek over a week
//! takes, without the events of the target's day. All run on one thread.
//!
//! The profile `realistic` is measured beside `gbm`, the plain random walk. `item/s` is the number of events
//! a second.

use divan::counter::ItemsCount;
use divan::{Bencher, Divan};
use tickerplant::bus::{self, Bus};
use tickerplant::feed::simulated::{Config, Profile, Simulation};
use tickerplant::market::{Event, FeedKind, Time};

/// The number of events of a round.
const EVENTS: usize = 256 * 1024;

/// The number of events that are published together, as by the pump.
const BATCH: usize = 256;

const DAY: i64 = 86_400_000_000_000;

fn main() {
    Divan::default().sample_count(20).config_with_args().main();
}

#[divan::bench(args = ["realistic", "gbm"])]
fn events_into_the_bus(bencher: Bencher<'_, '_>, profile: &str) {
    let mut simulation = simulation(profile);
    let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "bench".to_owned());
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        for _ in 0..EVENTS / BATCH {
            let batch: Vec<Event> = simulation.by_ref().take(BATCH).collect();
            bus.publish(batch);
        }
    });
}

#[divan::bench(args = ["realistic", "gbm"])]
fn seek_over_a_week(bencher: Bencher<'_, '_>, profile: &str) {
    bencher.with_inputs(|| simulation(profile)).bench_local_values(|mut simulation| {
        let target = Time::from_nanos(simulation.start().as_nanos() + 7 * DAY);
        while !simulation.walk_to(target) {}
        simulation.seek(target);
        simulation
    });
}

fn simulation(profile: &str) -> Simulation {
    let profile = if profile == "gbm" { Profile::Gbm } else { Profile::Realistic };
    let start = "2024-01-03T14:30:00Z".parse().expect("the start is a time");
    let config = Config { profile, seed: Some(7), start: Some(start), ..Config::default() };
    Simulation::new(&config).expect("the configuration is valid")
}

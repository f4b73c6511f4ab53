//! After a seek, the events and the last values equal those of a run without seeks.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::market::{Day, Kind, Payload, Symbol, Time};

const HOUR: i64 = 3_600_000_000_000;

/// The newest events and the statistics of the day of each symbol.
#[derive(Clone, Debug, Default, PartialEq)]
struct LastValues(BTreeMap<Symbol, SymbolValues>);

/// The newest trade, the newest quote and the statistics of the day.
type SymbolValues = (Option<Event>, Option<Event>, Option<Day>);

impl LastValues {
    fn fold(&mut self, event: &Event) {
        let (trade, quote, day) = self.0.entry(event.symbol.clone()).or_default();
        if let Payload::Trade(trade) = &event.payload {
            Day::fold_trade(day, event.time, trade);
        }
        *if event.kind() == Kind::Trade { trade } else { quote } = Some(event.clone());
    }
}

/// Seeks to random times in a random order, and compares what follows with a run without seeks.
fn check(config: &Config, hours: i64, seeks: usize) {
    let start = config.start.unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut targets: Vec<Time> = (0..seeks)
        .map(|_| Time::from_nanos(start.as_nanos() + random.random_range(-HOUR..hours * HOUR)))
        .collect();
    targets.sort_unstable();
    let mut unbroken = Simulation::new(config).unwrap().peekable();
    let mut values = LastValues::default();
    let mut expected = Vec::new();
    let mut following: Vec<Event> = Vec::new();
    let mut first = 0;
    for target in targets {
        while following.get(first).is_some_and(|event| event.time < target) || following.len() < first + 5 {
            if following.get(first).is_some_and(|event| event.time < target) {
                values.fold(&following[first]);
                first += 1;
            } else {
                following.push(unbroken.next().unwrap());
            }
        }
        expected.push((target, values.clone(), following[first..first + 5].to_vec()));
    }

    let mut simulation = Simulation::new(config).unwrap();
    while !expected.is_empty() {
        let (target, values, following) = expected.swap_remove(random.random_range(0..expected.len()));
        while !simulation.walk_to(target) {}
        simulation.seek(target);
        let mut found = LastValues::default();
        let mut next = simulation.next().unwrap();
        while next.time < target {
            found.fold(&next);
            next = simulation.next().unwrap();
        }
        assert_eq!(found, values, "{target}");
        assert_eq!(next, following[0], "{target}");
        let events: Vec<Event> = simulation.by_ref().take(4).collect();
        assert_eq!(events, following[1..], "{target}");
    }
}

#[test]
fn a_thousand_seeks_of_a_realistic_market_change_nothing() {
    let text = r#"
        symbols = [{ name = "AAPL", rate = 0.04 }, { name = "MSFT", rate = 0.02 }, { name = "XOM", rate = 0.01 }]
    "#;

    check(&config(text), 60, 1000);
}

#[test]
fn seeks_across_closed_nights_and_weekends_change_nothing() {
    let text = r#"
        session = "09:30-16:00 America/New_York"
        symbols = [{ name = "AAPL", rate = 0.04 }, { name = "MSFT", rate = 0.02 }]
    "#;

    check(&config(text), 24 * 9, 100);
}

#[test]
fn seeks_of_every_other_profile_change_nothing() {
    for profile in ["gbm", "flat", "saw", "step"] {
        let text = format!(
            "profile = \"{profile}\"\nrate = 1\nsymbols = [{{ name = \"A\", rate = 0.9 }}, \"B\", \"C\"]"
        );

        check(&config(&text), 30, 30);
    }
}

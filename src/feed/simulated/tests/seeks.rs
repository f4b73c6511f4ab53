//! After a seek, the events and the last values equal those of a run without seeks.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::events::any_config;
use super::*;
use crate::market::{Day, Kind, Payload, Price, Size, Symbol, Time, Trade};

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

/// The open, high, low and last price of a day, its volume, and the last price of the day before.
type Statistics = ([Price; 4], Option<Size>, Option<Price>);

/// Computes the statistics of a symbol's newest day from all its trades.
fn statistics(trades: &[(i64, Trade)]) -> Option<Statistics> {
    let date = trades.last()?.0;
    let first = trades.iter().position(|(day, _)| *day == date)?;
    let prices = || trades[first..].iter().map(|(_, trade)| trade.price);
    let volume = trades[first..].iter().map(|(_, trade)| trade.size.unwrap().0).sum();
    let previous = first.checked_sub(1).map(|before| trades[before].1.price);
    let prices = [prices().next()?, prices().max()?, prices().min()?, prices().next_back()?];
    Some((prices, Some(Size(volume)), previous))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_statistics_of_the_day_are_those_of_its_trades_after_any_seek(
        config in any_config(),
        place in 0..500_usize,
    ) {
        let events = events(&config, 500);
        let target = events[place].time;
        let mut trades: BTreeMap<Symbol, Vec<(i64, Trade)>> = BTreeMap::new();
        for event in events.iter().filter(|event| event.time < target) {
            if let Payload::Trade(trade) = &event.payload {
                trades.entry(event.symbol.clone()).or_default().push((event.time.day(), trade.clone()));
            }
        }

        let mut simulation = Simulation::new(&config).unwrap();
        while !simulation.walk_to(target) {}
        simulation.seek(target);
        let mut found = LastValues::default();
        for event in simulation.take_while(|event| event.time < target) {
            found.fold(&event);
        }

        for (symbol, trades) in trades {
            let day = found.0[&symbol].2.clone();
            let day = day.map(|day| ([day.open, day.high, day.low, day.last], day.volume, day.previous));
            assert_eq!(day, statistics(&trades), "{symbol} at {target}");
        }
    }
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

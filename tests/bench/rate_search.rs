//! Searches for the highest rate of events that a server keeps up with.
//!
//! A server keeps up with a rate if all these conditions are met:
//!
//! - No update may be lost or out of order.
//! - No client's connection may be closed.
//! - At least 98 % of the due updates must arrive.
//! - At least 99 of 100 updates must arrive within 20 ms.
//!
//! Each rate is tried on a newly started server. A rate that fails is tried once more, because other load on
//! the machine may have caused the failure.
//!
//! Each server simulates the events itself, because this process cannot write events fast enough.

use std::io;

use crate::contenders::{Contender, Kind};
use crate::runner::{Figures, Runner};
use crate::scenario::{Feed, Scenario};
use crate::statistics::Spread;

/// A server keeps up only if the 99th percentile of the delays is below this limit, in milliseconds.
const MAX_P99: f64 = 20.0;

/// The search ends when the lowest failed rate is at most this many per cent of the highest successful rate.
const RESOLUTION: u64 = 108;

/// The factor between two successive rates of the first search, in per cent.
const DOUBLE: u64 = 200;

/// The factor between two successive rates of a later search, in per cent. A later search begins at the
/// result of an earlier search, so small steps suffice.
const STEP: u64 = 117;

/// A server in a scenario, and the result of each search.
pub struct RateSearch {
    pub scenario: Scenario,
    pub contender: Contender,
    /// The result of each search, or `None` if the search found no rate.
    found: Vec<Option<Found>>,
}

/// The highest rate that a server kept up with, and the figures at that rate.
struct Found {
    rate: u32,
    figures: Figures,
}

impl RateSearch {
    pub const fn new(scenario: Scenario, contender: Contender) -> Self {
        Self { scenario: Scenario { feed: Feed::Simulated, ..scenario }, contender, found: Vec::new() }
    }

    /// Searches for the highest rate once more, beginning at the result of the latest successful search.
    pub fn run(&mut self, runner: &Runner) -> io::Result<()> {
        let (mut rate, step) = match self.found.iter().flatten().last() {
            Some(found) => (found.rate, STEP),
            None => (self.scenario.rate, DOUBLE),
        };
        let mut best: Option<Found> = None;
        let mut failed: Option<u32> = None;
        while rate > 0 {
            let kept_up = match self.attempt(runner, rate)? {
                None => self.attempt(runner, rate)?,
                kept_up => kept_up,
            };
            match kept_up {
                Some(figures) => best = Some(Found { rate, figures }),
                None => failed = Some(rate),
            }
            rate = match (best.as_ref().map(|best| u64::from(best.rate)), failed.map(u64::from)) {
                (Some(best), Some(failed)) if failed * 100 <= best * RESOLUTION => break,
                (Some(best), Some(failed)) => whole((best * failed).isqrt()),
                (Some(best), None) => whole(best * step / 100),
                (None, _) => whole(u64::from(rate) * 100 / step),
            };
        }
        self.found.push(best);
        Ok(())
    }

    /// Tries a rate and returns the figures, or `None` if the server did not keep up.
    fn attempt(&self, runner: &Runner, rate: u32) -> io::Result<Option<Figures>> {
        let scenario = Scenario { rate, ..self.scenario };
        let mut server = runner.start(&self.contender, &scenario)?;
        // Under too much load even the handshakes may fail.
        let figures = match runner.measure_cheaply(&mut server, &scenario) {
            Ok(figures) => figures,
            Err(error) => {
                eprintln!("  {rate} events/s: {error}");
                return Ok(None);
            }
        };
        let keeps_up = !figures.is_behind && figures.p99 < MAX_P99 && figures.faults == 0;
        eprintln!(
            "  {rate} events/s: {:.0} updates/s, p99 {:.2} ms, clients' core {:.0} %, {}",
            figures.updates,
            figures.p99,
            figures.client_load,
            if keeps_up { "kept up with" } else { "too much" }
        );
        Ok(keeps_up.then_some(figures))
    }

    fn rates(&self) -> Vec<f64> {
        let found = self.found.iter();
        found.map(|found| found.as_ref().map_or(f64::NAN, |found| found.rate.into())).collect()
    }

    fn print(&self) {
        let spread = |figure: fn(&Found) -> f64| Spread::of(self.found.iter().flatten().map(figure));
        println!(
            "  {:<22} {:>24} {:>32} {:>10.2} {:>8.2} {:>8.0} {:>8}",
            self.contender.title(),
            Spread::of(self.rates()).text(0),
            spread(|found| found.figures.updates).text(0),
            spread(|found| found.figures.cpu).middle,
            spread(|found| found.figures.p99).middle,
            spread(|found| found.figures.client_load).middle,
            self.found.iter().flatten().count()
        );
    }
}

/// Prints a table for each scenario, and the ratio of each server's rate to Bun's rate.
pub fn print(searches: &[RateSearch]) {
    for searches in searches.chunk_by(|one, next| one.scenario.name == next.scenario.name) {
        println!("\nhighest rate with p99 below {MAX_P99} ms, {}", searches[0].scenario.shape());
        println!(
            "  {:<22} {:>24} {:>32} {:>10} {:>8} {:>8} {:>8}",
            "", "events a second", "updates a second", "CPU µs", "delay", "clients'", "searches"
        );
        println!(
            "  {:<22} {:>24} {:>32} {:>10} {:>8} {:>8} {:>8}",
            "", "least/middle/most", "least/middle/most", "an update", "p99 ms", "core %", "that found one"
        );
        searches.iter().for_each(RateSearch::print);
        let Some(bun) = searches.iter().find(|search| search.contender.kind == Kind::Bun) else { continue };
        for search in searches.iter().filter(|search| search.contender.kind != Kind::Bun) {
            let Spread { least, middle, most } = Spread::of_ratios(&search.rates(), &bun.rates());
            println!("  {} / bun: {middle:.2} ({least:.2} to {most:.2})", search.contender.title());
        }
    }
}

fn whole(rate: u64) -> u32 {
    u32::try_from(rate).unwrap_or(u32::MAX)
}

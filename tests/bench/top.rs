//! As fast as it goes: the highest rate of events that a server keeps up with.
//!
//! It keeps up where nothing is lost, disordered or closed, next to all that is due comes, and 99 of 100 updates come
//! within 20 ms. Each rate is tried on a server of its own, and once more where that failed: a moment of the machine's own
//! must not decide.

use std::io;

use crate::peers::{Contender, Kind};
use crate::run::{Figures, Plan};
use crate::scenario::Scenario;
use crate::table::Spread;

/// The greatest delay of 99 of 100 updates, in milliseconds.
const MAX_P99: f64 = 20.0;

/// The search ends where the rate that failed is at most this many per cent of the one that did not.
const RESOLUTION: u64 = 108;

/// How far the first search goes at a time, in per cent.
const DOUBLE: u64 = 200;

/// And the later ones, which begin where the last has ended.
const STEP: u64 = 117;

/// A server in a scenario, and what each search has found.
pub struct Search {
    pub scenario: Scenario,
    pub contender: Contender,
    /// None where no rate was kept up with.
    found: Vec<Option<Found>>,
}

/// The highest rate that was kept up with, and what that showed.
struct Found {
    rate: u32,
    figures: Figures,
}

impl Search {
    pub const fn new(scenario: Scenario, contender: Contender) -> Self {
        Self { scenario, contender, found: Vec::new() }
    }

    /// Searches once more, from where the last search has ended.
    pub fn run(&mut self, plan: &Plan) -> io::Result<()> {
        let (mut rate, step) = match self.found.iter().flatten().last() {
            Some(found) => (found.rate, STEP),
            None => (self.scenario.rate, DOUBLE),
        };
        let mut best: Option<Found> = None;
        let mut failed: Option<u32> = None;
        while rate > 0 {
            let kept_up = match self.attempt(plan, rate)? {
                None => self.attempt(plan, rate)?,
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

    /// What a rate showed, where it was kept up with.
    fn attempt(&self, plan: &Plan, rate: u32) -> io::Result<Option<Figures>> {
        let scenario = Scenario { rate, ..self.scenario };
        let server = plan.start(&self.contender, &scenario)?;
        // Under too much load not even the handshakes may come through.
        let figures = match plan.sample(&server, &scenario) {
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
            figures.load,
            if keeps_up { "kept up with" } else { "too much" }
        );
        Ok(keeps_up.then_some(figures))
    }

    fn rates(&self) -> Vec<f64> {
        {
            let found = self.found.iter();
            found.map(|found| found.as_ref().map_or(f64::NAN, |found| found.rate.into())).collect()
        }
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
            spread(|found| found.figures.load).middle,
            self.found.iter().flatten().count()
        );
    }
}

/// Prints the searches, scenario by scenario, and what they come to against Bun.
pub fn print(searches: &[Search]) {
    for searches in searches.chunk_by(|one, next| one.scenario.name == next.scenario.name) {
        println!("\nas fast as it goes, p99 below {MAX_P99} ms, {}", searches[0].scenario.shape());
        println!(
            "  {:<22} {:>24} {:>32} {:>10} {:>8} {:>8} {:>8}",
            "", "events a second", "updates a second", "CPU µs", "delay", "clients'", "searches"
        );
        println!(
            "  {:<22} {:>24} {:>32} {:>10} {:>8} {:>8} {:>8}",
            "", "least/middle/most", "least/middle/most", "an update", "p99 ms", "core %", "that found"
        );
        searches.iter().for_each(Search::print);
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

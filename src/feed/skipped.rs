//! What a feed does not publish: how much of it, by reason, and the limit on its symbols.

use std::collections::HashSet;

use prometheus_client::registry::Registry;
use tracing::warn;

use crate::market::{Event, Symbol};
use crate::tally::Counters;

/// Lines, rows and events that were passed over, by reason. The names of the reasons are ours.
#[derive(Clone, Debug, Default)]
pub struct Skipped(Counters);

/// Lets the events of so many symbols pass.
#[derive(Debug)]
pub struct Gate {
    limit: usize,
    symbols: HashSet<Symbol>,
    skipped: Skipped,
    refused: u64,
}

impl Skipped {
    /// Counts one.
    pub fn add(&self, reason: &'static str) {
        self.0.get_or_create(&[("reason", reason)]).inc();
    }

    /// How many there have been for this reason.
    #[cfg(test)]
    pub(super) fn count(&self, reason: &'static str) -> u64 {
        self.0.get_or_create(&[("reason", reason)]).get()
    }

    /// Names the counts for whoever asks.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Lines, rows and events of the feed that were not published";
        registry.register("feed_skipped", help, self.0.clone());
    }
}

impl Gate {
    /// The reason that it counts under.
    pub const REASON: &str = "too_many_symbols";

    /// A gate for the first `limit` symbols that come; 0 lets all pass.
    pub fn new(limit: usize, skipped: Skipped) -> Self {
        Self { limit, symbols: HashSet::new(), skipped, refused: 0 }
    }

    /// Takes out the events of symbols for which there is no room.
    pub fn pass(&mut self, mut events: Vec<Event>) -> Vec<Event> {
        if self.limit > 0 {
            events.retain(|event| self.has_room(&event.symbol));
        }
        events
    }

    fn has_room(&mut self, symbol: &Symbol) -> bool {
        if self.symbols.contains(symbol) {
            return true;
        }
        if self.symbols.len() < self.limit {
            return self.symbols.insert(symbol.clone());
        }
        self.skipped.add(Self::REASON);
        self.refused += 1;
        if self.refused.is_power_of_two() {
            warn!(%symbol, limit = self.limit, events = self.refused, "no room for more symbols (feed.symbols)");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Payload, Time, Trade};

    fn trade(symbol: &str) -> Event {
        let payload = Payload::Trade(Trade { price: "1".parse().unwrap(), size: None });
        Event { symbol: symbol.parse().unwrap(), time: Time::default(), payload }
    }

    #[test]
    fn symbols_up_to_the_limit_pass_and_one_more_is_counted() {
        let skipped = Skipped::default();
        let mut gate = Gate::new(2, skipped.clone());

        let passed = gate.pass(["A", "B", "A", "C", "B"].map(trade).into());

        let symbols: Vec<_> = passed.iter().map(|event| event.symbol.as_str()).collect();
        assert_eq!(symbols, ["A", "B", "A", "B"]);
        assert_eq!(skipped.count(Gate::REASON), 1);
        assert_eq!(Gate::new(0, skipped).pass(["A", "B", "C"].map(trade).into()).len(), 3);
    }
}

//! The limit on the number of symbols in a feed (the setting `feed.symbols`).

use std::collections::HashSet;

use tracing::warn;

use super::reject_counters::RejectCounters;
use crate::market::{Event, Symbol};

/// A filter that keeps the events of the first `limit` symbols, and rejects the events of all other symbols.
#[derive(Debug)]
pub struct SymbolGate {
    limit: usize,
    symbols: HashSet<Symbol>,
    reject_counters: RejectCounters,
    rejected: u64,
}

impl SymbolGate {
    /// The name under which the filter counts rejected events.
    pub const REASON: &str = "too_many_symbols";

    /// Creates a filter that keeps the first `limit` symbols; a limit of 0 means no limit.
    pub fn new(limit: usize, reject_counters: RejectCounters) -> Self {
        Self { limit, symbols: HashSet::new(), reject_counters, rejected: 0 }
    }

    /// Removes the events of all symbols except the first `limit` symbols.
    pub fn filter(&mut self, mut events: Vec<Event>) -> Vec<Event> {
        if self.limit > 0 {
            events.retain(|event| self.admits(&event.symbol));
        }
        events
    }

    fn admits(&mut self, symbol: &Symbol) -> bool {
        if self.symbols.contains(symbol) {
            return true;
        }
        if self.symbols.len() < self.limit {
            return self.symbols.insert(symbol.clone());
        }
        self.reject_counters.increment(Self::REASON);
        self.rejected += 1;
        if self.rejected.is_power_of_two() {
            warn!(%symbol, limit = self.limit, events = self.rejected, "no room for more symbols (feed.symbols)");
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
        let reject_counters = RejectCounters::default();
        let mut gate = SymbolGate::new(2, reject_counters.clone());

        let passed = gate.filter(["A", "B", "A", "C", "B"].map(trade).into());

        let symbols: Vec<_> = passed.iter().map(|event| event.symbol.as_str()).collect();
        assert_eq!(symbols, ["A", "B", "A", "B"]);
        assert_eq!(reject_counters.count(SymbolGate::REASON), 1);
        assert_eq!(SymbolGate::new(0, reject_counters).filter(["A", "B", "C"].map(trade).into()).len(), 3);
    }
}

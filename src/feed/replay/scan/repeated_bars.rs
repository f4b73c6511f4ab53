//! Counts bars that have the time and the symbol of an earlier bar, however far apart both are: a file may have one
//! instrument or one exchange after the other.

use std::collections::HashSet;

use crate::market::{Symbol, Time};

/// The times of this many bars are remembered. Of later bars, only judged ones are compared.
const MAX_BARS: usize = 16_384;

/// The bars of a file that were compared.
#[derive(Debug, Default)]
pub struct RepeatedBars {
    times: HashSet<(Time, Symbol)>,
    pub count: u64,
    /// The number of bars that were compared with earlier ones.
    pub compared: u64,
}

impl RepeatedBars {
    /// Adds a bar. `is_judged` says whether its row is judged.
    pub fn observe(&mut self, time: Time, symbol: &Symbol, is_judged: bool) {
        let is_room = self.times.len() < MAX_BARS;
        if !is_room && !is_judged {
            return;
        }
        self.compared += 1;
        let bar = (time, symbol.clone());
        let is_repeated = if is_room { !self.times.insert(bar) } else { self.times.contains(&bar) };
        self.count += u64::from(is_repeated);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_of_one_time_and_symbol_are_counted_wherever_they_are() {
        let mut bars = RepeatedBars::default();
        for (time, symbol) in [(1, "A"), (2, "A"), (2, "B"), (1, "A"), (3, "A")] {
            bars.observe(Time::from_nanos(time), &symbol.parse().unwrap(), false);
        }

        assert_eq!((bars.count, bars.compared), (1, 5));
    }

    #[test]
    fn behind_the_limit_only_judged_bars_are_compared() {
        let mut bars = RepeatedBars::default();
        let symbol = "A".parse().unwrap();
        for time in 0..20_000 {
            bars.observe(Time::from_nanos(time), &symbol, false);
        }
        bars.observe(Time::from_nanos(16_383), &symbol, true);
        bars.observe(Time::from_nanos(16_384), &symbol, true);
        bars.observe(Time::from_nanos(5), &symbol, false);

        assert_eq!((bars.count, bars.compared), (1, 16_386));
    }
}

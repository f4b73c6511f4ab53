//! Counts rows that have the time and the symbol of the row before, and bars that have those of any earlier bar: a file
//! may have one instrument or one exchange after the other.

use foldhash::HashSet;

use super::super::layout::{Layout, Values};
use crate::market::{Symbol, Time};

/// The times of this many bars are remembered. Of later bars, only judged ones are compared.
const MAX_BARS: usize = 16_384;

/// The rows of a file with equal times.
#[derive(Debug)]
pub struct RepeatedTimes {
    /// The time as it is written, the time in UTC, and the symbol of the last row.
    last: Option<(i64, Option<Time>, Symbol)>,
    /// The number of rows that have the time and the symbol of the row before.
    pub rows: u64,
    /// Whether the rows are bars of one length. Bars of several lengths may have one time.
    are_bars: bool,
    pub bars: RepeatedBars,
}

/// A row with a readable time.
#[derive(Clone, Copy, Debug)]
pub struct TimedRow<'a> {
    /// The time as it is written, in nanoseconds since 1970.
    pub nanos: i64,
    /// The time in UTC. Bars of the hour that is repeated in autumn have equal local times, and other times in UTC.
    pub time: Option<Time>,
    pub symbol: &'a Symbol,
    /// Whether the symbol [is new](RepeatedTimes::is_new).
    pub is_new: bool,
    pub is_judged: bool,
    /// Whether the row gives an event, as far as it was judged.
    pub is_good: bool,
}

impl RepeatedTimes {
    pub fn new(layout: &Layout) -> Self {
        let are_bars = matches!(layout.values, Values::Bars { .. }) && layout.interval.is_none();
        Self { last: None, rows: 0, are_bars, bars: RepeatedBars::default() }
    }

    /// Returns whether the last row has another symbol.
    pub fn is_new(&self, symbol: &Symbol) -> bool {
        self.last.as_ref().is_none_or(|(.., last)| last != symbol)
    }

    /// Adds the next row.
    pub fn observe(&mut self, row: TimedRow<'_>) {
        let TimedRow { nanos, time, symbol, is_new, is_judged, is_good } = row;
        if let (true, Some(time)) = (is_good && self.are_bars, time) {
            self.bars.observe(time, symbol, is_judged);
        }
        match &mut self.last {
            // A row that gives no event, such as a dividend, does not stand between two bars.
            Some((last_nanos, last_time, _)) if !is_new => {
                if is_good {
                    self.rows += u64::from(*last_nanos == nanos && *last_time == time);
                    (*last_nanos, *last_time) = (nanos, time);
                }
            }
            last => *last = Some((nanos, time, symbol.clone())),
        }
    }
}

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

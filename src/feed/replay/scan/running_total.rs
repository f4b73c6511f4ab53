//! Recognizes a running total among the sizes of trades or the volumes of bars: the volume of the day so far.
//! It only ever grows during a day.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::market::{Payload, Symbol};

/// Sizes of one symbol that never fall over this many pairs of rows are a running total.
const MANY_PAIRS: u64 = 50;

/// Sizes that rise in this many pairs of rows, and never fall, may be a running total. Of thirteen other sizes, one
/// order in six billion rises throughout.
const MANY_RISES: u64 = 12;

/// If the name of the column means a volume, this many pairs of rows are enough.
const FEW_PAIRS: u64 = 2;

/// In few pairs of rows, each size must be below the size before by less than this part of it.
const SMALL_PART: Decimal = Decimal::from_parts(10, 0, 0, false, 0);

/// The largest number of symbols whose last size is remembered.
const MAX_SYMBOLS: usize = 65_536;

/// How sure it is that sizes are a running total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likelihood {
    None,
    Likely,
    Certain,
}

/// Compares the sizes of judged trades with the size before, for each symbol and day.
#[derive(Debug, Default)]
pub struct RunningTotal {
    last: HashMap<Symbol, (i64, Decimal)>,
    /// The number of pairs of rows of one symbol and one day.
    pairs: u64,
    rises: u64,
    falls: u64,
    /// The number of pairs in which the size grows by a large part of itself.
    large: u64,
}

impl RunningTotal {
    /// Adds the size of a judged trade, or the volume of a judged bar. `day` is a number for its day.
    pub fn observe(&mut self, symbol: &Symbol, day: i64, payload: &Payload) {
        let size = match payload {
            Payload::Trade(trade) => trade.size,
            Payload::Bar(bar) => bar.volume,
            Payload::Quote(_) | Payload::Status(_) => None,
        };
        let Some(size) = size else { return };
        let Some(last) = self.last.get_mut(symbol) else {
            if self.last.len() < MAX_SYMBOLS {
                self.last.insert(symbol.clone(), (day, size.0));
            }
            return;
        };
        let (last_day, before) = std::mem::replace(last, (day, size.0));
        if last_day == day {
            self.pairs += 1;
            self.rises += u64::from(before < size.0);
            self.falls += u64::from(before > size.0);
            // Later pairs do not need the comparison, which takes long.
            if self.pairs < MANY_PAIRS {
                self.large += u64::from(size.0 - before >= before / SMALL_PART);
            }
        }
    }

    /// Returns how sure it is that the sizes are a running total. `means_volume` says that the name of their column
    /// means a volume rather than the size of one trade.
    pub fn likelihood(&self, means_volume: bool) -> Likelihood {
        let are_small = means_volume && self.pairs >= FEW_PAIRS && self.large == 0;
        match () {
            () if self.falls > 0 || self.rises == 0 => Likelihood::None,
            () if self.pairs >= MANY_PAIRS || are_small => Likelihood::Certain,
            () if self.rises >= MANY_RISES => Likelihood::Likely,
            () => Likelihood::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Trade;

    fn total(sizes: &[(&str, i64, i64)]) -> RunningTotal {
        let mut total = RunningTotal::default();
        for (symbol, day, size) in sizes {
            let size = Some(size.to_string().parse().unwrap());
            let trade = Trade { price: "1".parse().unwrap(), size };
            total.observe(&symbol.parse().unwrap(), *day, &Payload::Trade(trade));
        }
        total
    }

    #[test]
    fn a_volume_that_grows_by_small_parts_is_a_running_total() {
        let growing = [("A", 1, 204_120), ("A", 1, 204_120), ("A", 1, 204_140)];
        assert_eq!(total(&growing).likelihood(true), Likelihood::Certain);
        assert_eq!(total(&growing).likelihood(false), Likelihood::None);
        assert_eq!(total(&growing[1..]).likelihood(true), Likelihood::None);
        assert_eq!(
            total(&[("A", 1, 100), ("A", 1, 109), ("A", 1, 110)]).likelihood(true),
            Likelihood::Certain
        );
        let nearly_a_tenth = [("A", 1, 1000), ("A", 1, 1095), ("A", 1, 1096)];
        assert_eq!(total(&nearly_a_tenth).likelihood(true), Likelihood::Certain);
        assert_eq!(total(&[("A", 1, 100), ("A", 1, 110), ("A", 1, 111)]).likelihood(true), Likelihood::None);
        assert_eq!(total(&[("A", 1, 100), ("A", 1, 100), ("A", 1, 100)]).likelihood(true), Likelihood::None);
        assert_eq!(total(&[("A", 1, 100), ("A", 1, 101), ("A", 1, 100)]).likelihood(true), Likelihood::None);
    }

    #[test]
    fn symbols_up_to_the_limit_are_compared() {
        let of_last = |symbols: usize| {
            let names: Vec<String> = (0..symbols).map(|number| format!("S{number}")).collect();
            let mut sizes: Vec<_> = names.iter().map(|name| (name.as_str(), 1, 100)).collect();
            sizes.extend([101, 102].map(|size| (names[symbols - 1].as_str(), 1, size)));
            total(&sizes).likelihood(true)
        };

        assert_eq!(of_last(65_536), Likelihood::Certain);
        assert_eq!(of_last(65_537), Likelihood::None);
    }

    #[test]
    fn a_running_total_is_known_for_each_symbol_and_day() {
        let sizes = [("A", 1, 100), ("B", 1, 5000), ("A", 1, 101), ("B", 1, 5000), ("A", 2, 3), ("B", 2, 40)];
        assert_eq!(total(&sizes).likelihood(true), Likelihood::Certain);
    }

    #[test]
    fn many_sizes_that_never_fall_are_a_running_total_under_any_name() {
        let growing: Vec<_> = (1..=51).map(|row| ("A", 1, 100 + row / 10)).collect();
        assert_eq!(total(&growing).likelihood(false), Likelihood::Certain);
        assert_eq!(total(&growing[..50]).likelihood(false), Likelihood::None);
    }

    #[test]
    fn sizes_that_rise_often_and_never_fall_may_be_a_running_total() {
        let growing: Vec<_> = (1..=13).map(|row| ("A", 1, row * row)).collect();
        assert_eq!(total(&growing).likelihood(false), Likelihood::Likely);
        assert_eq!(total(&growing[..12]).likelihood(false), Likelihood::None);
    }
}

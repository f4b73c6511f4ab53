//! Judges whether the bars of a file contradict themselves. Many of them mean that the columns are in another
//! order.

use super::super::reason::{Reason, RejectedRow};
use crate::market::{Bar, Payload, Trade};

/// A file is refused if at least one in this many judged bars contradicts itself.
const ONE_IN: u64 = 10;

/// How many judged bars of a file prove the order of the columns, and how many contradict it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contradictions {
    /// The number of bars with different prices. A bar whose prices are all equal fits any order of columns.
    pub bars: u64,
    /// The number of bars that contradict themselves.
    pub bad: u64,
    /// The line number and the prices of the first bar that contradicts itself.
    pub first: Option<(u64, String)>,
}

impl Contradictions {
    /// Counts a judged row. `line` is its line number.
    pub fn observe(&mut self, payload: &Result<(Payload, Option<Trade>), RejectedRow>, line: u64) {
        match payload {
            Ok((Payload::Bar(bar), _)) => self.bars += u64::from(!is_flat(bar)),
            Err(row) if row.reason == Reason::Implausible => {
                self.bars += 1;
                self.bad += 1;
                self.first.get_or_insert_with(|| (line, row.found.clone()));
            }
            _ => {}
        }
    }

    /// Returns whether the file is to be refused.
    pub fn are_many(&self) -> bool {
        self.bad > 0 && self.bad * ONE_IN >= self.bars
    }
}

fn is_flat(bar: &Bar) -> bool {
    [bar.open, bar.high, bar.low].into_iter().flatten().all(|price| price == bar.close)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(good: u64, bad: u64) -> Contradictions {
        let bar = |close: &str| Bar {
            interval: None,
            open: Some("5".parse().unwrap()),
            high: None,
            low: None,
            close: close.parse().unwrap(),
            volume: None,
        };
        let implausible = || RejectedRow::new(Reason::Implausible, b"open 5, high 4");
        let mut found = Contradictions::default();
        for line in 0..good {
            found.observe(&Ok((Payload::Bar(bar("6")), None)), line);
            found.observe(&Ok((Payload::Bar(bar("5")), None)), line);
        }
        for line in 0..bad {
            found.observe(&Err(implausible()), line + 7);
        }
        found
    }

    #[test]
    fn a_tenth_of_the_bars_whose_prices_differ_are_many() {
        assert!(judged(9, 1).are_many());
        assert!(!judged(10, 1).are_many());
        assert!(!judged(10, 0).are_many());
        assert!(!judged(0, 0).are_many());
        assert_eq!(judged(0, 2).first, Some((7, "open 5, high 4".to_owned())));
    }
}

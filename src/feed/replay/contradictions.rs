//! Judges whether the bars of a file contradict themselves. Many of them mean that the columns are in another
//! order.

use super::cells::Cells;
use super::layout::{Layout, Values};
use super::reason::Reason;
use crate::market::{Bar, Payload};

/// A file is refused if at least one in this many judged bars contradicts itself.
const ONE_IN: u64 = 10;

/// Of a long file, all rows up to this number are judged.
const ALL_UP_TO: u64 = 1000;

/// Of the rows after [`ALL_UP_TO`], one in this many is judged, because parsing all prices twice takes long.
const JUDGED: u64 = 8;

/// How many judged bars of a file prove the order of the columns, and how many contradict it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contradictions {
    /// The number of rows so far, judged or not.
    rows: u64,
    /// The number of bars with different prices. A bar whose prices are all equal fits any order of columns.
    pub bars: u64,
    /// The number of bars that contradict themselves.
    pub bad: u64,
    /// The line number and the prices of the first bar that contradicts itself.
    pub first: Option<(u64, String)>,
}

impl Contradictions {
    /// Returns how many cells of a row must be read to judge it; 0 if the rows are no bars.
    pub fn width(layout: &Layout) -> usize {
        if matches!(layout.values, Values::Bars { .. }) { layout.width } else { 0 }
    }

    /// Returns whether the next row will be judged.
    pub fn judges_next(&self) -> bool {
        self.rows < ALL_UP_TO || self.rows.is_multiple_of(JUDGED)
    }

    /// Counts a row. If the row is judged, and is a bar that contradicts itself, returns the prices of the bar.
    pub fn observe(&mut self, layout: &Layout, row: &Cells<'_>) -> Option<String> {
        let is_judged = self.judges_next();
        self.rows += 1;
        if !is_judged || Self::width(layout) == 0 || !layout.is_selected(row) {
            return None;
        }
        match layout.payload(row) {
            Ok((Payload::Bar(bar), _)) => {
                self.bars += u64::from(!is_flat(&bar));
                None
            }
            Err(row) if row.reason == Reason::Implausible => {
                self.bars += 1;
                self.bad += 1;
                Some(row.found)
            }
            _ => None,
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

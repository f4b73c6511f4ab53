//! The extent of a replay: its time range, and its number of rows.

use crate::market::Time;

/// The times of a replay's earliest and latest row, and its number of rows. Only rows with a time between the
/// settings `from` and `to` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The time of the earliest row.
    pub first: Time,
    /// The time of the latest row.
    pub last: Time,
    /// The number of data rows, including rows that are rejected for another reason than their time.
    pub rows: u64,
}

impl Extent {
    /// Creates the extent of one row.
    pub(super) const fn of_row(time: Time) -> Self {
        Self { first: time, last: time, rows: 1 }
    }

    /// Returns the extent of the rows of both extents together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            rows: self.rows + other.rows,
        }
    }
}

//! The extent of a replay: its time range, and its number of rows.

use serde::{Deserialize, Serialize};

use crate::market::Time;

/// The times of a replay's earliest and latest row, and its number of rows. Only rows with a time between the
/// settings `from` and `to` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// The time of the earliest row.
    pub first: Time,
    /// The time of the latest row.
    pub last: Time,
    /// The number of data rows, including rows that are rejected for another reason than their time.
    pub rows: u64,
}

/// The configured time range of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// Events before this time are left out.
    pub(super) from: Option<Time>,
    /// Events at or after this time are left out.
    pub(super) to: Option<Time>,
}

impl TimeRange {
    /// Returns whether a time lies in the range.
    pub(super) fn has(self, time: Time) -> bool {
        self.from.is_none_or(|from| time >= from) && !self.is_past(time)
    }

    /// Returns whether a time lies behind the range.
    pub(super) fn is_past(self, time: Time) -> bool {
        self.to.is_some_and(|to| time >= to)
    }
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

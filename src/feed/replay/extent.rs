//! The extent of a replay.

use crate::market::Time;

/// The earliest and latest event time, and the row count of a replay. The earliest and the latest time lie
/// within the settings `from` and `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The time of the earliest event.
    pub first: Time,
    /// The time of the latest event.
    pub last: Time,
    /// The number of data rows in the files, including rejected rows and rows with a time outside `from` and
    /// `to`.
    pub rows: u64,
}

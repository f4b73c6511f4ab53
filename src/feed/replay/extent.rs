//! The extent of a replay: its time range, and its number of rows.

use crate::market::Time;

/// The times of a replay's earliest and latest event, and its number of rows. Both times lie in the range
/// that the settings `from` and `to` define.
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

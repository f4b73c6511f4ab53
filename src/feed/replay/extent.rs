//! The extent of a replay: its first time, its last time, and its number of rows.

use crate::market::Time;

/// The time span and the row count of a replay. The span is limited to `from` and `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The earliest time.
    pub first: Time,
    /// The latest time.
    pub last: Time,
    /// The number of data rows, including rejected rows and rows outside `from` and `to`.
    pub rows: u64,
}

//! The extent of a replay: its first time, its last time, and its number of rows.

use crate::market::Time;

/// The span of time between `from` and `to` that the files of a replay cover, found by the scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The earliest time.
    pub first: Time,
    /// The latest time.
    pub last: Time,
    /// The number of data rows. It includes rows that will be rejected, and rows outside `from` and `to`.
    pub rows: u64,
}

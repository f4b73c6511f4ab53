//! The extent of a replay: from when to when it goes, and how long it is.

use crate::market::Time;

/// What lies in the files of a replay between `from` and `to`, by a pass over their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The earliest time.
    pub first: Time,
    /// The latest time.
    pub last: Time,
    /// Data rows, those included that will be skipped or lie before or after.
    pub rows: u64,
}

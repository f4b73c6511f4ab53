//! A stamp: a moment that may wait for its zone.

use crate::market::Time;

/// A second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;

/// A moment as a cell says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// With an offset, a `Z`, or counted from 1970.
    Utc(Time),
    /// In nanoseconds since 1970-01-01T00:00 on the file's own clock.
    Local(i64),
}

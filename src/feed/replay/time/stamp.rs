//! A stamp: the time in a cell of a file, either a moment in UTC or a local time.

use crate::market::Time;

/// A second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;

/// The time in a cell of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// A moment in UTC: the cell has an offset or a `Z`, or is a Unix time.
    Utc(Time),
    /// A local time in the file's zone, in nanoseconds since 1970-01-01T00:00 local time.
    Local(i64),
    /// A local time in the zone that the row names, in nanoseconds since 1970-01-01T00:00 local time.
    Named(i64),
}

impl Stamp {
    /// Returns the time as it is written in the file, in nanoseconds since 1970.
    pub const fn nanos(self) -> i64 {
        match self {
            Self::Utc(time) => time.as_nanos(),
            Self::Local(nanos) | Self::Named(nanos) => nanos,
        }
    }

    /// Returns the time that is later by this many nanoseconds; `None` if that time is out of range.
    pub fn later(self, nanos: i64) -> Option<Self> {
        let later = self.nanos().checked_add(nanos)?;
        Some(match self {
            Self::Utc(_) => Self::Utc(Time::from_nanos(later)),
            Self::Local(_) => Self::Local(later),
            Self::Named(_) => Self::Named(later),
        })
    }
}

//! The intervals of the bars that the server serves.

use std::time::Duration;

use crate::market::{Interval, Time};

/// The length of a served bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BarInterval {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// Five minutes.
    FiveMinutes,
    /// Fifteen minutes.
    FifteenMinutes,
    /// One hour.
    Hour,
    /// One day, in UTC.
    Day,
}

impl BarInterval {
    /// All intervals, from the shortest to the longest.
    pub const ALL: [Self; 6] =
        [Self::Second, Self::Minute, Self::FiveMinutes, Self::FifteenMinutes, Self::Hour, Self::Day];

    /// Returns the interval with this name, e.g. `5m`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.name() == name)
    }

    /// Returns the name of the interval, as in URLs and responses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "1s",
            Self::Minute => "1m",
            Self::FiveMinutes => "5m",
            Self::FifteenMinutes => "15m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// Returns the length of the interval, in nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        const SECOND: i64 = 1_000_000_000;
        match self {
            Self::Second => SECOND,
            Self::Minute => 60 * SECOND,
            Self::FiveMinutes => 300 * SECOND,
            Self::FifteenMinutes => 900 * SECOND,
            Self::Hour => 3600 * SECOND,
            Self::Day => 86_400 * SECOND,
        }
    }

    /// Returns the served interval with the same length as a source's interval, so `60s` becomes one minute.
    #[must_use]
    pub fn of(interval: Interval) -> Option<Self> {
        let has_length = |one: &Self| Duration::from_nanos(one.nanos().unsigned_abs()) == interval.length();
        Self::ALL.into_iter().find(has_length)
    }

    /// Returns the index of the interval in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns the next shorter interval.
    #[must_use]
    pub fn shorter(self) -> Option<Self> {
        self.index().checked_sub(1).map(|index| Self::ALL[index])
    }

    /// Returns the start of the bar to which a moment belongs.
    #[must_use]
    pub const fn start_of(self, time: Time) -> Time {
        let nanos = time.as_nanos();
        Time::from_nanos(nanos.saturating_sub(nanos.rem_euclid(self.nanos())))
    }

    /// Returns the end of the bar with this start.
    #[must_use]
    pub const fn end_of(self, start: Time) -> Time {
        Time::from_nanos(start.as_nanos().saturating_add(self.nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_begins_at_a_multiple_of_its_length_before_1970_too() {
        for (time, interval, start) in [
            ("2024-01-03T14:31:59.999999999Z", BarInterval::Minute, "2024-01-03T14:31:00Z"),
            ("2024-01-03T14:31:00Z", BarInterval::FiveMinutes, "2024-01-03T14:30:00Z"),
            ("1969-12-31T23:59:59.5Z", BarInterval::Second, "1969-12-31T23:59:59Z"),
            ("1969-12-31T23:59:59.5Z", BarInterval::Day, "1969-12-31T00:00:00Z"),
        ] {
            assert_eq!(interval.start_of(time.parse().unwrap()), start.parse().unwrap(), "{time}");
        }
        let first = Time::from_nanos(i64::MIN);
        assert_eq!(BarInterval::Day.start_of(first), first);
    }

    #[test]
    fn the_interval_of_a_source_counts_by_its_length() {
        for (text, interval) in [
            ("60s", Some(BarInterval::Minute)),
            ("1m", Some(BarInterval::Minute)),
            ("24h", Some(BarInterval::Day)),
            ("2m", None),
            ("1w", None),
        ] {
            assert_eq!(BarInterval::of(text.parse().unwrap()), interval, "{text}");
        }
    }
}

//! Market time and the length of a bar.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Serialize};

/// A moment of market time, in nanoseconds since the Unix epoch (UTC). A moment lies in the years 1677 to
/// 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(i64);

/// The error for a text or number that is not a moment of market time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a time; times are RFC 3339, e.g. 2024-01-03T14:30:00Z, from 1677 to 2262")]
pub struct TimeError {
    found: String,
}

impl Time {
    /// Creates the moment that is `nanos` nanoseconds after the Unix epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Returns the number of nanoseconds from the Unix epoch to this moment.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Returns the current moment by the machine's wall clock.
    #[must_use]
    pub fn now() -> Self {
        Timestamp::now().try_into().unwrap_or_default()
    }

    /// Returns the number of days from 1970-01-01 to the UTC date of this moment.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000_000_000)
    }

    /// Returns the duration from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = i128::from(self.0) - i128::from(earlier.0);
        Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }

    /// Returns this moment plus a duration, but at most the latest moment that a `Time` can hold.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        let nanos = i128::try_from(by.as_nanos()).unwrap_or(i128::MAX);
        Self(i64::try_from(i128::from(self.0).saturating_add(nanos)).unwrap_or(i64::MAX))
    }

    /// Returns this moment minus a duration, but at least the earliest moment that a `Time` can hold.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        let nanos = i128::try_from(by.as_nanos()).unwrap_or(i128::MAX);
        Self(i64::try_from(i128::from(self.0).saturating_sub(nanos)).unwrap_or(i64::MIN))
    }

    /// Writes the moment as RFC 3339 in UTC. The seconds get 0, 3, 6 or 9 decimal places: the fewest that
    /// state the moment exactly.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let digits = match self.0.rem_euclid(1_000_000_000) {
            0 => 0,
            nanos if nanos % 1_000_000 == 0 => 3,
            nanos if nanos % 1_000 == 0 => 6,
            _ => 9,
        };
        DateTimePrinter::new()
            .precision(Some(digits))
            .print_timestamp(&Timestamp::from(self), out)
            .expect("writing to a vector never fails");
    }
}

impl TryFrom<Timestamp> for Time {
    type Error = TimeError;

    fn try_from(timestamp: Timestamp) -> Result<Self, TimeError> {
        i64::try_from(timestamp.as_nanosecond())
            .map(Self)
            .map_err(|_| TimeError { found: timestamp.to_string() })
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        Self::from_nanosecond(i128::from(time.0)).expect("64 bits of nanoseconds lie within jiff's range")
    }
}

impl FromStr for Time {
    type Err = TimeError;

    /// Parses a moment in the form of RFC 3339, with a UTC offset or `Z`.
    ///
    /// # Errors
    ///
    /// Returns an error for a text without a UTC offset, and for a time outside the years 1677 to 2262.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let not_a_time = || TimeError { found: text.chars().take(64).collect() };
        let timestamp: Timestamp = text.parse().map_err(|_| not_a_time())?;
        timestamp.try_into().map_err(|_| not_a_time())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(30);
        self.write_to(&mut text);
        f.write_str(std::str::from_utf8(&text).expect("a printed time is ASCII"))
    }
}

/// The length of a bar: a number of seconds, minutes, hours, days or weeks, e.g. `30s`, `1m`, `4h`, `1d`,
/// `1w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    count: u32,
    unit: char,
}

/// The error for a text that is not a valid length of a bar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an interval; intervals are a number and one of s, m, h, d, w, e.g. 1m")]
pub struct IntervalError {
    found: String,
}

impl Interval {
    /// Returns the length of the interval.
    #[must_use]
    pub fn length(self) -> Duration {
        let seconds = match self.unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => 604_800,
        };
        Duration::from_secs(u64::from(self.count) * seconds)
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let parse = || {
            let unit = text.chars().last().filter(|unit| "smhdw".contains(*unit))?;
            let digits = text.strip_suffix(unit)?;
            let count = digits.parse().ok().filter(|count| *count > 0)?;
            digits.starts_with(|c: char| c.is_ascii_digit()).then_some(Self { count, unit })
        };
        parse().ok_or_else(|| IntervalError { found: text.chars().take(64).collect() })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_fewest_fraction_digits_that_lose_nothing() {
        for text in [
            "2024-01-03T14:30:00Z",
            "2024-01-03T14:30:00.100Z",
            "2024-01-03T14:30:00.123456Z",
            "2024-01-03T14:30:00.123456789Z",
            "1969-12-31T23:59:59.999Z",
        ] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_offset_becomes_utc_and_a_time_without_one_is_refused() {
        let time: Time = "2024-01-21T23:00:00+09:00".parse().unwrap();

        assert_eq!(time.to_string(), "2024-01-21T14:00:00Z");
        assert!("2024-01-21T23:00:00".parse::<Time>().is_err());
        assert!("1500-01-01T00:00:00Z".parse::<Time>().is_err());
    }

    #[test]
    fn days_are_utc_days_before_1970_too() {
        let day = |text: &str| text.parse::<Time>().unwrap().day();

        assert_eq!(day("1970-01-01T23:59:59Z"), 0);
        assert_eq!(day("1969-12-31T23:59:59Z"), -1);
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_the_range() {
        let (first, last) = (Time::from_nanos(i64::MIN), Time::from_nanos(i64::MAX));
        let all = last.since(first);

        assert_eq!((first.later(all), last.earlier(all)), (last, first));
        assert_eq!((first.later(Duration::MAX), last.earlier(Duration::MAX)), (last, first));
    }

    #[test]
    fn intervals_are_read_as_they_are_written() {
        for text in ["1s", "1m", "15m", "4h", "1d", "1w"] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
        for text in ["", "m", "0m", "+1m", "1x", "1é"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }
}

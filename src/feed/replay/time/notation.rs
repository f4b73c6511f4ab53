//! The notation of a time of day that is written in digits without colons.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SECOND;

/// The unit of a time of day that is written as a count since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MidnightUnit {
    Minutes,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

/// The configured notation of times of day in digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigitNotation {
    /// Hours, minutes, seconds and a fraction, as in `93000`.
    Digits,
    /// Minutes since midnight.
    Minutes,
    /// Seconds since midnight.
    Seconds,
    /// Milliseconds since midnight.
    Milliseconds,
    /// Microseconds since midnight.
    Microseconds,
    /// Nanoseconds since midnight.
    Nanoseconds,
}

/// The error for a text that is not a notation of times of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a notation of times of day; notations are digits (93000 is 9:30), and minutes, seconds, \
     milliseconds, microseconds and nanoseconds since midnight"
)]
pub struct DigitNotationError {
    found: String,
}

impl MidnightUnit {
    /// Returns the length of the unit in nanoseconds.
    pub const fn nanos(self) -> i64 {
        match self {
            Self::Minutes => 60 * SECOND,
            Self::Seconds => SECOND,
            Self::Milliseconds => SECOND / 1000,
            Self::Microseconds => SECOND / 1_000_000,
            Self::Nanoseconds => 1,
        }
    }
}

impl fmt::Display for MidnightUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minutes => "minutes",
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        })
    }
}

impl DigitNotation {
    const ALL: [Self; 6] = [
        Self::Digits,
        Self::Minutes,
        Self::Seconds,
        Self::Milliseconds,
        Self::Microseconds,
        Self::Nanoseconds,
    ];

    /// Returns the unit of a count since midnight; `None` for hours, minutes and seconds in digits.
    #[must_use]
    pub const fn unit(self) -> Option<MidnightUnit> {
        match self {
            Self::Digits => None,
            Self::Minutes => Some(MidnightUnit::Minutes),
            Self::Seconds => Some(MidnightUnit::Seconds),
            Self::Milliseconds => Some(MidnightUnit::Milliseconds),
            Self::Microseconds => Some(MidnightUnit::Microseconds),
            Self::Nanoseconds => Some(MidnightUnit::Nanoseconds),
        }
    }
}

impl fmt::Display for DigitNotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit() {
            None => f.write_str("digits"),
            Some(unit) => unit.fmt(f),
        }
    }
}

impl FromStr for DigitNotation {
    type Err = DigitNotationError;

    fn from_str(text: &str) -> Result<Self, DigitNotationError> {
        let known = Self::ALL.into_iter().find(|notation| notation.to_string() == text);
        known.ok_or_else(|| DigitNotationError { found: text.chars().take(64).collect() })
    }
}

//! The trading hours: all day, or a session of each weekday in a time zone.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use jiff::civil::{Date, Time as TimeOfDay, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::market::Time;

const MINUTE: i64 = 60_000_000_000;

/// The trading hours of all symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hours {
    /// Trading never stops.
    AllDay,
    /// Trading in a session of each day from Monday to Friday.
    Session {
        /// The time of day at which the session opens.
        open: TimeOfDay,
        /// The time of day at which the session closes.
        close: TimeOfDay,
        /// The time zone of these times.
        zone: TimeZone,
    },
}

/// The error for a text that does not describe trading hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {form}", form = Hours::FORM)]
pub struct HoursError {
    found: String,
}

impl Hours {
    /// The accepted notations, for error messages.
    pub const FORM: &str = "24h, or a session such as 09:30-16:00 America/New_York";

    /// Returns the session that contains a moment, or else the next session: the times of its opening and its
    /// close, in nanoseconds. Returns `None` at the end of market time.
    #[must_use]
    pub fn session(&self, moment: i64) -> Option<Range<i64>> {
        let Self::Session { open, close, zone } = self else {
            return Some(moment.div_euclid(MINUTE) * MINUTE..i64::MAX);
        };
        let mut date = zone.to_datetime(Timestamp::from(Time::from_nanos(moment))).date();
        loop {
            let at = |time: TimeOfDay| {
                let zoned = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
                Time::try_from(zoned.timestamp()).ok().map(Time::as_nanos)
            };
            let session = at(*open)?..at(*close)?;
            if is_trading_day(date) && moment < session.end {
                return Some(session);
            }
            date = date.checked_add(1.day()).ok()?;
        }
    }

    /// Returns how many minutes of trading a year has, and how many a day has. A year has 252 trading days,
    /// unless trading never stops.
    #[must_use]
    pub fn minutes(&self) -> (f64, f64) {
        match self {
            Self::AllDay => (365.0 * 1440.0, 1440.0),
            Self::Session { open, close, .. } => {
                let minutes = f64::from((seconds(*close) - seconds(*open)) / 60);
                (252.0 * minutes, minutes)
            }
        }
    }
}

fn is_trading_day(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn seconds(time: TimeOfDay) -> i32 {
    i32::from(time.hour()) * 3600 + i32::from(time.minute()) * 60
}

impl FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let text = text.trim();
        let parse = || {
            if text == "24h" {
                return Some(Self::AllDay);
            }
            let (hours, zone) = text.split_once(' ')?;
            let (open, close) = hours.split_once('-')?;
            let [open, close] = [time_of_day(open)?, time_of_day(close)?];
            let zone = TimeZoneDatabase::bundled().get(zone.trim()).ok()?;
            (open < close).then_some(Self::Session { open, close, zone })
        };
        parse().ok_or_else(|| HoursError { found: text.chars().take(64).collect() })
    }
}

/// Parses a time of day such as `09:30`.
fn time_of_day(text: &str) -> Option<TimeOfDay> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| text.parse().ok().filter(|_| matches!(text.len(), 1 | 2));
    TimeOfDay::new(number(hour)?, number(minute).filter(|_| minute.len() == 2)?, 0, 0).ok()
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllDay => f.write_str("24h"),
            Self::Session { open, close, zone } => {
                let name = zone.iana_name().unwrap_or("UTC");
                let [open, close] = [open, close].map(|time| (time.hour(), time.minute()));
                write!(f, "{:02}:{:02}-{:02}:{:02} {name}", open.0, open.1, close.0, close.1)
            }
        }
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> i64 {
        text.parse::<Time>().unwrap().as_nanos()
    }

    fn session(hours: &str, moment: &str) -> [String; 2] {
        let session = hours.parse::<Hours>().unwrap().session(nanos(moment)).unwrap();
        [session.start, session.end].map(|nanos| Time::from_nanos(nanos).to_string())
    }

    #[test]
    fn a_session_has_the_local_times_of_its_zone_and_skips_weekends() {
        let new_york = "09:30-16:00 America/New_York";
        for (moment, open, close) in [
            ("2024-01-03T14:30:00Z", "2024-01-03T14:30:00Z", "2024-01-03T21:00:00Z"),
            ("2024-01-03T20:59:59.999Z", "2024-01-03T14:30:00Z", "2024-01-03T21:00:00Z"),
            ("2024-01-03T21:00:00Z", "2024-01-04T14:30:00Z", "2024-01-04T21:00:00Z"),
            ("2024-01-05T23:00:00Z", "2024-01-08T14:30:00Z", "2024-01-08T21:00:00Z"),
            // Summer time begins on 2024-03-10.
            ("2024-03-09T12:00:00Z", "2024-03-11T13:30:00Z", "2024-03-11T20:00:00Z"),
        ] {
            assert_eq!(session(new_york, moment), [open, close], "{moment}");
        }
        assert_eq!(session("09:00-15:30 Asia/Seoul", "2024-01-03T20:00:00Z")[0], "2024-01-04T00:00:00Z");
        assert_eq!(session("24h", "2024-01-06T20:00:30Z")[0], "2024-01-06T20:00:00Z");
    }

    #[test]
    fn hours_are_written_as_they_are_read() {
        for text in ["24h", "09:30-16:00 America/New_York", "08:00-16:30 Europe/London"] {
            assert_eq!(text.parse::<Hours>().unwrap().to_string(), text);
        }
        for text in ["", "25h", "09:30", "09:30-16:00", "16:00-09:30 UTC", "09:30-16:00 Mars", "9-16 UTC"] {
            let error = text.parse::<Hours>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is not 24h, or a session such as")), "{error}");
        }
    }
}

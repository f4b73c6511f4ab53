//! The minutes of market time in which the simulation works.

use std::ops::Range;

use super::hours::Hours;

const MINUTE: i64 = 60_000_000_000;

/// A minute of trading. All times are in nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minute {
    /// The number of minutes of trading before this minute.
    pub number: u64,
    /// The span of the minute.
    pub span: Range<i64>,
    /// The session of the minute.
    pub session: Range<i64>,
    /// Whether the session before this one has ended just before this minute.
    pub is_opening: bool,
}

/// Counts the minutes of trading, beginning with the minute that contains the start.
#[derive(Clone, Debug)]
pub struct Minutes {
    number: u64,
    /// The beginning of the next minute.
    begin: i64,
    session: Range<i64>,
}

impl Minutes {
    /// Begins with the minute that contains `start`; if trading is closed then, with the next opening.
    pub fn new(hours: &Hours, start: i64) -> Self {
        let session = hours.session(start).unwrap_or(i64::MAX..i64::MAX);
        let begin = session.start + (start - session.start).max(0) / MINUTE * MINUTE;
        Self { number: 0, begin, session }
    }

    /// Returns the number of the next minute.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the time at which the next minute begins.
    pub fn begin(&self) -> i64 {
        self.begin
    }

    /// Returns the next minute; `None` at the end of market time.
    pub fn next(&mut self, hours: &Hours) -> Option<Minute> {
        let end = self.begin.checked_add(MINUTE)?.min(self.session.end);
        let is_opening = self.number > 0 && self.begin == self.session.start;
        let span = self.begin..end;
        let minute = Minute { number: self.number, span, session: self.session.clone(), is_opening };
        self.number += 1;
        self.begin = end;
        if end == self.session.end {
            self.session = hours.session(end).unwrap_or(i64::MAX..i64::MAX);
            self.begin = self.session.start;
        }
        Some(minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Time;

    fn minutes(hours: &str, start: &str, count: usize) -> Vec<String> {
        let (hours, start): (Hours, Time) = (hours.parse().unwrap(), start.parse().unwrap());
        let mut minutes = Minutes::new(&hours, start.as_nanos());
        let next = |_| Time::from_nanos(minutes.next(&hours).unwrap().span.start).to_string();
        (0..count).map(next).collect()
    }

    #[test]
    fn minutes_are_whole_and_skip_the_night() {
        assert_eq!(
            minutes("24h", "2024-01-03T14:30:59.5Z", 2),
            ["2024-01-03T14:30:00Z", "2024-01-03T14:31:00Z"]
        );
        assert_eq!(
            minutes("09:30-16:00 America/New_York", "2024-01-05T20:58:01Z", 3),
            ["2024-01-05T20:58:00Z", "2024-01-05T20:59:00Z", "2024-01-08T14:30:00Z"]
        );
        assert_eq!(
            minutes("09:30-16:00 America/New_York", "2024-01-06T00:00:00Z", 1),
            ["2024-01-08T14:30:00Z"]
        );
    }

    #[test]
    fn market_time_ends() {
        let mut minutes = Minutes::new(&Hours::AllDay, i64::MAX - 2 * MINUTE);
        let count = std::iter::from_fn(|| minutes.next(&Hours::AllDay)).count();

        assert!((1..=2).contains(&count), "{count}");
    }
}

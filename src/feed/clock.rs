//! The clock: when a moment of market time is due on the machine's own clock.
//!
//! The schedule is absolute. It is anchored once, when the first event is asked for, and every later moment is
//! counted from there, so that no delay adds up: a feed that was late is on time again as soon as
//! it has caught up.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::market::Time;

/// A feed that is later than this says so.
const LATE: Duration = Duration::from_secs(1);
/// A late feed has caught up when it is less late than this.
const ON_TIME: Duration = Duration::from_millis(100);
/// What is due later than this is due never: some 30 years.
const FAR: Duration = Duration::from_secs(1 << 30);

/// How fast market time passes: `1`, `60`, `0.5`, or `max` for as fast as clients can take it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many seconds of market time a second; above zero.
    Factor(f64),
    /// No schedule at all.
    Max,
}

/// A text or number that is no speed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a speed; a speed is a number above zero, e.g. 60, or max")]
pub struct SpeedError {
    found: String,
}

/// An absolute schedule: market time to the machine's clock.
#[derive(Debug)]
pub struct Schedule {
    /// Seconds of market time a second.
    factor: f64,
    /// The first moment asked for, and when that was.
    anchor: Option<(Time, Instant)>,
}

/// Tells once when a feed falls behind its schedule, and once when it is back.
#[derive(Debug, Default)]
pub struct Lateness {
    late: bool,
}

impl Schedule {
    /// A schedule at this many seconds of market time a second, not anchored yet.
    #[must_use]
    pub fn new(factor: f64) -> Self {
        Self { factor, anchor: None }
    }

    /// When a moment of market time is due; the first one asked for is due now, and so is what lies before it.
    pub fn due(&mut self, time: Time) -> Instant {
        let (first, start) = *self.anchor.get_or_insert_with(|| (time, Instant::now()));
        let wait = Duration::try_from_secs_f64(time.since(first).as_secs_f64() / self.factor);
        start + wait.unwrap_or(FAR).min(FAR)
    }
}

impl Lateness {
    /// Takes in how late the newest events left.
    pub fn observe(&mut self, lag: Duration) {
        if !self.late && lag > LATE {
            self.late = true;
            warn!(?lag, "the feed is behind its schedule");
        } else if self.late && lag < ON_TIME {
            self.late = false;
            debug!("the feed has caught up with its schedule");
        }
    }
}

impl Speed {
    fn new(factor: f64) -> Result<Self, SpeedError> {
        if factor.is_finite() && factor > 0.0 {
            Ok(Self::Factor(factor))
        } else {
            Err(SpeedError { found: factor.to_string() })
        }
    }
}

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let not_a_speed = || SpeedError { found: text.chars().take(64).collect() };
        text.parse()
            .map_err(|_| not_a_speed())
            .and_then(|factor| Self::new(factor).map_err(|_| not_a_speed()))
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factor(factor) => factor.fmt(f),
            Self::Max => f.write_str("max"),
        }
    }
}

impl Serialize for Speed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Factor(factor) => serializer.serialize_f64(*factor),
            Self::Max => serializer.serialize_str("max"),
        }
    }
}

impl<'de> Deserialize<'de> for Speed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnySpeed;

        impl Visitor<'_> for AnySpeed {
            type Value = Speed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number above zero or \"max\"")
            }

            fn visit_f64<E: de::Error>(self, factor: f64) -> Result<Speed, E> {
                Speed::new(factor).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, factor: i64) -> Result<Speed, E> {
                factor.to_string().parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, factor: u64) -> Result<Speed, E> {
                factor.to_string().parse().map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Speed, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(AnySpeed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_is_due_as_long_after_the_first_as_the_speed_makes_it() {
        let start = Instant::now();
        let mut schedule = Schedule::new(60.0);

        assert_eq!(schedule.due(time("2024-01-03T14:30:00Z")), start);
        assert_eq!(schedule.due(time("2024-01-03T14:31:00Z")), start + Duration::from_secs(1));
        assert_eq!(schedule.due(time("2024-01-03T14:30:00.060Z")), start + Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_moves_nothing_that_comes_later() {
        let start = Instant::now();
        let mut schedule = Schedule::new(1.0);
        schedule.due(time("2024-01-03T14:30:00Z"));

        tokio::time::advance(Duration::from_secs(7)).await;

        assert_eq!(schedule.due(time("2024-01-03T14:30:10Z")), start + Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn what_lies_before_the_first_moment_is_due_at_once() {
        let start = Instant::now();
        let mut schedule = Schedule::new(1.0);
        schedule.due(time("2024-01-03T14:30:00Z"));

        assert_eq!(schedule.due(time("2024-01-03T14:29:00Z")), start);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_in_a_million_years_overflows_nothing() {
        let start = Instant::now();
        let mut schedule = Schedule::new(1e-9);
        schedule.due(time("1700-01-01T00:00:00Z"));

        assert_eq!(schedule.due(time("2200-01-01T00:00:00Z")), start + FAR);
    }

    #[test]
    fn lateness_begins_past_a_second_and_lasts_until_it_is_nearly_gone() {
        let mut lateness = Lateness::default();
        let mut observe = |millis| {
            lateness.observe(Duration::from_millis(millis));
            lateness.late
        };

        assert_eq!(
            [1000, 1001, 500, 100, 99, 500].map(&mut observe),
            [false, true, true, true, false, false]
        );
    }

    #[test]
    fn a_speed_is_read_as_it_is_written() {
        for text in ["1", "60", "0.5", "max"] {
            assert_eq!(text.parse::<Speed>().unwrap().to_string(), text);
        }
        for text in ["0", "-1", "fast", "", "inf", "NaN", "MAX"] {
            let error = text.parse::<Speed>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{text}` is not a speed")), "{error}");
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        speed: Speed,
    }

    #[test]
    fn a_speed_in_toml_is_a_number_or_max_and_comes_back() {
        let read = |text: &str| toml::from_str::<Holder>(text).map(|holder| holder.speed);

        assert_eq!(read("speed = 60").unwrap(), Speed::Factor(60.0));
        assert_eq!(read("speed = 2.5").unwrap(), Speed::Factor(2.5));
        assert_eq!(read("speed = \"max\"").unwrap(), Speed::Max);
        assert!(read("speed = 0").is_err());
        for speed in [Speed::Factor(1.0), Speed::Factor(0.25), Speed::Max] {
            let text = toml::to_string(&Holder { speed }).unwrap();
            assert_eq!(read(&text).unwrap(), speed, "{text}");
        }
    }
}

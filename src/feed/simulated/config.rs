//! The settings of the simulation.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::hours::Hours;
use super::instruments::Instruments;
use super::profile::Profile;
use crate::market::Time;
use crate::range::{self, Check, MILLION};

/// The settings of the simulation (`[feed.simulated]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The model that makes the prices and times.
    pub profile: Profile,
    /// The mean number of events per second of market time, for all symbols together.
    pub rate: NonZeroU32,
    /// The seed of the random numbers. The same seed, start and settings give the same events. `None` means
    /// that a seed is drawn at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The market time at which the simulation starts. The default is the wall-clock time of the start.
    #[serde(with = "time_as_text")]
    pub start: Option<Time>,
    /// The trading hours. Only the profile `realistic` has others than `24h`.
    pub session: Hours,
    /// The correlation of two symbols of different sectors.
    pub correlation: f64,
    /// The correlation of two symbols of one sector.
    pub sector_correlation: f64,
    /// The number of shares in a lot.
    pub lot: NonZeroU32,
    /// The share of trades that are smaller than a lot.
    pub odd_lots: f64,
    /// The simulated instruments, or the number of instruments to invent. The name of each instrument must be
    /// unique.
    pub symbols: Instruments,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::Realistic,
            rate: NonZeroU32::new(100).expect("the default is not zero"),
            seed: None,
            start: None,
            session: Hours::AllDay,
            correlation: 0.3,
            sector_correlation: 0.6,
            lot: NonZeroU32::new(100).expect("the default is not zero"),
            odd_lots: 0.2,
            symbols: Instruments::default(),
        }
    }
}

impl Config {
    /// Returns a check for each number and time in the section `[feed.simulated]` of the configuration.
    pub(in crate::feed) fn checks(&self) -> Vec<Check> {
        let number = |key, found: f64, least: f64, most: f64| {
            range::text(key, &format!("a number from {least} to {most}"), (least..=most).contains(&found))
        };
        vec![
            range::text("profile", Profile::FORM, true),
            range::whole_number("rate", self.rate.get(), 1..=MILLION),
            // The maximum is TOML's largest whole number.
            range::whole_number("seed", self.seed, 0..=i64::MAX.unsigned_abs()),
            range::text("start", "a time such as 2024-01-03T14:30:00Z", true),
            range::text("session", Hours::FORM, true),
            number("correlation", self.correlation, 0.0, 0.8),
            number("sector_correlation", self.sector_correlation, self.correlation.clamp(0.0, 0.8), 0.8),
            range::whole_number("lot", self.lot.get(), 1..=MILLION),
            number("odd_lots", self.odd_lots, 0.0, 1.0),
        ]
    }

    /// Returns the settings with a seed and a start: those of the configuration, or else a random seed and
    /// the current wall-clock time in whole milliseconds.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let now = Time::now().as_nanos();
        Self {
            seed: self.seed.or_else(|| Some(rand::random::<u32>().into())),
            start: self.start.or(Some(Time::from_nanos(now - now.rem_euclid(1_000_000)))),
            ..self.clone()
        }
    }
}

/// Reads and writes a time of the configuration as a text in RFC 3339.
mod time_as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::market::Time;

    #[expect(clippy::ref_option, reason = "serde hands out the field by reference")]
    pub fn serialize<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.to_string()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}

//! Time zones. A time zone converts the local times of a file to UTC.
//!
//! The program contains a time-zone database, so a file has the same times on every machine.

mod resolver;
mod zones;

pub use resolver::Resolver;
pub use zones::{Zones, is_named};

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use super::time;
use crate::market::Time;

/// A time zone: a zone of the IANA database (`Europe/Berlin`, `UTC`, `EST5EDT`), or a fixed offset from UTC
/// (`+02:00`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// The error for a name that is not a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a time zone")]
pub struct ZoneError {
    found: String,
    /// A suggestion for the user. If the invalid name is the name of a city, the hint suggests the zone of
    /// this city. Otherwise, the hint gives examples of zones.
    hint: String,
}

impl ZoneError {
    /// Returns a suggestion of a valid zone.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        let name = text.trim();
        let fixed = name.starts_with(['+', '-']).then(|| time::offset(name.as_bytes())).flatten();
        if let Some(offset) =
            fixed.and_then(|seconds| Offset::from_seconds(i32::try_from(seconds).ok()?).ok())
        {
            return Ok(Self(TimeZone::fixed(offset)));
        }
        let zones = TimeZoneDatabase::bundled();
        zones.get(name).map(Self).map_err(|_| {
            let city = name.replace(' ', "_");
            let is_city =
                |zone: &str| zone.rsplit('/').next().is_some_and(|of| of.eq_ignore_ascii_case(&city));
            let hint = match zones.available().find(|zone| is_city(zone.as_str())) {
                Some(zone) => format!("did you mean `{zone}`?"),
                None => "zones are named as in America/New_York, UTC or +02:00; \
                         https://en.wikipedia.org/wiki/List_of_tz_database_time_zones"
                    .to_owned(),
            };
            ZoneError { found: name.chars().take(64).collect(), hint }
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.iana_name() {
            Some(name) => f.write_str(name),
            None => self.0.to_offset(Timestamp::UNIX_EPOCH).fmt(f),
        }
    }
}

impl Zone {
    /// Returns UTC.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Converts one local time to UTC. If the local time occurs twice, it is read as the first occurrence.
    /// Returns `None` if the result is outside the range of [`Time`].
    pub fn moment(&self, local: i64) -> Option<Time> {
        let civil = Offset::UTC.to_datetime(Time::from_nanos(local).into());
        let nanos = self.0.to_timestamp(civil).ok()?.as_nanosecond();
        i64::try_from(nanos).ok().map(Time::from_nanos)
    }

    /// Creates a [`Resolver`], which converts the local times of one file to UTC. `backwards` means that the
    /// latest row of the file comes first.
    pub fn resolver(&self, backwards: bool) -> Resolver {
        Resolver::new(self.0.clone(), backwards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_the_names_of_the_database_and_offsets() {
        let noon: Time = "2024-07-01T12:00:00Z".parse().unwrap();
        for (name, utc) in [
            ("UTC", "12:00:00Z"),
            ("Europe/Berlin", "10:00:00Z"),
            ("europe/berlin", "10:00:00Z"),
            ("America/New_York", "16:00:00Z"),
            ("EST5EDT", "16:00:00Z"),
            ("Etc/GMT+5", "17:00:00Z"),
            ("Asia/Seoul", "03:00:00Z"),
            ("+02:00", "10:00:00Z"),
            ("-0530", "17:30:00Z"),
        ] {
            let mut resolver = name.parse::<Zone>().unwrap().resolver(false);
            let moment = resolver.resolve(noon.as_nanos(), &"A".parse().unwrap()).unwrap();
            assert_eq!(moment.to_string(), format!("2024-07-01T{utc}"), "{name}");
        }
        assert_eq!("europe/berlin".parse::<Zone>().unwrap().to_string(), "Europe/Berlin");
    }

    #[test]
    fn a_city_alone_is_answered_with_its_zone() {
        let hint = |name: &str| name.parse::<Zone>().unwrap_err().hint().to_owned();

        assert_eq!(hint("new york"), "did you mean `America/New_York`?");
        assert_eq!(hint("Berlin"), "did you mean `Europe/Berlin`?");
        for name in ["", "Mars", "+25:00", "+", "Europe/Berlin/", "../UTC"] {
            assert!(hint(name).starts_with("zones are named as in"), "{name}: {}", hint(name));
        }
    }
}

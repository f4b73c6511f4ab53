//! Checks that values of the configuration lie in their ranges.
//!
//! Each section checks its own keys. [`section`] then prefixes the key in an error with the section's name.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The smallest allowed value of timers that cannot be switched off.
pub const MILLISECOND: Duration = Duration::from_millis(1);

/// The largest allowed value of most timers.
pub const DAY: Duration = Duration::from_hours(24);

/// The error for a value outside its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {found} is not between {least} and {most}")]
pub struct OutOfRange {
    /// The key with the names of its sections, e.g. `feed.clock.max_gap`.
    pub key: String,
    /// The configured value.
    pub found: String,
    /// The smallest allowed value.
    pub least: String,
    /// The largest allowed value.
    pub most: String,
}

/// Checks that the value of a key lies in its range.
///
/// # Errors
///
/// The value lies outside its range.
pub fn check<T: Copy + PartialOrd + Debug>(
    key: &str,
    found: T,
    range: RangeInclusive<T>,
) -> Result<(), OutOfRange> {
    if range.contains(&found) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    let [found, least, most] = [found, least, most].map(|value| format!("{value:?}"));
    Err(OutOfRange { key: key.to_owned(), found, least, most })
}

/// Prefixes the key of a failed check with the name of a section.
///
/// # Errors
///
/// The check of the section failed.
pub fn section(name: &str, checked: Result<(), OutOfRange>) -> Result<(), OutOfRange> {
    checked.map_err(|error| OutOfRange { key: format!("{name}.{}", error.key), ..error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_range_are_inside() {
        for found in [1, 5, 9] {
            assert_eq!(check("rate", found, 1..=9), Ok(()));
        }
        for found in [0, 10] {
            let error = check("rate", found, 1..=9).unwrap_err();
            assert_eq!(error.to_string(), format!("rate: {found} is not between 1 and 9"));
        }
    }

    #[test]
    fn the_error_names_the_key_with_its_sections() {
        let checked = check("heartbeat", Duration::ZERO, MILLISECOND..=DAY);

        let error = section("feed", section("clock", checked)).unwrap_err();

        assert_eq!(error.to_string(), "feed.clock.heartbeat: 0ns is not between 1ms and 86400s");
    }
}

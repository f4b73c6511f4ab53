//! The range that a value of the configuration has to lie in.
//!
//! Each section checks its own keys; what holds the section puts its name before the key.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The shortest time of a timer that cannot be switched off.
pub const MILLISECOND: Duration = Duration::from_millis(1);

/// The longest time of most timers.
pub const DAY: Duration = Duration::from_hours(24);

/// A value of the right form that lies outside its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {found} is not between {least} and {most}")]
pub struct OutOfRange {
    /// The key, with its sections once they have put their names before it.
    pub key: String,
    /// Its value.
    pub found: String,
    /// The least that it may be.
    pub least: String,
    /// The most that it may be.
    pub most: String,
}

/// Checks that the value of a key lies in its range.
///
/// # Errors
///
/// It does not.
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

/// Puts the name of a section before the key at fault.
///
/// # Errors
///
/// Where the section's own check has failed.
pub fn section(name: &str, checked: Result<(), OutOfRange>) -> Result<(), OutOfRange> {
    checked.map_err(|error| OutOfRange { key: format!("{name}.{}", error.key), ..error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        for found in [1, 5, 9] {
            assert_eq!(check("rate", found, 1..=9), Ok(()));
        }
        for found in [0, 10] {
            let error = check("rate", found, 1..=9).unwrap_err();
            assert_eq!(error.to_string(), format!("rate: {found} is not between 1 and 9"));
        }
    }

    #[test]
    fn a_key_is_named_with_its_sections() {
        let checked = check("heartbeat", Duration::ZERO, MILLISECOND..=DAY);

        let error = section("feed", section("clock", checked)).unwrap_err();

        assert_eq!(error.to_string(), "feed.clock.heartbeat: 0ns is not between 1ms and 86400s");
    }
}

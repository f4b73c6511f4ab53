//! Checks that values of the configuration have the right form, for example that a number lies in its range.
//!
//! The settings struct of each configuration section lists the checks of its own keys. The function
//! [`section`] then prefixes these keys with the section's name. Each check describes the right form of a
//! value. If a value has the wrong type, the error message contains this description.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The smallest allowed value of time limits that cannot be switched off.
pub const MILLISECOND: Duration = Duration::from_millis(1);

/// The largest allowed value of most time limits.
pub const DAY: Duration = Duration::from_hours(24);

/// The largest allowed value of most counts and rates.
pub const MILLION: u32 = 1_000_000;

/// The largest allowed size of a buffer or a message, in bytes.
pub const GIB: u32 = 1 << 30;

/// The result of checking the value of one configuration key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The key with the names of its sections, e.g. `feed.clock.max_gap`.
    pub key: String,
    /// A description of the right form, e.g. `a whole number from 1 to 9`.
    pub form: String,
    /// Whether the value has the right form.
    pub is_right: bool,
}

/// Returns a check whose result the caller already knows. `form` describes the form of a right value.
#[must_use]
pub fn text(key: &str, form: &str, is_right: bool) -> Check {
    Check { key: key.to_owned(), form: form.to_owned(), is_right }
}

/// Checks that a whole number lies in its range. If the configuration lacks the value, the check passes.
#[must_use]
pub fn whole_number<T: PartialOrd + ToString>(
    key: &str,
    found: impl Into<Option<T>>,
    range: RangeInclusive<T>,
) -> Check {
    let form = format!("a whole number from {} to {}", range.start().to_string(), range.end().to_string());
    text(key, &form, found.into().is_none_or(|found| range.contains(&found)))
}

/// Checks that a duration lies in its range. If the configuration lacks the value, the check passes.
#[must_use]
pub fn time(key: &str, found: impl Into<Option<Duration>>, range: RangeInclusive<Duration>) -> Check {
    let [least, most] = [range.start(), range.end()].map(|end| duration_text(*end));
    let form = format!("a time from {least} to {most}, such as 250ms, 5s or 1m");
    text(key, &form, found.into().is_none_or(|found| range.contains(&found)))
}

/// Prefixes the keys of checks with the name of their configuration section.
pub fn section(name: &str, checks: Vec<Check>) -> impl Iterator<Item = Check> {
    checks.into_iter().map(move |check| Check { key: format!("{name}.{}", check.key), ..check })
}

/// Formats a duration as in the configuration (`5s`), in the largest unit that results in a whole number.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    const UNITS: [(&str, u128); 5] =
        [("days", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let millis = duration.as_millis();
    let fits = |(unit, size): &&(&str, u128)| {
        // One day is written as `24h`.
        millis.is_multiple_of(*size) && millis >= if *unit == "days" { 2 * size } else { *size }
    };
    match UNITS.iter().find(fits) {
        Some((unit, size)) => format!("{}{unit}", millis / size),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_range_are_inside() {
        for (found, is_right) in [(0, false), (1, true), (5, true), (9, true), (10, false)] {
            let check = whole_number("rate", found, 1..=9);
            assert_eq!((check.is_right, check.form.as_str()), (is_right, "a whole number from 1 to 9"));
        }
        assert!(whole_number("rate", None, 1..=9).is_right);
    }

    #[test]
    fn a_check_names_the_key_with_its_sections() {
        let check = time("heartbeat", Duration::ZERO, MILLISECOND..=DAY);

        let checks: Vec<Check> = section("feed", section("clock", vec![check]).collect()).collect();

        assert_eq!(checks[0].key, "feed.clock.heartbeat");
        assert_eq!(checks[0].form, "a time from 1ms to 24h, such as 250ms, 5s or 1m");
        assert!(!checks[0].is_right);
    }

    #[test]
    fn a_duration_is_written_as_in_the_file() {
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (1500, "1500ms"),
            (5000, "5s"),
            (90_000, "90s"),
            (60_000, "1m"),
            (3_600_000, "1h"),
            (86_400_000, "24h"),
            (365 * 86_400_000, "365days"),
        ] {
            assert_eq!(duration_text(Duration::from_millis(millis)), text);
        }
    }
}

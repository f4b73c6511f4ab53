//! Parses moments of market time that a user enters, such as the setting `from`, the setting `to` or the
//! target of a seek.

use super::time::{self, DateOrder, Stamp};
use super::zone::Zone;
use crate::market::Time;

/// Parses moments in every notation of time that recorded files may use.
#[derive(Clone, Debug, Default)]
pub struct MomentParser {
    /// The time zone of moments without an offset from UTC. `None` means UTC.
    pub zone: Option<Zone>,
    /// The order of day, month and year in a moment. `None` means that the year comes first.
    pub date_order: Option<DateOrder>,
}

/// The error for a text that is not a moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a time")]
pub struct MomentError {
    found: String,
}

impl MomentError {
    /// The accepted notations of a moment, for error messages.
    pub const FORMS: &str = "times are dates (2024-01-03), local times of the files (2024-01-03 09:30), \
        times with an offset (2024-01-03T14:30:00Z), and Unix times in s, ms, µs or ns";
}

impl MomentParser {
    /// Parses a moment. A date without a time of day means the midnight at which the day begins.
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not a time from 1677 to 2262.
    pub fn parse(&self, text: &str) -> Result<Time, MomentError> {
        let time = match time::stamp(text.as_bytes(), self.date_order.unwrap_or(DateOrder::Ymd)) {
            Some(Stamp::Utc(time)) => Some(time),
            Some(Stamp::Local(nanos)) => self.zone.clone().unwrap_or_else(Zone::utc).moment(nanos),
            Some(Stamp::Named(_)) | None => None,
        };
        time.ok_or_else(|| MomentError { found: text.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_any_form_of_a_files_time_and_the_zone_of_the_files() {
        let new_york = MomentParser { zone: Some("America/New_York".parse().unwrap()), date_order: None };
        let day_first = MomentParser { date_order: Some(DateOrder::Dmy), ..MomentParser::default() };
        for (parser, text, expected) in [
            (&MomentParser::default(), "2024-01-03", "2024-01-03T00:00:00Z"),
            (&new_york, "2024-01-03", "2024-01-03T05:00:00Z"),
            (&new_york, "2024-07-03 09:30", "2024-07-03T13:30:00Z"),
            (&new_york, "2024-01-03T09:30:00+01:00", "2024-01-03T08:30:00Z"),
            (&new_york, "1704292200", "2024-01-03T14:30:00Z"),
            (&new_york, "1704292200.123456789", "2024-01-03T14:30:00.123456789Z"),
            (&new_york, "1704292200123", "2024-01-03T14:30:00.123Z"),
            (&day_first, "03/01/2024 14:30", "2024-01-03T14:30:00Z"),
        ] {
            assert_eq!(parser.parse(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "noon", "09:30", "5", "null"] {
            let error = MomentParser::default().parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is not a time"));
        }
    }
}

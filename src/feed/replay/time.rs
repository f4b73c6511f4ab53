//! Times as files write them.

use jiff::Timestamp;
use jiff::civil;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

use crate::market::Time;

/// The moment that a cell stands for; `None` where it stands for none.
///
/// ISO 8601 with a `T` or a blank, up to nine fraction digits, with `Z`, an offset or neither (then UTC); a date
/// alone is its midnight. A bare number counts from 1970: seconds, or milliseconds, microseconds or
/// nanoseconds as its own magnitude tells; eight digits are a date, as in `20240103`.
pub fn read(cell: &[u8]) -> Option<Time> {
    let cell = cell.trim_ascii();
    let number = cell.strip_prefix(b"-").unwrap_or(cell);
    let is_number = !number.is_empty() && number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if is_number && number.len() != 8 { since_1970(cell) } else { iso_8601(cell) }
}

fn iso_8601(cell: &[u8]) -> Option<Time> {
    let pieces = Pieces::parse(cell).ok()?;
    let offset = match pieces.to_numeric_offset() {
        Some(offset) => offset,
        None if pieces.time_zone_annotation().is_some() => return None,
        None => Offset::UTC,
    };
    let time = pieces.time().unwrap_or(civil::Time::midnight());
    let timestamp: Timestamp = offset.to_timestamp(pieces.date().to_datetime(time)).ok()?;
    timestamp.try_into().ok()
}

fn since_1970(cell: &[u8]) -> Option<Time> {
    let text = std::str::from_utf8(cell).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let count: i64 = whole.parse().ok()?;
    let unit: i64 = match count.unsigned_abs() {
        0..=99_999_999_999 => 1_000_000_000,
        100_000_000_000..=99_999_999_999_999 => 1_000_000,
        100_000_000_000_000..=99_999_999_999_999_999 => 1_000,
        _ => 1,
    };
    let nanos = count.checked_mul(unit)?;
    let more = part_of(unit, fraction)?;
    let nanos = if text.starts_with('-') { nanos.checked_sub(more) } else { nanos.checked_add(more) };
    nanos.map(Time::from_nanos)
}

/// The digits behind the point, in nanoseconds; those past the nanosecond go.
fn part_of(unit: i64, fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut nanos = 0;
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        nanos += place * i64::from(digit - b'0');
    }
    Some(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_utc(cell: &str) -> String {
        read(cell.as_bytes()).map_or_else(|| "none".to_owned(), |time| time.to_string())
    }

    #[test]
    fn iso_8601_is_read_in_the_forms_that_files_have() {
        for (cell, utc) in [
            ("2024-01-03T14:30:00Z", "2024-01-03T14:30:00Z"),
            ("2024-01-03 14:30:00", "2024-01-03T14:30:00Z"),
            ("2024-01-03 14:30", "2024-01-03T14:30:00Z"),
            (" 2024-01-03 ", "2024-01-03T00:00:00Z"),
            ("20240103", "2024-01-03T00:00:00Z"),
            ("2024-01-03 14:30:00.015754627+00:00", "2024-01-03T14:30:00.015754627Z"),
            ("2024-01-03T14:30:00.1-05:00", "2024-01-03T19:30:00.100Z"),
            ("2024-01-21T23:00:00+0900", "2024-01-21T14:00:00Z"),
        ] {
            assert_eq!(as_utc(cell), utc, "{cell}");
        }
    }

    #[test]
    fn a_number_counts_from_1970_in_the_unit_of_its_magnitude() {
        for cell in ["1704292200", "1704292200.0", "1704292200000", "1704292200000000", "1704292200000000000"]
        {
            assert_eq!(as_utc(cell), "2024-01-03T14:30:00Z", "{cell}");
        }
        assert_eq!(as_utc("1704292200.123456789"), "2024-01-03T14:30:00.123456789Z");
        assert_eq!(as_utc("1704292200000.5"), "2024-01-03T14:30:00.000500Z");
        assert_eq!(as_utc("-0.5"), "1969-12-31T23:59:59.500Z");
        assert_eq!(as_utc("0"), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for cell in [
            "",
            "noon",
            "14:30:00",
            "03.01.2024",
            "1.2.3",
            ".",
            "-",
            "99999999999999999999",
            "2024-02-30",
            "1500-01-01",
            "2024-01-03T14:30:00[America/New_York]",
        ] {
            assert_eq!(as_utc(cell), "none", "{cell}");
        }
    }
}

//! Parses Unix times, i.e. counts of seconds or smaller units since 1970. Also parses .NET's ticks, which
//! count from the year 1.

use super::digits::{digits, leading_number, number, part_of};
use super::stamp::{SECOND, Stamp};
use crate::market::Time;

/// The least number of digits that a count with an exponent must have. A count with fewer digits was probably
/// rounded.
///
/// Spreadsheets and C's `%g` round to six digits. C's `%e` and R's `print` round to seven digits. A program
/// that drops only trailing zeros usually leaves at least eight digits, even if the time is a multiple of 15
/// minutes. Only counts of seconds that end in three zeros keep fewer than eight digits. Such counts of
/// seconds are rare, and look like rounded counts.
const UNROUNDED: usize = 8;

/// The count of .NET's ticks at the beginning of 1970. A second has 10,000,000 ticks.
/// <https://learn.microsoft.com/dotnet/api/system.datetime.ticks>
const TICKS_OF_1970: u64 = 621_355_968_000_000_000;
/// The count of .NET's ticks at the beginning of 2100.
const TICKS_OF_2100: u64 = 662_380_416_000_000_000;

/// Parses a Unix time, or a count of .NET's ticks.
pub fn stamp(cell: &[u8]) -> Option<Stamp> {
    let (is_negative, text) = match cell {
        [b'-', text @ ..] => (true, text),
        _ => (false, cell),
    };
    let (count, after) = leading_number(text);
    let whole = &text[..text.len() - after.len()];
    let (fraction, text) = match after {
        [b'.', text @ ..] => text.split_at(digits(text)),
        _ => (&[][..], after),
    };
    if matches!(whole, [] | [b'0', ..]) {
        return None;
    }
    let exponent = match text {
        [] => 0,
        [b'e' | b'E', exponent @ ..] if whole.len() + fraction.len() >= UNROUNDED => exponent_of(exponent)?,
        _ => return None,
    };
    let places = whole.len().checked_add_signed(exponent)?;
    let least = if is_negative { 6 } else { 9 };
    if !(least..=19).contains(&places) {
        return None;
    }
    let mut shifted = [b'0'; 28]; // 19 digits of a count, and 9 more for its nanoseconds
    let (count, fraction) = if exponent == 0 {
        (count, fraction)
    } else {
        for (place, digit) in shifted.iter_mut().zip(whole.iter().chain(fraction)) {
            *place = *digit;
        }
        let (whole, fraction) = shifted.split_at(places);
        (leading_number(whole).0, fraction)
    };
    if places == 18 {
        return nanos_of_ticks(count, fraction).filter(|_| !is_negative).map(Stamp::Local);
    }
    let nanos = nanos_of_count(count, fraction);
    let nanos = i64::try_from(if is_negative { -nanos } else { nanos }).ok()?;
    Some(Stamp::Utc(Time::from_nanos(nanos)))
}

/// Converts a Unix time to nanoseconds. The magnitude of the count tells its unit.
fn nanos_of_count(count: u64, fraction: &[u8]) -> i128 {
    let unit = match count {
        0..=99_999_999_999 => SECOND,
        100_000_000_000..=99_999_999_999_999 => 1_000_000,
        100_000_000_000_000..=99_999_999_999_999_999 => 1_000,
        _ => 1,
    };
    i128::from(count) * i128::from(unit) + i128::from(part_of(unit, fraction))
}

/// Converts a count of .NET's ticks to nanoseconds since 1970. Ticks do not tell their time zone, so they are
/// taken as local time.
fn nanos_of_ticks(ticks: u64, fraction: &[u8]) -> Option<i64> {
    let is_of_markets = (TICKS_OF_1970..TICKS_OF_2100).contains(&ticks);
    is_of_markets.then(|| (ticks - TICKS_OF_1970).cast_signed() * 100 + part_of(100, fraction))
}

/// Parses an exponent of at most two digits, such as `+09`, `9` or `-5`.
fn exponent_of(text: &[u8]) -> Option<isize> {
    let (is_negative, text) = match text {
        [b'-', text @ ..] => (true, text),
        [b'+', text @ ..] => (false, text),
        _ => (false, text),
    };
    if !matches!(text.len(), 1 | 2) || digits(text) != text.len() {
        return None;
    }
    let exponent = isize::try_from(number(text)).ok()?;
    Some(if is_negative { -exponent } else { exponent })
}

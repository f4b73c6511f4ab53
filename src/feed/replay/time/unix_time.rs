//! Counts: moments as how many units of time have passed since 1970, or, for .NET, since the year 1.

use super::digits::{digits, leading_number, number, part_of};
use super::stamp::{SECOND, Stamp};
use crate::market::Time;

/// The digits from which on a number with an exponent was hardly rounded.
///
/// Spreadsheets and C's `%g` leave six, `%e` and R's `print` seven. Programs that leave out zeros only have eight for
/// a quarter of an hour; those few whose seconds end in three zeros cannot be told from rounded ones.
const UNROUNDED: usize = 8;

/// .NET's ticks, of which 10,000,000 are a second, at the beginning of 1970,
/// <https://learn.microsoft.com/dotnet/api/system.datetime.ticks>,
const TICKS_OF_1970: u64 = 621_355_968_000_000_000;
/// and at that of 2100.
const TICKS_OF_2100: u64 = 662_380_416_000_000_000;

/// The moment of a count, in the unit of its magnitude.
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
    let indices = whole.len().checked_add_signed(exponent)?;
    let least = if is_negative { 6 } else { 9 };
    if !(least..=19).contains(&indices) {
        return None;
    }
    let mut shifted = [b'0'; 28]; // nineteen digits of a count, and what more a nanosecond needs of a second
    let (count, fraction) = if exponent == 0 {
        (count, fraction)
    } else {
        for (place, digit) in shifted.iter_mut().zip(whole.iter().chain(fraction)) {
            *place = *digit;
        }
        let (whole, fraction) = shifted.split_at(indices);
        (leading_number(whole).0, fraction)
    };
    if indices == 18 {
        return nanos_of_ticks(count, fraction).filter(|_| !is_negative).map(Stamp::Local);
    }
    let nanos = nanos_of_count(count, fraction);
    let nanos = i64::try_from(if is_negative { -nanos } else { nanos }).ok()?;
    Some(Stamp::Utc(Time::from_nanos(nanos)))
}

/// The nanoseconds of a count in the unit of its magnitude.
fn nanos_of_count(count: u64, fraction: &[u8]) -> i128 {
    let unit = match count {
        0..=99_999_999_999 => SECOND,
        100_000_000_000..=99_999_999_999_999 => 1_000_000,
        100_000_000_000_000..=99_999_999_999_999_999 => 1_000,
        _ => 1,
    };
    i128::from(count) * i128::from(unit) + i128::from(part_of(unit, fraction))
}

/// The nanoseconds since 1970 of .NET's ticks; they do not say whether their clock is that of UTC.
fn nanos_of_ticks(ticks: u64, fraction: &[u8]) -> Option<i64> {
    let is_of_markets = (TICKS_OF_1970..TICKS_OF_2100).contains(&ticks);
    is_of_markets.then(|| (ticks - TICKS_OF_1970).cast_signed() * 100 + part_of(100, fraction))
}

/// `+09`, `9` or `-5`: two digits at the most.
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

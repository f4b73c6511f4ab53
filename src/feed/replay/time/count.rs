//! Counts: moments as how many units of time have passed since 1970.

use super::{SECOND, Stamp, digits, leading_number, number, part_of};
use crate::market::Time;

/// The digits from which on a number with an exponent was hardly rounded.
///
/// Spreadsheets and C's `%g` leave six, `%e` and R's `print` seven. Programs that leave out zeros only have eight for
/// a quarter of an hour; those few whose seconds end in three zeros cannot be told from rounded ones.
const UNROUNDED: usize = 8;

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
    let places = whole.len().checked_add_signed(exponent)?;
    let least = if is_negative { 6 } else { 9 };
    if !(least..=19).contains(&places) {
        return None;
    }
    let nanos = if exponent == 0 {
        nanos_of_count(count, fraction)
    } else {
        let mut shifted = [b'0'; 28]; // nineteen digits of a count, and what more a nanosecond needs of a second
        for (place, digit) in shifted.iter_mut().zip(whole.iter().chain(fraction)) {
            *place = *digit;
        }
        let (whole, fraction) = shifted.split_at(places);
        nanos_of_count(leading_number(whole).0, fraction)
    };
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

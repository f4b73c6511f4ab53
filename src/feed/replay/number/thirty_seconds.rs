//! Parses prices in 32nds, as US treasury futures are quoted: `112'165` is 112 and 16.5/32. Some files write `112.165`.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The eighths of a 32nd that each last digit stands for. The digits are the first decimals of the eighths: 0.25 is
/// written as 2, and 0.375 as 3. No eighth begins with 4 or 9.
/// <https://www.cmegroup.com/education/courses/introduction-to-treasuries/calculating-us-treasury-pricing.html>
const EIGHTHS: [Option<i64>; 10] =
    [Some(0), Some(1), Some(2), Some(3), None, Some(4), Some(5), Some(6), Some(7), None];

/// The configured notation of prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PriceNotation {
    /// Points and 32nds of a point, as in `112'165`, `112-16+` or `112.165`.
    #[serde(rename = "32nds")]
    ThirtySeconds,
}

/// The error for a text that is not a notation of prices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a notation of prices; the only one is 32nds (112'165 is 112.515625)")]
pub struct PriceNotationError {
    found: String,
}

impl FromStr for PriceNotation {
    type Err = PriceNotationError;

    fn from_str(text: &str) -> Result<Self, PriceNotationError> {
        match text {
            "32nds" => Ok(Self::ThirtySeconds),
            _ => Err(PriceNotationError { found: text.chars().take(64).collect() }),
        }
    }
}

/// Parses a price in points and 32nds. The sign between both is an apostrophe or a hyphen. A third digit, or a plus
/// for a half, stands for a part of a 32nd. Returns `None` for any other text.
pub fn price_in_32nds(cell: &[u8]) -> Option<Decimal> {
    let (points, tens, ones, eighths) = match cell.trim_ascii() {
        [points @ .., b'\'' | b'-', tens @ b'0'..=b'3', ones @ b'0'..=b'9'] => (points, tens, ones, 0),
        [points @ .., b'\'' | b'-', tens @ b'0'..=b'3', ones @ b'0'..=b'9', b'+'] => (points, tens, ones, 4),
        [points @ .., b'\'' | b'-', tens @ b'0'..=b'3', ones @ b'0'..=b'9', last @ b'0'..=b'9'] => {
            (points, tens, ones, EIGHTHS[usize::from(last - b'0')]?)
        }
        _ => return None,
    };
    price(points, digit(*tens) * 10 + digit(*ones), eighths)
}

/// Parses a price in points and 32nds with a point between both. Zeros at the end may be missing, as spreadsheets leave
/// them out: `112.1` is 112 and 10/32. Returns `None` for any other text.
pub fn price_in_32nds_after_point(cell: &[u8]) -> Option<Decimal> {
    let cell = cell.trim_ascii();
    let point = cell.iter().position(|byte| *byte == b'.').unwrap_or(cell.len());
    let (points, after) = cell.split_at(point);
    let (after, half) = match after {
        [after @ .., b'+'] if after.len() == 3 => (after, Some(4)),
        _ => (after, None),
    };
    let digits = after.strip_prefix(b".").unwrap_or(after);
    if digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nth = |index: usize| digits.get(index).copied().unwrap_or(b'0');
    let eighths = half.or(EIGHTHS[usize::from(nth(2) - b'0')])?;
    price(points, digit(nth(0)) * 10 + digit(nth(1)), eighths)
}

fn digit(byte: u8) -> i64 {
    i64::from(byte - b'0')
}

/// Returns the price of so many points, 32nds and eighths of a 32nd.
fn price(points: &[u8], parts: i64, eighths: i64) -> Option<Decimal> {
    let is_price = (1..=4).contains(&points.len()) && points.iter().all(u8::is_ascii_digit) && parts < 32;
    // A 256th is 0.00390625.
    let price = |points: i64| Decimal::new((points * 256 + parts * 8 + eighths) * 390_625, 8).normalize();
    is_price.then(|| price(points.iter().fold(0, |points, byte| points * 10 + digit(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_may_stand_between_points_and_32nds() {
        for (text, price) in [
            ("124.16", "124.5"),
            ("124.165", "124.515625"),
            ("124.162", "124.5078125"),
            ("124.16+", "124.515625"),
            ("124.1", "124.3125"),
            ("124", "124"),
            (" 99.31 ", "99.96875"),
        ] {
            assert_eq!(price_in_32nds_after_point(text.as_bytes()).unwrap().to_string(), price, "{text}");
        }
        for text in ["124.32", "124.5", "124.164", "124.1650", "124.1+", "-124.16", "124,16", "", ".16", "x"]
        {
            assert_eq!(price_in_32nds_after_point(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn points_and_32nds_are_a_price() {
        for (text, price) in [
            ("110'16", "110.5"),
            ("112-085", "112.265625"),
            ("112'282", "112.8828125"),
            ("112'287", "112.8984375"),
            ("108-071", "108.22265625"),
            (" 110-16+ ", "110.515625"),
            ("112'000", "112"),
            ("99'31", "99.96875"),
        ] {
            assert_eq!(price_in_32nds(text.as_bytes()).unwrap().to_string(), price, "{text}");
        }
        for text in [
            "110",
            "110.5",
            "110'32",
            "110'164",
            "110'169",
            "'16",
            "11000'16",
            "-110'16",
            "110'1",
            "110'1650",
            "9999999999999999999999'16",
        ] {
            assert_eq!(price_in_32nds(text.as_bytes()), None, "{text}");
        }
    }
}

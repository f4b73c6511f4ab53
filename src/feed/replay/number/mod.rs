//! Numbers as files write them: exact decimals, read byte by byte.

mod decimal_sign;
mod parts;
#[cfg(test)]
mod tests;

use rust_decimal::Decimal;

use crate::market::{NumberError, Price, Size};

pub use decimal_sign::DecimalSign;

/// Databento's raw prices are whole multiples of ten to the minus this.
/// <https://databento.com/docs/standards-and-conventions/common-fields-enums-types>
const FIXED_POINT_DECIMALS: u32 = 9;
/// Databento's raw price of what has none.
const UNDEFINED_PRICE: i64 = i64::MAX;
/// Databento's sizes and quantities of what has none, by the width of their field.
const UNDEFINED_SIZES: [&[u8]; 4] =
    [b"2147483647", b"4294967295", b"9223372036854775807", b"18446744073709551615"];
/// LOBSTER's prices of a level of the book that nobody stands at. <https://lobsterdata.com/info/DataStructure.php>
const UNOCCUPIED: [&[u8]; 2] = [b"9999999999", b"-9999999999"];

/// How a file writes its numbers.
///
/// The forms that all files may use: a currency's sign in front or behind, thousands apart by the other sign, by
/// blanks or by apostrophes, lakhs and crores by commas, an accountant's parentheses for a minus, an exponent, and
/// `K`, `M`, `B` or `T` for thousands to trillions. A word for "no value" is `None`; a percentage is no number. Every
/// digit is kept.
///
/// An apostrophe is never a fraction: a treasury future's `110'165`, which is 110 and 16.5/32, is 110,165 here, as the
/// Swiss write it, and `110'16` is no number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub decimal: DecimalSign,
    /// Prices are divided by ten to this: with 4, `1674100` is 167.4100.
    pub price_scale: u32,
}

impl Numbers {
    /// A price; `None` where the cell says that there is none.
    ///
    /// # Errors
    ///
    /// What is no number, and what has more than 28 digits.
    pub fn price(self, cell: &[u8]) -> Result<Option<Price>, NumberError> {
        Ok(read(cell, self.decimal, self.price_scale)?.map(Price))
    }

    /// A size; `None` where the cell says that there is none.
    ///
    /// # Errors
    ///
    /// What is no number, is negative, or has more than 28 digits.
    pub fn size(self, cell: &[u8]) -> Result<Option<Size>, NumberError> {
        match read(cell, self.decimal, 0)? {
            Some(negative) if negative.is_sign_negative() && !negative.is_zero() => Err(bad(cell)),
            size => Ok(size.map(Size)),
        }
    }

    /// A price of a Databento file, where a number without a point is fixed-point: `189530000000` is 189.53.
    ///
    /// # Errors
    ///
    /// As [`Numbers::price`].
    pub fn fixed_point_price(self, cell: &[u8]) -> Result<Option<Price>, NumberError> {
        let raw = std::str::from_utf8(cell.trim_ascii()).ok().and_then(|text| text.parse().ok());
        match raw {
            Some(UNDEFINED_PRICE) => Ok(None),
            Some(count) => Ok(Some(Price(Decimal::new(count, FIXED_POINT_DECIMALS)))),
            None => self.price(cell),
        }
    }

    /// A size of a Databento file, where the greatest number of the field's type says that there is none.
    ///
    /// # Errors
    ///
    /// As [`Numbers::size`].
    pub fn fixed_point_size(self, cell: &[u8]) -> Result<Option<Size>, NumberError> {
        if UNDEFINED_SIZES.contains(&cell.trim_ascii()) { Ok(None) } else { self.size(cell) }
    }

    /// A price of a LOBSTER file, where a level that nobody stands at has one of ±9999999999.
    ///
    /// # Errors
    ///
    /// As [`Numbers::price`].
    pub fn lobster_price(self, cell: &[u8]) -> Result<Option<Price>, NumberError> {
        if UNOCCUPIED.contains(&cell.trim_ascii()) { Ok(None) } else { self.price(cell) }
    }
}

/// The decimal sign that a cell proves: with the other one it would be no number.
///
/// `1.234,5`, `0,5`, `12,34` and `1.234.567` have a comma, `1,234.5`, `0.5`, `12.34` and `1,234,567` a point;
/// `1,234` may be both.
pub fn sign_shown(cell: &[u8]) -> Option<DecimalSign> {
    let is_number = |decimal| matches!(read(cell, decimal, 0), Ok(Some(_)));
    match (is_number(DecimalSign::Point), is_number(DecimalSign::Comma)) {
        (true, false) => Some(DecimalSign::Point),
        (false, true) => Some(DecimalSign::Comma),
        _ => None,
    }
}

/// The number of a cell divided by ten to `shift`; `None` where it says that there is none.
fn read(cell: &[u8], decimal: DecimalSign, shift: u32) -> Result<Option<Decimal>, NumberError> {
    if let Some(number) = plain(cell.trim_ascii(), decimal, shift) {
        return Ok(Some(number));
    }
    let text = parts::trim(cell);
    if parts::is_missing(text) {
        return Ok(None);
    }
    let number = parts::number(text, decimal).and_then(|number| number.shifted(shift));
    number.map(Some).ok_or_else(|| bad(cell))
}

/// Digits with at most one decimal sign among them, and perhaps a minus in front: nearly all numbers.
#[inline]
fn plain(text: &[u8], decimal: DecimalSign, shift: u32) -> Option<Decimal> {
    let (is_negative, text) = match text {
        [b'-', text @ ..] => (true, text),
        _ => (false, text),
    };
    let (number, after) = append(0, text);
    let (number, decimals) = match after {
        [] => (number, 0),
        [sign, fraction @ ..] if *sign == decimal.byte() => match append(number, fraction) {
            (number, []) => (number, u32::try_from(fraction.len()).ok()?),
            _ => return None,
        },
        _ => return None,
    };
    // Nineteen digits fit into 64 bits, or eighteen and the sign. At least one of two bytes is a digit.
    let is_number = text.len() <= 19 && (text.len() > 1 || after.is_empty()) && !text.is_empty();
    let number = i64::try_from(number).ok().filter(|_| is_number)?;
    Decimal::try_new(if is_negative { -number } else { number }, shift.checked_add(decimals)?).ok()
}

/// The number with the digits at the beginning of a text behind it, and what follows them.
#[inline]
fn append(mut number: u64, mut text: &[u8]) -> (u64, &[u8]) {
    while let [byte, after @ ..] = text
        && byte.is_ascii_digit()
    {
        number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        text = after;
    }
    (number, text)
}

fn bad(cell: &[u8]) -> NumberError {
    NumberError::new(&String::from_utf8_lossy(cell.trim_ascii()))
}

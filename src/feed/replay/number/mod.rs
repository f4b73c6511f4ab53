//! Parses the numbers of a file, byte by byte, into exact decimals.

mod decimal_sign;
mod parts;
#[cfg(test)]
mod tests;
mod thirty_seconds;

use rust_decimal::Decimal;

use crate::market::{NumberError, Price, Size};

pub use decimal_sign::DecimalSign;
pub use thirty_seconds::{PriceNotation, price_in_32nds, price_in_32nds_after_point};

/// How many of the last digits of Databento's integer prices are decimals.
/// <https://databento.com/docs/standards-and-conventions/common-fields-enums-types>
const FIXED_POINT_DECIMALS: u32 = 9;
/// Databento's integer price for "no price".
const UNDEFINED_PRICE: i64 = i64::MAX;
/// Databento's sizes for "no size": the greatest number of each integer type.
const UNDEFINED_SIZES: [&[u8]; 4] =
    [b"2147483647", b"4294967295", b"9223372036854775807", b"18446744073709551615"];
/// The prices that LOBSTER files give for an empty level of the order book.
/// <https://lobsterdata.com/info/DataStructure.php>
const UNOCCUPIED: [&[u8]; 2] = [b"9999999999", b"-9999999999"];

/// The notation of the numbers in a file.
///
/// The numbers of any file may have these forms:
///
/// - a currency sign before or after the number
/// - thousands separated by blanks, by apostrophes, or by the point or comma that is not the decimal sign
/// - Indian groups of digits (lakhs and crores) separated by commas
/// - parentheses around a negative number, instead of a minus sign
/// - an exponent after the digits
/// - the letter `K`, `M`, `B` or `T` after the digits, for thousands to trillions
/// - a fraction after the digits, as in `12 1/8`, `12-1/8` or `12½`
///
/// A word for "no value" is parsed as `None`. A percentage is an error. Numbers are never rounded.
///
/// An apostrophe separates thousands, as in Switzerland, unless prices are configured as 32nds. So `110'165` is
/// parsed as 110165, even if it is the price of a treasury future and means 110 and 16.5/32. The text `110'16`
/// is an error, because a group of thousands has three digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub decimal: DecimalSign,
    /// Prices are divided by ten to the power of this number. With a scale of 4, `1674100` is parsed as
    /// 167.4100.
    pub price_scale: u32,
}

impl Numbers {
    /// Parses a price. Returns `None` if the cell is empty or means "no value".
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not a number, and for a number of more than 28 digits.
    pub fn price(self, cell: &[u8]) -> Result<Option<Price>, NumberError> {
        Ok(read(cell, self.decimal, self.price_scale)?.map(Price))
    }

    /// Parses a size. Returns `None` if the cell is empty or means "no value".
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not a number, for a negative number, and for a number of more than
    /// 28 digits.
    pub fn size(self, cell: &[u8]) -> Result<Option<Size>, NumberError> {
        match read(cell, self.decimal, 0)? {
            Some(negative) if negative.is_sign_negative() && !negative.is_zero() => Err(bad(cell)),
            size => Ok(size.map(Size)),
        }
    }

    /// Parses a price of a Databento file. A number without a decimal point is in units of 1e-9, so that
    /// `189530000000` means 189.53.
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`Numbers::price`].
    pub fn fixed_point_price(self, cell: &[u8]) -> Result<Option<Price>, NumberError> {
        let raw = std::str::from_utf8(cell.trim_ascii()).ok().and_then(|text| text.parse().ok());
        match raw {
            Some(UNDEFINED_PRICE) => Ok(None),
            Some(count) => Ok(Some(Price(Decimal::new(count, FIXED_POINT_DECIMALS)))),
            None => self.price(cell),
        }
    }

    /// Parses a size of a Databento file. Returns `None` for the greatest number of an integer type, which
    /// means "no size".
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`Numbers::size`].
    pub fn fixed_point_size(self, cell: &[u8]) -> Result<Option<Size>, NumberError> {
        if UNDEFINED_SIZES.contains(&cell.trim_ascii()) { Ok(None) } else { self.size(cell) }
    }

    /// Parses a price in points and 32nds, or a decimal number without an apostrophe.
    ///
    /// # Errors
    ///
    /// Returns an error for other texts with an apostrophe, and in the same cases as [`Numbers::price`].
    pub fn price_in_32nds(self, cell: &[u8]) -> Result<Option<Price>, NumberError> {
        match price_in_32nds(cell) {
            Some(price) => Ok(Some(Price(price))),
            None if cell.contains(&b'\'') => Err(bad(cell)),
            None => self.price(cell),
        }
    }

    /// Parses a price of a LOBSTER file. Returns `None` for ±9999999999, which means an empty level of the
    /// order book.
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`Numbers::price`].
    pub fn lobster_price(self, cell: &[u8]) -> Result<Option<Price>, NumberError> {
        if UNOCCUPIED.contains(&cell.trim_ascii()) { Ok(None) } else { self.price(cell) }
    }
}

/// Parses a price in points and 32nds, with any sign between both, also a point.
///
/// # Errors
///
/// Returns an error for any other text, unless it means "no value".
pub fn any_price_in_32nds(cell: &[u8]) -> Result<Option<Price>, NumberError> {
    match price_in_32nds_after_point(cell).or_else(|| price_in_32nds(cell)) {
        Some(price) => Ok(Some(Price(price))),
        None if parts::is_missing(parts::trim(cell)) => Ok(None),
        None => Err(bad(cell)),
    }
}

/// Returns the decimal sign that a cell proves: with the other sign, the cell would not be a number.
///
/// Numbers such as `1.234,5`, `0,5`, `12,34` and `1.234.567` prove that the decimal sign is a comma. Numbers
/// such as `1,234.5`, `0.5`, `12.34` and `1,234,567` prove that the decimal sign is a point. The number
/// `1,234` proves nothing.
pub fn sign_shown(cell: &[u8]) -> Option<DecimalSign> {
    plain_sign(cell).or_else(|| sign_of_only_reading(cell))
}

/// Returns the decimal sign with which a cell is a number, if the cell is no number with the other sign.
fn sign_of_only_reading(cell: &[u8]) -> Option<DecimalSign> {
    let is_number = |decimal| matches!(read(cell, decimal, 0), Ok(Some(_)));
    match (is_number(DecimalSign::Point), is_number(DecimalSign::Comma)) {
        (true, false) => Some(DecimalSign::Point),
        (false, true) => Some(DecimalSign::Comma),
        _ => None,
    }
}

/// Returns the decimal sign of a plain number whose decimals are no group of thousands. The function is a fast
/// path, because most numbers in files are of this kind.
fn plain_sign(cell: &[u8]) -> Option<DecimalSign> {
    let (_, after) = append(0, cell);
    let (sign, fraction) = after.split_first().filter(|_| after.len() < cell.len() && cell.len() <= 19)?;
    let sign = [DecimalSign::Point, DecimalSign::Comma].into_iter().find(|known| known.byte() == *sign)?;
    let is_proof = !fraction.is_empty() && fraction.len() != 3 && fraction.iter().all(u8::is_ascii_digit);
    is_proof.then_some(sign)
}

/// Parses a number, and divides it by ten to the power of `shift`. Returns `None` if the cell is empty or
/// means "no value".
#[inline]
fn read(cell: &[u8], decimal: DecimalSign, shift: u32) -> Result<Option<Decimal>, NumberError> {
    match plain(cell.trim_ascii(), decimal, shift) {
        Some(number) => Ok(Some(number)),
        None => read_any(cell, decimal, shift),
    }
}

/// Parses a number of any form, as [`read`] does.
fn read_any(cell: &[u8], decimal: DecimalSign, shift: u32) -> Result<Option<Decimal>, NumberError> {
    let text = parts::trim(cell);
    if parts::is_missing(text) {
        return Ok(None);
    }
    let number = parts::number(text, decimal).and_then(|number| number.shifted(shift));
    number.map(Some).ok_or_else(|| bad(cell))
}

/// Parses a plain number: an optional minus, and digits with at most one decimal sign. The function is a fast
/// path, because nearly all numbers in files are plain.
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
    // Up to 19 digits fit into 64 bits. A text of two bytes or more has at least one digit, because at most
    // one byte is the decimal sign.
    let is_number = text.len() <= 19 && (text.len() > 1 || after.is_empty()) && !text.is_empty();
    let number = i64::try_from(number).ok().filter(|_| is_number)?;
    Decimal::try_new(if is_negative { -number } else { number }, shift.checked_add(decimals)?).ok()
}

/// Reads the digits at the start of a text, and appends them to a number. Returns the resulting number, and
/// the text after the digits.
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

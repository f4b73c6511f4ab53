//! Numbers as files write them.

use std::str::FromStr;

use rust_decimal::Decimal;

use crate::market::{NumberError, Price, Size};

/// Databento's raw prices are whole multiples of ten to the minus this.
/// <https://databento.com/docs/standards-and-conventions/common-fields-enums-types>
const FIXED_POINT_DECIMALS: u32 = 9;
/// Databento's raw price of what has none.
const UNDEFINED: i64 = i64::MAX;

/// A price; `None` where the cell says that there is none.
pub fn price(cell: &[u8]) -> Result<Option<Price>, NumberError> {
    number(cell)
}

/// A size; `None` where the cell says that there is none.
pub fn size(cell: &[u8]) -> Result<Option<Size>, NumberError> {
    number(cell)
}

/// A price of a Databento file, where a number without a point is fixed-point: `189530000000` is 189.53.
pub fn fixed_point_price(cell: &[u8]) -> Result<Option<Price>, NumberError> {
    let raw = std::str::from_utf8(cell.trim_ascii()).ok().and_then(|text| text.parse().ok());
    match raw {
        Some(UNDEFINED) => Ok(None),
        Some(count) => Ok(Some(Price(Decimal::new(count, FIXED_POINT_DECIMALS)))),
        None => price(cell),
    }
}

fn number<T: FromStr<Err = NumberError>>(cell: &[u8]) -> Result<Option<T>, NumberError> {
    let cell = cell.trim_ascii();
    if is_missing(cell) {
        return Ok(None);
    }
    // What is no text is no number either, and the parser says so.
    String::from_utf8_lossy(cell).parse().map(Some)
}

/// The words for "no value" in number columns; a symbol may well be called `NA`.
fn is_missing(cell: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"-", b"NaN", b"null", b"N/A", b"NA", b"None"];
    cell.is_empty() || (!cell[0].is_ascii_digit() && WORDS.iter().any(|word| cell.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(price(b" 189.530 ").unwrap().unwrap().to_string(), "189.530");
        assert_eq!(price(b"-37.63").unwrap().unwrap().to_string(), "-37.63");
        assert_eq!(size(b"1.2e-7").unwrap().unwrap().to_string(), "0.00000012");
    }

    #[test]
    fn words_for_no_value_are_missing_and_other_words_are_bad() {
        for cell in ["", "  ", "-", "null", "NULL", "NaN", "nan", "N/A", "None"] {
            assert_eq!(price(cell.as_bytes()), Ok(None), "{cell}");
        }
        for cell in ["x", "1,5", "--", "$5", "inf"] {
            assert!(price(cell.as_bytes()).is_err(), "{cell}");
        }
        assert!(size(b"-1").is_err());
        assert!(price(b"\xff").is_err());
    }

    #[test]
    fn a_fixed_point_price_is_scaled_unless_it_has_a_point() {
        let read = |cell: &str| fixed_point_price(cell.as_bytes()).unwrap().map(|price| price.to_string());

        assert_eq!(read("5528750000000").unwrap(), "5528.750000000");
        assert_eq!(read("5528.750000000").unwrap(), "5528.750000000");
        assert_eq!(read("9223372036854775807"), None);
        assert_eq!(read(""), None);
    }
}

//! Prices and sizes: exact decimals, never a binary float.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A price in the quote currency, exact to the last digit of its source: `189.530` stays 189.530.
///
/// Zero and negative prices are legal: spreads and some futures have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price(#[serde(with = "exact")] pub Decimal);

/// The size of a trade or of a quote, in the source's own unit (shares, contracts, coins). A size is an exact
/// decimal, like a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Size(#[serde(with = "exact")] pub Decimal);

/// The error for a text that is not a plain decimal number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a number; numbers are plain decimals of at most 28 digits, e.g. 189.53")]
pub struct NumberError {
    found: String,
}

impl NumberError {
    /// Creates the error for an invalid text. The error contains only the first 64 characters of the text.
    pub(crate) fn new(text: &str) -> Self {
        Self { found: text.chars().take(64).collect() }
    }
}

impl Ord for Price {
    /// Compares two prices as numbers: 1.5 and 1.50 are equal.
    fn cmp(&self, other: &Self) -> Ordering {
        // Prices of one source nearly always have the same number of decimals. Then their digits decide.
        if self.0.scale() == other.0.scale() {
            self.0.mantissa().cmp(&other.0.mantissa())
        } else {
            self.0.cmp(&other.0)
        }
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Price {
    type Err = NumberError;

    /// Parses a decimal number, with an optional sign, at most 28 digits and an optional exponent.
    ///
    /// # Errors
    ///
    /// Returns an error for more than 28 digits, and for any text that is not a decimal (`NaN`, `inf`, an
    /// empty text).
    fn from_str(text: &str) -> Result<Self, NumberError> {
        decimal(text).map(Self)
    }
}

impl FromStr for Size {
    type Err = NumberError;

    /// Parses a size, which may have the same forms as a [`Price`].
    ///
    /// # Errors
    ///
    /// Returns an error for a negative number, for more than 28 digits, and for any text that is not a
    /// decimal.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        match decimal(text)? {
            negative if negative.is_sign_negative() && !negative.is_zero() => Err(NumberError::new(text)),
            size => Ok(Self(size)),
        }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn decimal(text: &str) -> Result<Decimal, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || digits.contains('_') {
        return Err(NumberError::new(text));
    }
    let parsed =
        if digits.contains(['e', 'E']) { scientific(text) } else { Decimal::from_str_exact(text).ok() };
    parsed.ok_or_else(|| NumberError::new(text))
}

/// Parses a number with an exponent, e.g. `1.2e-7`.
///
/// Returns `None` if a [`Decimal`] cannot hold the number exactly.
fn scientific(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let mantissa = Decimal::from_str_exact(mantissa).ok()?;
    let exponent: i64 = exponent.parse().ok()?;
    let scale = i64::from(mantissa.scale()).checked_sub(exponent)?;
    if scale >= 0 {
        Decimal::try_from_i128_with_scale(mantissa.mantissa(), u32::try_from(scale).ok()?).ok()
    } else {
        let shifted = mantissa.mantissa().checked_mul(10_i128.checked_pow(u32::try_from(-scale).ok()?)?)?;
        Decimal::try_from_i128_with_scale(shifted, 0).ok()
    }
}

/// Reads and writes a decimal in binary: the digits as one whole number, and the number of decimal places.
mod exact {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub fn serialize<S: Serializer>(decimal: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        (decimal.mantissa(), decimal.scale()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let (digits, places) = <(i128, u32)>::deserialize(deserializer)?;
        Decimal::try_from_i128_with_scale(digits, places).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_of_the_source_is_kept() {
        for text in ["0.1", "12345.678901234", "189.530", "-37.63", "0", "1234567890123456789012345678"] {
            assert_eq!(text.parse::<Price>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn prices_are_compared_as_numbers() {
        let mut sorted = ["-1.50", "-1.5", "-0.1", "-0", "0.00", "0.15", "0.150", "0.2", "1.49", "1.5", "10"];
        let numbers = sorted.map(|text| text.parse::<Price>().unwrap());
        assert!(numbers.is_sorted());
        assert_eq!(numbers[0].cmp(&numbers[1]), Ordering::Equal);
        assert_eq!(numbers[3].cmp(&numbers[4]), Ordering::Equal);

        sorted.reverse();
        let mut reversed = sorted.map(|text| text.parse::<Price>().unwrap());
        reversed.sort();
        assert_eq!(reversed, numbers);
    }

    #[test]
    fn a_twenty_ninth_digit_is_refused_and_never_rounded() {
        assert!("0.12345678901234567890123456789".parse::<Price>().is_err());
        assert!("99999999999999999999999999999".parse::<Price>().is_err());
    }

    #[test]
    fn exponents_are_read_exactly() {
        assert_eq!("1.20e-7".parse::<Price>().unwrap().to_string(), "0.000000120");
        assert_eq!("1.5E+3".parse::<Price>().unwrap().to_string(), "1500");
        assert!("1e-40".parse::<Price>().is_err());
        assert!("1e40".parse::<Price>().is_err());
    }

    #[test]
    fn text_that_is_no_number_is_an_error_with_the_text() {
        for text in ["", "NaN", "inf", "189,53", "1_000", "$5", "null", "--1", "1e", "e5", "."] {
            let error = text.parse::<Price>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{text}` is not a number")), "{error}");
        }
    }

    #[test]
    fn a_size_is_never_negative() {
        assert!("-1".parse::<Size>().is_err());
        assert!("0".parse::<Size>().is_ok());
    }
}

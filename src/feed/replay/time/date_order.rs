//! The order of day, month and year.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The order of day, month and year in a date of three numbers.
///
/// A year of four digits shows itself: where it comes first, the month follows it whatever the order; where it
/// comes last, `Ymd` cannot be meant, and the order is the usual one. Three numbers of two digits
/// are what the order says: 70 to 99 are years of the twentieth century.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// Month, day, year.
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day.
    Ymd,
}

/// A text that is no order of day, month and year.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an order of day, month and year; orders are mdy, dmy and ymd")]
pub struct DateOrderError {
    found: String,
}

impl FromStr for DateOrder {
    type Err = DateOrderError;

    fn from_str(text: &str) -> Result<Self, DateOrderError> {
        match text {
            "mdy" => Ok(Self::Mdy),
            "dmy" => Ok(Self::Dmy),
            "ymd" => Ok(Self::Ymd),
            _ => Err(DateOrderError { found: text.chars().take(64).collect() }),
        }
    }
}

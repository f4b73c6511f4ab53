//! The order of day, month and year.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The order of day, month and year in a date of three numbers.
///
/// A year of four digits shows where it is. If it comes first, the month follows it in any order. If it comes last,
/// `Ymd` cannot be meant, and the usual order applies. For three numbers of two digits, the order decides; 70 to 99
/// are years of the twentieth century.
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

/// The error for a text that is not an order of day, month and year.
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

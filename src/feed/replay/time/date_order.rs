//! The order of day, month and year.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The order of day, month and year in a date of three numbers.
///
/// A date that begins with a four-digit year always means year, month, day. If a date ends with a four-digit
/// year, `Ymd` means the usual order. The usual order is day first in a date with points, and month first in
/// any other date. The two-digit years 50 to 99 mean 1950 to 1999, and the other two-digit years mean 2000 to
/// 2049.
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

impl fmt::Display for DateOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mdy => "mdy",
            Self::Dmy => "dmy",
            Self::Ymd => "ymd",
        })
    }
}

//! The decimal sign of a number: a point or a comma.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The decimal sign of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecimalSign {
    /// A point separates the decimals, as in `1,234.5`.
    #[default]
    #[serde(rename = ".", alias = "point")]
    Point,
    /// A comma separates the decimals, as in `1.234,5`.
    #[serde(rename = ",", alias = "comma")]
    Comma,
}

/// The error for a text that is not a decimal sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a decimal sign; decimal signs are . (point) and , (comma)")]
pub struct DecimalSignError {
    found: String,
}

impl FromStr for DecimalSign {
    type Err = DecimalSignError;

    fn from_str(text: &str) -> Result<Self, DecimalSignError> {
        match text {
            "." | "point" => Ok(Self::Point),
            "," | "comma" => Ok(Self::Comma),
            _ => Err(DecimalSignError { found: text.chars().take(64).collect() }),
        }
    }
}

impl DecimalSign {
    /// Returns the decimal sign as an ASCII byte.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Point => b'.',
            Self::Comma => b',',
        }
    }

    /// Returns the sign that is not the decimal sign, and that may therefore separate thousands.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Point => Self::Comma,
            Self::Comma => Self::Point,
        }
    }
}

//! The sign before the decimals of a number: a point or a comma.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The sign before the decimals of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecimalSign {
    /// As in `1,234.5`.
    #[default]
    #[serde(rename = ".", alias = "point")]
    Point,
    /// As in `1.234,5`.
    #[serde(rename = ",", alias = "comma")]
    Comma,
}

/// A text that is no decimal sign.
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
    /// The sign itself.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Point => b'.',
            Self::Comma => b',',
        }
    }

    /// The sign that is free to stand between thousands.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Point => Self::Comma,
            Self::Comma => Self::Point,
        }
    }
}

//! The name of an instrument.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smol_str::SmolStr;

/// The name of an instrument, of 1 to 32 characters.
///
/// Each character of a symbol is a letter or digit of any script, or one of `. _ : / ^ = + -`.
///
/// Symbols are case-sensitive. Names of up to 23 bytes are stored inline, so a clone is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Symbol(#[serde(serialize_with = "as_text")] SmolStr);

/// The error for a text that is not a valid symbol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("symbol {found:?} {fault}; symbols are 1 to 32 letters and digits of any script and . _ : / ^ = + -")]
pub struct SymbolError {
    found: String,
    fault: String,
}

impl Symbol {
    /// The maximum length of a symbol, in characters.
    pub const MAX_CHARS: usize = 32;

    /// Makes a symbol from a name that occurs in a file. Trims blanks at both ends of the name, and replaces
    /// each invalid character with `_`.
    ///
    /// # Errors
    ///
    /// Returns an error for an empty name, and for a name of more than 32 characters.
    pub fn from_name(name: &str) -> Result<Self, SymbolError> {
        let name = name.trim();
        if name.chars().all(is_allowed) {
            return name.parse();
        }
        let replaced: String = name.chars().map(|c| if is_allowed(c) { c } else { '_' }).collect();
        replaced.parse()
    }

    /// Returns the symbol as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Writes a symbol as text.
fn as_text<S: Serializer>(symbol: &SmolStr, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(symbol)
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let fault = match text.chars().find(|c| !is_allowed(*c)) {
            _ if text.is_empty() => "is empty".to_owned(),
            Some(' ') => "has a space".to_owned(),
            Some(other) => format!("has the character {other:?}"),
            None if text.chars().count() > Self::MAX_CHARS => {
                format!("has {} characters", text.chars().count())
            }
            None => return Ok(Self(SmolStr::new(text))),
        };
        let found = text.chars().take(Self::MAX_CHARS + 1).collect();
        Err(SymbolError { found, fault })
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || "._:/^=+-".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_market_are_symbols() {
        for name in
            ["AAPL", "BRK.B", "^KS11", "EUR/USD", "BTC-USD", "ES=F", "NASDAQ:AAPL", "삼성전자", "005930"]
        {
            assert_eq!(name.parse::<Symbol>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn thirty_two_characters_pass_and_one_more_does_not() {
        assert!("é".repeat(32).parse::<Symbol>().is_ok());

        let error = "A".repeat(33).parse::<Symbol>().unwrap_err();

        assert!(error.to_string().contains("has 33 characters"), "{error}");
    }

    #[test]
    fn an_error_says_what_is_wrong_with_the_name() {
        let message = |text: &str| text.parse::<Symbol>().unwrap_err().to_string();

        assert!(message("AA PL").starts_with("symbol \"AA PL\" has a space; symbols are 1 to 32 "));
        assert!(message("").contains("is empty"));
        assert!(message("A\u{0}B").contains("has the character '\\0'"));
    }

    #[test]
    fn a_name_from_a_file_loses_characters_that_a_symbol_cannot_have() {
        assert_eq!(Symbol::from_name(" NIFTY 50 ").unwrap().as_str(), "NIFTY_50");
        assert!(Symbol::from_name("   ").is_err());
    }
}

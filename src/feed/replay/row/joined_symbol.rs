//! Joins the cells that name an instrument to one symbol, e.g. `NIFTY_2024-01-25_21500_CE`.
//!
//! The symbol consists of the name, a suffix, and the expiry, the strike and the right of a contract:
//!
//! - A point stands before the suffix, and a hyphen before the second half of a pair (`BTC-USD`). The usual series of shares in India, `EQ`, is left out.
//! - `_` stands before each part of a contract. An expiry is written as `2024-01-25` if it is a date.
//! - A strike has no unnecessary zeros, and a strike of 0 is left out.
//! - Empty cells and the marks for "none", such as `XX`, are left out.

use std::str;

use super::super::number::Numbers;
use super::super::time::{self, DateOrder, Stamp};
use crate::market::Time;

/// Marks of a cell that has no value.
const NONE: [&str; 6] = ["", "-", "XX", "NA", "NaN", "None"];

/// The cells that name an instrument. A cell of a column that the file does not have is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct InstrumentCells<'a> {
    pub name: &'a [u8],
    pub suffix: &'a [u8],
    /// Whether the name and the suffix are the two halves of a pair.
    pub is_pair: bool,
    pub expiry: &'a [u8],
    pub strike: &'a [u8],
    pub right: &'a [u8],
}

impl InstrumentCells<'_> {
    /// Returns the joined name; `None` if the name or the suffix is not text in UTF-8. `order` is the order of
    /// day, month and year in the expiry.
    pub fn joined(&self, order: DateOrder) -> Option<String> {
        let mut symbol = str::from_utf8(self.name).ok()?.trim().to_owned();
        let suffix = str::from_utf8(self.suffix).ok()?.trim();
        if !NONE.contains(&suffix) && suffix != "EQ" {
            symbol.extend([if self.is_pair { "-" } else { "." }, suffix]);
        }
        let right = String::from_utf8_lossy(self.right).trim().to_owned();
        for part in [expiry(self.expiry, order), strike(self.strike), right] {
            if !NONE.contains(&part.as_str()) {
                symbol.extend(["_", &part]);
            }
        }
        Some(symbol)
    }
}

fn expiry(cell: &[u8], order: DateOrder) -> String {
    // Six digits may be a month or a day.
    let is_short = cell.trim_ascii().len() <= 6;
    let day = time::date(cell, order).or_else(|| time::stamp(cell, order).map(Stamp::nanos));
    match day.filter(|_| !is_short).map(|day| Time::from_nanos(day).to_string()) {
        Some(day) => day.split('T').next().unwrap_or_default().to_owned(),
        None => String::from_utf8_lossy(cell).trim().to_owned(),
    }
}

fn strike(cell: &[u8]) -> String {
    match Numbers::default().price(cell) {
        Ok(Some(strike)) if strike.0.is_zero() => String::new(),
        Ok(Some(strike)) => strike.0.normalize().to_string(),
        _ => String::from_utf8_lossy(cell).trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_name_are_written_in_one_way() {
        for ([name, suffix, expiry, strike, right], symbol) in [
            (["NIFTY", "", "25-JAN-2024", "21500.00", "CE"], "NIFTY_2024-01-25_21500_CE"),
            (["NIFTY", "", "2024-01-25", "21500.5", "PE "], "NIFTY_2024-01-25_21500.5_PE"),
            (["^SPX", "", "20240119", "4700.000", "C"], "^SPX_2024-01-19_4700_C"),
            (["BTC", "", "1706140800000", "0", ""], "BTC_2024-01-25"),
            (["BANK", "", "28-Aug-2024", "0", "XX"], "BANK_2024-08-28"),
            (["ES", "", "H24", "", ""], "ES_H24"),
            (["ES", "", "201212", "", ""], "ES_201212"),
            (["RELIANCE", " EQ", "", "", ""], "RELIANCE"),
            (["SHARE", " W1", "", "", ""], "SHARE.W1"),
            (["BRK", "B", "", "-", ""], "BRK.B"),
        ] {
            let cells = InstrumentCells {
                name: name.as_bytes(),
                suffix: suffix.as_bytes(),
                is_pair: false,
                expiry: expiry.as_bytes(),
                strike: strike.as_bytes(),
                right: right.as_bytes(),
            };
            assert_eq!(cells.joined(DateOrder::Mdy).as_deref(), Some(symbol));
        }
    }
}

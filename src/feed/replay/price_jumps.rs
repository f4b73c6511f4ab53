//! Finds prices of one symbol that differ by a power of ten from row to row: some of them may be in another
//! unit, or may lack their decimal sign.

use std::collections::HashMap;

use rust_decimal::prelude::ToPrimitive;

use crate::market::{Payload, Price, Symbol};

/// The least power of ten that a price must differ by.
const LEAST_POWER: f64 = 2.0;

/// A factor is a power of ten if its logarithm is this close to a whole number.
const TOLERANCE: f64 = 0.05;

/// The largest number of symbols whose last price is remembered.
const MAX_SYMBOLS: usize = 65_536;

/// Compares each judged price with the last judged price of the same symbol.
#[derive(Debug, Default)]
pub struct PriceJumps {
    last: HashMap<Symbol, (Price, f64)>,
    first: Option<PriceJump>,
}

/// Two prices of one symbol that differ by a power of ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceJump {
    /// The line number of the second price.
    pub line: u64,
    pub before: Price,
    pub price: Price,
}

impl PriceJumps {
    /// Adds the price of a judged row.
    pub fn observe(&mut self, symbol: &Symbol, payload: &Payload, line: u64) {
        let price = match payload {
            Payload::Trade(trade) => Some(trade.price),
            Payload::Quote(quote) => quote.bid,
            Payload::Bar(bar) => Some(bar.close),
            Payload::Status(_) => None,
        };
        let Some(price) = price else { return };
        // The comparison is approximate, so no exact decimal is needed.
        let Some(value) = price.0.to_f64().filter(|value| *value > 0.0) else { return };
        let Some((before, last)) = self.last.get_mut(symbol) else {
            if self.last.len() < MAX_SYMBOLS {
                self.last.insert(symbol.clone(), (price, value));
            }
            return;
        };
        if self.first.is_none() && is_power_of_ten(value / *last) {
            self.first = Some(PriceJump { line, before: *before, price });
        }
        (*before, *last) = (price, value);
    }

    /// Returns the first two prices that differ by a power of ten.
    pub fn first(self) -> Option<PriceJump> {
        self.first
    }
}

/// Returns whether a factor, or its reciprocal, is about 100 or a higher power of ten.
fn is_power_of_ten(factor: f64) -> bool {
    let power = libm::log10(factor).abs();
    power > LEAST_POWER - TOLERANCE && (power - power.round()).abs() < TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Trade;

    fn jump(prices: &[(&str, &str)]) -> Option<(u64, String)> {
        let mut jumps = PriceJumps::default();
        for ((symbol, price), line) in prices.iter().zip(2..) {
            let trade = Trade { price: price.parse().unwrap(), size: None };
            jumps.observe(&symbol.parse().unwrap(), &Payload::Trade(trade), line);
        }
        jumps.first().map(|jump| (jump.line, format!("{} {}", jump.before, jump.price)))
    }

    #[test]
    fn prices_that_differ_by_a_power_of_ten_are_found_for_each_symbol() {
        assert_eq!(jump(&[("A", "187.15"), ("A", "18716")]), Some((3, "187.15 18716".to_owned())));
        assert_eq!(
            jump(&[("A", "0.000000187"), ("A", "187.15")]),
            Some((3, "0.000000187 187.15".to_owned()))
        );
        assert_eq!(jump(&[("A", "18715"), ("B", "187.15"), ("A", "18716"), ("B", "187.16")]), None);
    }

    #[test]
    fn smaller_factors_and_other_factors_are_no_jumps() {
        assert_eq!(jump(&[("A", "187.15"), ("A", "1871.5")]), None);
        assert_eq!(
            jump(&[("A", "1"), ("A", "85"), ("A", "1"), ("A", "118"), ("A", "1"), ("A", "300")]),
            None
        );
        assert!(jump(&[("A", "1"), ("A", "90")]).is_some());
        assert!(jump(&[("A", "1"), ("A", "112")]).is_some());
        assert!(jump(&[("A", "0"), ("A", "0")]).is_none());
    }
}

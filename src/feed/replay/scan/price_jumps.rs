//! Finds prices of one symbol that differ by a power of ten from row to row: some of them may be in another
//! unit, or may lack their decimal sign.

use foldhash::HashMap;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::market::{Payload, Price, Symbol};

/// A jump by a smaller power of ten may be a split.
const LEAST_POWER: f64 = 2.0;

/// A factor is a power of ten if its logarithm is this close to a whole number.
const TOLERANCE: f64 = 0.05;

/// A number such as 99999 may stand for "no price" if it is more than this many times the last price.
const FAR: f64 = 5.0;

/// The largest number of symbols whose last price is remembered.
const MAX_SYMBOLS: usize = 65_536;

/// Compares each judged price with the last judged price of the same symbol.
#[derive(Debug, Default)]
pub struct PriceJumps {
    last: HashMap<Symbol, Last>,
    first: Option<PriceJump>,
    zero: Option<u64>,
    sentinel: Option<(u64, Price)>,
    /// Whether a price below 0 is none that may stand for "no price": the prices cross 0, as those of spreads do.
    cross_zero: bool,
}

/// The last judged price of a symbol.
#[derive(Debug)]
struct Last {
    price: Price,
    value: f64,
    /// The last jump by a factor of about ten or a tenth, with its factor.
    tenfold: Option<(f64, PriceJump)>,
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
        if self.sentinel.is_none() {
            self.sentinel = self.sentinel_in(symbol, payload).map(|price| (line, price));
        }
        let Some(price) = price else { return };
        self.cross_zero |= price.0.is_sign_negative() && !price.0.is_zero() && !is_sentinel(price);
        let is_quote = matches!(payload, Payload::Quote(_));
        if self.zero.is_none() && !is_quote && price.0.is_zero() {
            self.zero = Some(line);
        }
        // The comparison is approximate, so no exact decimal is needed.
        let Some(value) = price.0.to_f64().filter(|value| *value > 0.0) else { return };
        let Some(last) = self.last.get_mut(symbol) else {
            if self.last.len() < MAX_SYMBOLS {
                self.last.insert(symbol.clone(), Last { price, value, tenfold: None });
            }
            return;
        };
        if self.first.is_none() {
            self.first = last.jump(price, value, line);
        }
        (last.price, last.value) = (price, value);
    }

    /// Returns a price of a row that may stand for "no price": -1, or a number whose digits are all 9, if it is far from
    /// the last price.
    fn sentinel_in(&self, symbol: &Symbol, payload: &Payload) -> Option<Price> {
        let prices = match payload {
            Payload::Trade(trade) => [Some(trade.price), None, None, None],
            Payload::Quote(quote) => [quote.bid, quote.ask, None, None],
            Payload::Bar(bar) => [bar.open, bar.high, bar.low, Some(bar.close)],
            Payload::Status(_) => return None,
        };
        let price = prices.into_iter().flatten().find(|price| is_sentinel(*price))?;
        let last = self.last.get(symbol)?;
        let value = price.0.to_f64()?;
        (value < 0.0 || value > FAR * last.value).then_some(price)
    }

    /// Returns the first price that may stand for "no price", with its line number.
    pub fn sentinel(&self) -> Option<(u64, Price)> {
        self.sentinel.filter(|(_, price)| !(self.cross_zero && price.0 == Decimal::NEGATIVE_ONE))
    }

    /// Returns the first two prices that differ by a power of ten.
    pub fn first(self) -> Option<PriceJump> {
        self.first
    }

    /// Returns the line number of the first trade or bar whose price is 0.
    pub fn zero(&self) -> Option<u64> {
        self.zero.filter(|_| !self.cross_zero)
    }
}

/// Returns whether a price may stand for "no price": -1, or a number whose digits are all 9.
fn is_sentinel(price: Price) -> bool {
    // Most prices have another first digit.
    let mantissa = price.0.mantissa();
    mantissa < 0 && price.0 == Decimal::NEGATIVE_ONE || has_only_nines(mantissa)
}

/// Returns whether a number has only digits 9, at least two of a negative and four of a positive number. Some programs
/// write 1 before at least five digits 9.
fn has_only_nines(number: i128) -> bool {
    // 64 bits are faster, and no program writes more digits.
    let Ok(number) = i64::try_from(number) else { return false };
    if number % 10 != 9 && number % 10 != -9 {
        return false;
    }
    let digits = number.unsigned_abs().to_string();
    let (least, nines) = match digits.strip_prefix('1') {
        Some(nines) => (5, nines),
        None => (if number < 0 { 2 } else { 4 }, digits.as_str()),
    };
    nines.len() >= least && nines.bytes().all(|digit| digit == b'9')
}

impl Last {
    /// Returns the jump from this price to the next one, if the factor is about 100 or a higher power of ten, or its
    /// reciprocal. A jump by about ten may be a split, so it counts only if the price later jumps back.
    fn jump(&mut self, price: Price, value: f64, line: u64) -> Option<PriceJump> {
        let factor = value / self.value;
        // Most prices are near the price before, and need no logarithm.
        if (0.2..5.0).contains(&factor) {
            return None;
        }
        let power = libm::log10(factor).abs();
        if power < 1.0 - TOLERANCE || (power - power.round()).abs() >= TOLERANCE {
            return None;
        }
        let jump = PriceJump { line, before: self.price, price };
        if power > LEAST_POWER - TOLERANCE {
            return Some(jump);
        }
        match self.tenfold.replace((factor, jump)) {
            Some((before, jump)) if (before > 1.0) != (factor > 1.0) => Some(jump),
            _ => None,
        }
    }
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
    fn a_price_that_jumps_by_ten_and_back_is_a_jump() {
        let back = [("A", "187.15"), ("A", "1871.6"), ("B", "5"), ("A", "1872"), ("A", "187.3")];
        assert_eq!(jump(&back), Some((3, "187.15 1871.6".to_owned())));
        assert!(jump(&[("A", "1"), ("A", "9"), ("A", "1")]).is_some());
        assert!(jump(&[("A", "1"), ("A", "8.9"), ("A", "1")]).is_none());
        assert!(jump(&[("A", "1"), ("A", "11.2"), ("A", "1")]).is_some());
        assert!(jump(&[("A", "1"), ("A", "11.3"), ("A", "1")]).is_none());
    }

    #[test]
    fn symbols_up_to_the_limit_are_compared() {
        let jump_of_last = |symbols: usize| {
            let names: Vec<String> = (0..symbols).map(|number| format!("S{number}")).collect();
            let mut prices: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
            prices.push((names.last().unwrap(), "100"));
            jump(&prices)
        };

        assert!(jump_of_last(65_536).is_some());
        assert!(jump_of_last(65_537).is_none());
    }

    #[test]
    fn a_price_of_nines_far_from_the_others_may_stand_for_none() {
        let sentinel = |price: &str| {
            let mut jumps = PriceJumps::default();
            for price in ["187.1", price] {
                let trade = Trade { price: price.parse().unwrap(), size: None };
                jumps.observe(&"A".parse().unwrap(), &Payload::Trade(trade), 7);
            }
            jumps.sentinel().is_some()
        };

        for price in ["-1", "-1.00", "-99", "-9999", "-999.99", "99999", "9999.99", "199999.99"] {
            assert!(sentinel(price), "{price}");
        }
        for price in ["-9", "-2", "-37.63", "999", "936", "19999", "99989", "188.99", "0", "199.99"] {
            assert!(!sentinel(price), "{price}");
        }
    }

    #[test]
    fn prices_that_cross_zero_are_prices() {
        let observed = |prices: &[&str]| {
            let mut jumps = PriceJumps::default();
            for (price, line) in prices.iter().zip(2..) {
                let trade = Trade { price: price.parse().unwrap(), size: None };
                jumps.observe(&"A".parse().unwrap(), &Payload::Trade(trade), line);
            }
            (jumps.zero(), jumps.sentinel())
        };

        assert_eq!(observed(&["0.5", "0", "-1", "-0.5"]), (None, None));
        assert_eq!(observed(&["0.5", "0", "-1"]).0, Some(3));
        assert!(observed(&["0.5", "-9999", "-0.5"]).1.is_some());
    }

    #[test]
    fn the_first_price_of_zero_is_found() {
        let mut jumps = PriceJumps::default();
        for (price, line) in ["1", "0", "0"].into_iter().zip(2..) {
            let trade = Trade { price: price.parse().unwrap(), size: None };
            jumps.observe(&"A".parse().unwrap(), &Payload::Trade(trade), line);
        }
        assert_eq!(jumps.zero(), Some(3));
    }

    #[test]
    fn smaller_factors_and_other_factors_are_no_jumps() {
        assert_eq!(jump(&[("A", "187.15"), ("A", "1871.5")]), None);
        assert_eq!(jump(&[("A", "1"), ("A", "10"), ("A", "100")]), None);
        assert_eq!(
            jump(&[("A", "1"), ("A", "85"), ("A", "1"), ("A", "118"), ("A", "1"), ("A", "300")]),
            None
        );
        assert!(jump(&[("A", "1"), ("A", "90")]).is_some());
        assert!(jump(&[("A", "1"), ("A", "112")]).is_some());
        assert!(jump(&[("A", "1"), ("A", "113")]).is_none());
        assert!(jump(&[("A", "0"), ("A", "0")]).is_none());
    }
}

//! Recognizes prices in points and 32nds that are written with a point, as in `124.16`: they look like decimal
//! numbers, but no price has decimals above 31.

use std::collections::HashMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::market::{Payload, Price, Symbol};

/// So many different 32nds are enough, if no price has other decimals.
const MANY: u32 = 20;

/// So many different 32nds are enough for a symbol of treasury futures.
const FEW: u32 = 4;

/// Bonds cost from 50 to 250 points.
const POINTS: std::ops::RangeInclusive<i64> = 50..=250;

/// The symbols of treasury futures at the CME, without the month of the contract.
const TREASURIES: [&str; 10] = ["ZN", "ZB", "ZF", "ZT", "TN", "UB", "US", "TY", "FV", "TU"];

/// The largest number of symbols whose prices are remembered.
const MAX_SYMBOLS: usize = 65_536;

/// What the decimals of judged prices say, for each symbol.
#[derive(Debug, Default)]
pub struct ThirtySeconds {
    symbols: HashMap<Symbol, Decimals>,
}

/// The decimals of all judged prices of a symbol.
#[derive(Debug)]
struct Decimals {
    example: Price,
    /// The points of all prices, if they are the same.
    points: i64,
    are_points_equal: bool,
    /// A bit for each number of 32nds.
    seen: u32,
    has_quarters: bool,
    /// Whether a decimal is neither 0 to 31 nor 0 to 31 and a quarter.
    are_others: bool,
}

impl ThirtySeconds {
    /// Adds the prices of a judged row.
    pub fn observe(&mut self, symbol: &Symbol, payload: &Payload) {
        let prices = match payload {
            Payload::Trade(trade) => [Some(trade.price), None, None, None],
            Payload::Quote(quote) => [quote.bid, quote.ask, None, None],
            Payload::Bar(bar) => [bar.open, bar.high, bar.low, Some(bar.close)],
            Payload::Status(_) => return,
        };
        let mut prices = prices.into_iter().flatten();
        if !self.symbols.contains_key(symbol) && self.symbols.len() < MAX_SYMBOLS {
            let Some(first) = prices.next() else { return };
            self.symbols.insert(symbol.clone(), Decimals::of(first));
        }
        let Some(decimals) = self.symbols.get_mut(symbol) else { return };
        prices.for_each(|price| decimals.observe(price));
    }

    /// Returns a price of a symbol whose prices may be in 32nds.
    pub fn example(&self) -> Option<Price> {
        let likely = self.symbols.iter().filter(|(symbol, decimals)| decimals.may_be_32nds(symbol));
        likely.min_by_key(|(symbol, _)| symbol.as_str()).map(|(_, decimals)| decimals.example)
    }
}

impl Decimals {
    fn of(price: Price) -> Self {
        let mut decimals = Self {
            example: price,
            points: price.0.trunc().to_i64().unwrap_or(0),
            are_points_equal: true,
            seen: 0,
            has_quarters: false,
            are_others: false,
        };
        decimals.observe(price);
        decimals
    }

    fn observe(&mut self, price: Price) {
        if self.are_others {
            return;
        }
        let thousandths = price.0.fract() * Decimal::ONE_THOUSAND;
        let points = price.0.trunc().to_i64().filter(|points| POINTS.contains(points));
        let (Some(points), Some(whole)) =
            (points, thousandths.to_u32().filter(|_| thousandths.fract().is_zero()))
        else {
            self.are_others = true;
            return;
        };
        let (parts, last) = (whole / 10, whole % 10);
        if parts > 31 || ![0, 2, 5, 7].contains(&last) {
            self.are_others = true;
            return;
        }
        self.are_points_equal &= points == self.points;
        self.seen |= 1 << parts;
        self.has_quarters |= last == 2 || last == 7;
        if price.0.scale() > 1 && self.example.0.scale() < 2 {
            self.example = price;
        }
    }

    fn may_be_32nds(&self, symbol: &Symbol) -> bool {
        // Within one point, decimals from 00 to 31 only may be chance, unless nearly all of them are there.
        let is_whole_range = self.seen & 0b11 != 0 && self.seen >> 30 != 0;
        let are_many =
            self.seen.count_ones() >= MANY && (!self.are_points_equal || self.has_quarters || is_whole_range);
        let are_enough = are_many || self.seen.count_ones() >= FEW && is_treasury(symbol.as_str());
        are_enough && !self.are_others
    }
}

/// Returns whether a symbol is one of treasury futures, such as `ZN`, `@TY`, `ZBH24` or `USU1998`.
fn is_treasury(symbol: &str) -> bool {
    let symbol = symbol.trim_start_matches(|letter: char| !letter.is_alphanumeric()).to_uppercase();
    let is_contract = |behind: &str| {
        let month = behind.trim_start_matches(|letter: char| "FGHJKMNQUVXZ".contains(letter));
        let is_month =
            behind.len() - month.len() == 1 && month.starts_with(|letter: char| letter.is_ascii_digit());
        is_month || !behind.starts_with(char::is_alphabetic)
    };
    TREASURIES.iter().any(|root| symbol.strip_prefix(root).is_some_and(is_contract))
        || ["TREASURY", "TNOTE", "T-NOTE", "TBOND", "T-BOND"].iter().any(|word| symbol.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Trade;

    fn example(symbol: &str, prices: impl IntoIterator<Item = String>) -> Option<String> {
        let mut found = ThirtySeconds::default();
        for price in prices {
            let trade = Trade { price: price.parse().unwrap(), size: None };
            found.observe(&symbol.parse().unwrap(), &Payload::Trade(trade));
        }
        found.example().map(|price| price.to_string())
    }

    /// Returns prices whose decimals count up from 0 in steps of a hundredth, in some points.
    fn prices(points: i64, count: i64) -> impl Iterator<Item = String> {
        (0..count).map(move |part| format!("{points}.{part:02}"))
    }

    #[test]
    fn decimals_of_many_prices_from_0_to_31_may_be_32nds() {
        assert_eq!(example("X", prices(124, 20).chain(prices(125, 3))).as_deref(), Some("124.00"));
        assert_eq!(example("X", prices(124, 32)).as_deref(), Some("124.00"));
        assert_eq!(example("X", prices(124, 19).chain(prices(125, 19))), None);
        assert_eq!(example("X", prices(124, 30)), None);
        assert_eq!(example("X", prices(124, 30).chain(["124.302".to_owned()])).as_deref(), Some("124.00"));
        assert_eq!(example("X", prices(124, 30).chain(["124.301".to_owned()])), None);
        assert_eq!(example("X", prices(124, 33).chain(prices(125, 33))), None);
        assert_eq!(example("X", prices(249, 32).chain(prices(250, 32))).as_deref(), Some("249.00"));
        assert_eq!(example("X", prices(250, 32).chain(prices(251, 32))), None);
        assert_eq!(example("X", prices(49, 32).chain(prices(50, 32))), None);
    }

    #[test]
    fn decimals_of_few_prices_of_treasury_futures_may_be_32nds() {
        assert_eq!(example("ZNH24", prices(110, 4)).as_deref(), Some("110.00"));
        assert_eq!(example("ZNH24", prices(110, 3)), None);
        assert_eq!(example("ZNH24", prices(110, 4).chain(["110.5".to_owned()])), None);
        for symbol in ["ZN", "@TY", "ZBH24", "USU1998", "US_daily", "TNOTE", "ty1!"] {
            assert!(is_treasury(symbol), "{symbol}");
        }
        for symbol in ["USO", "TYL", "USH", "USHX24", "X", "ES"] {
            assert!(!is_treasury(symbol), "{symbol}");
        }
    }
}

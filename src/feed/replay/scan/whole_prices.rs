//! Recognizes prices that may be in smaller units: all are whole numbers, such as 1871500 for 187.15.

use rust_decimal::Decimal;

use crate::market::{Payload, Price};

/// Hardly any currency has prices of a million and more.
const GREAT: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// The prices of the judged rows.
#[derive(Debug, Default)]
pub struct WholePrices {
    first: Option<Price>,
    has_decimals: bool,
    has_small: bool,
}

impl WholePrices {
    /// Adds the prices of a judged row.
    pub fn observe(&mut self, payload: &Payload) {
        if self.has_decimals {
            return;
        }
        let prices = match payload {
            Payload::Trade(trade) => [Some(trade.price), None, None, None],
            Payload::Quote(quote) => [quote.bid, quote.ask, None, None],
            Payload::Bar(bar) => [bar.open, bar.high, bar.low, Some(bar.close)],
            Payload::Status(_) => return,
        };
        for price in prices.into_iter().flatten() {
            self.first.get_or_insert(price);
            self.has_decimals |= price.0.scale() > 0;
            self.has_small |= price.0 < GREAT;
        }
    }

    /// Returns whether no price has decimals.
    pub const fn are_whole(&self) -> bool {
        !self.has_decimals
    }

    /// Returns the first price, if all are whole numbers of at least a million.
    pub fn great(&self) -> Option<Price> {
        self.first.filter(|_| !self.has_small && !self.has_decimals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Trade;

    fn observed(prices: &[&str]) -> WholePrices {
        let mut whole = WholePrices::default();
        for price in prices {
            whole.observe(&Payload::Trade(Trade { price: Price(price.parse().unwrap()), size: None }));
        }
        whole
    }

    #[test]
    fn prices_of_a_million_and_more_without_decimals_may_be_in_smaller_units() {
        let great = |prices: &[&str]| observed(prices).great().map(|price| price.to_string());

        assert_eq!(great(&["1871500", "1000000"]).as_deref(), Some("1871500"));
        assert_eq!(great(&["1871500", "999999"]), None);
        assert_eq!(great(&["1871500", "1871500.5"]), None);
        assert_eq!(great(&[]), None);
    }

    #[test]
    fn prices_are_whole_until_one_has_decimals() {
        assert!(observed(&["1871500", "5"]).are_whole());
        assert!(!observed(&["5", "5.0", "6"]).are_whole());
    }
}

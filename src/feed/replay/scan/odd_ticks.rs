//! Counts quotes whose bid is above the ask, and trades of no size.

use crate::market::Payload;

/// Trades of no size are said if at least one in this many has none.
const ONE_IN: u64 = 10;

/// The judged trades and quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OddTicks {
    quotes: u64,
    crossed: u64,
    trades: u64,
    without_size: u64,
}

impl OddTicks {
    pub fn observe(&mut self, payload: &Payload) {
        match payload {
            Payload::Quote(quote) => {
                if let (Some(bid), Some(ask)) = (quote.bid, quote.ask) {
                    self.quotes += 1;
                    self.crossed += u64::from(bid > ask);
                }
            }
            Payload::Trade(trade) => {
                self.trades += 1;
                self.without_size += u64::from(trade.size.is_some_and(|size| size.0.is_zero()));
            }
            Payload::Bar(_) | Payload::Status(_) => {}
        }
    }

    /// Returns whether most bids are above the ask.
    pub const fn are_crossed(self) -> bool {
        self.crossed * 2 > self.quotes
    }

    /// Returns whether many trades have a size of 0.
    pub const fn have_no_size(self) -> bool {
        self.without_size > 0 && self.without_size * ONE_IN >= self.trades
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Price, Quote, Size, Trade};

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn most_bids_above_the_ask_are_odd() {
        let crossed = |quotes: &[(&str, &str)]| {
            let mut odd = OddTicks::default();
            for (bid, ask) in quotes {
                let (bid, ask) = (Some(price(bid)), Some(price(ask)));
                odd.observe(&Payload::Quote(Quote { bid, bid_size: None, ask, ask_size: None }));
            }
            odd.are_crossed()
        };

        assert!(crossed(&[("2", "1"), ("2", "1"), ("1", "2")]));
        assert!(!crossed(&[("2", "1"), ("1", "2"), ("2", "2")]));
        assert!(!crossed(&[]));
    }

    #[test]
    fn a_tenth_of_trades_without_size_is_odd() {
        let without = |zeros: u32, others: u32| {
            let mut odd = OddTicks::default();
            for number in 0..zeros + others {
                let size = Some(Size(u32::from(number >= zeros).into()));
                odd.observe(&Payload::Trade(Trade { price: price("1"), size }));
            }
            odd.have_no_size()
        };

        assert!(without(1, 9));
        assert!(!without(1, 10));
        assert!(!without(0, 0));
    }
}

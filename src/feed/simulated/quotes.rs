//! Bids, asks, trades and their sizes, on the grid of ticks and lots.

use rust_decimal::Decimal;

use super::random::{Key, Purpose};
use crate::market::{Payload, Price, Quote, Size, Trade};

/// The number of log-normal numbers from which sizes are drawn.
const SAMPLE: usize = 1024;

/// The standard deviation of the logarithm of a size.
const SIZE_SD: f64 = 1.0;

/// The median size of a trade and of a quote, in lots.
const MEDIAN_LOTS: [f64; 2] = [1.0, 3.0];

/// The grid of a symbol's prices: a tick is a power of ten.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    decimals: u32,
    /// The size of a tick.
    pub unit: f64,
}

/// The best bid and the best ask, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Book {
    /// The bid.
    pub bid: i64,
    /// The ask, above the bid.
    pub ask: i64,
}

/// Draws sizes.
#[derive(Debug)]
pub struct Sizes {
    sample: Box<[f64; SAMPLE]>,
    lot: i64,
    /// The probability of an odd lot, times 2^16.
    odd_lots: u64,
}

impl Tick {
    /// Returns the grid for a first price: a tick is 0.01, and 0.0001 below a price of 1.
    pub fn of(price: f64) -> Self {
        if price < 1.0 { Self { decimals: 4, unit: 0.0001 } } else { Self { decimals: 2, unit: 0.01 } }
    }

    /// Returns the number of ticks that is nearest to a price.
    #[expect(clippy::cast_possible_truncation, reason = "prices are bounded far below 2^53 ticks")]
    pub fn nearest(self, price: f64) -> i64 {
        ((price / self.unit + 0.5).floor() as i64).max(1)
    }

    /// Returns a price.
    pub fn price(self, ticks: i64) -> Price {
        Price(Decimal::new(ticks, self.decimals))
    }
}

impl Book {
    /// Makes the book whose middle is nearest to a price in ticks.
    #[expect(clippy::cast_possible_truncation, reason = "prices are bounded far below 2^53 ticks")]
    #[expect(clippy::cast_precision_loss, reason = "prices are bounded far below 2^53 ticks")]
    pub fn around(price: f64, spread: i64) -> Self {
        let bid = ((price - spread as f64 / 2.0 + 0.5).floor() as i64).max(1);
        Self { bid, ask: bid + spread }
    }

    /// Returns whether a price in ticks is between the bid and the ask.
    #[expect(clippy::cast_precision_loss, reason = "prices are bounded far below 2^53 ticks")]
    pub fn holds(&self, price: f64) -> bool {
        self.bid as f64 <= price && price <= self.ask as f64
    }

    /// Returns the quote with sizes drawn by two numbers of 16 random bits.
    pub fn quote(self, tick: Tick, sizes: &Sizes, bits: [u64; 2]) -> Payload {
        let [bid_size, ask_size] = bits.map(|bits| Some(sizes.lots(bits, MEDIAN_LOTS[1])));
        let [bid, ask] = [self.bid, self.ask].map(|ticks| Some(tick.price(ticks)));
        Payload::Quote(Quote { bid, bid_size, ask, ask_size })
    }
}

impl Sizes {
    /// Creates the sizes of a lot with this many shares. `odd_lots` is the share of trades that are smaller
    /// than a lot.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
    pub fn new(lot: u32, odd_lots: f64) -> Self {
        let mut stream = Key::new(0, "", Purpose::Marks).stream(0);
        let sample = std::array::from_fn(|_| libm::exp(SIZE_SD * stream.normal()));
        Self { sample: Box::new(sample), lot: lot.into(), odd_lots: (odd_lots * 65_536.0) as u64 }
    }

    /// Returns a trade with a size drawn by two numbers of 16 random bits. `scale` makes sizes larger or
    /// smaller.
    #[expect(clippy::cast_possible_wrap, reason = "16 bits are never negative")]
    pub fn trade(&self, price: Price, scale: f64, [bits, odd]: [u64; 2]) -> Payload {
        let size = if odd < self.odd_lots && self.lot > 1 {
            shares(1 + bits as i64 % (self.lot - 1))
        } else {
            self.lots(bits, MEDIAN_LOTS[0] * scale)
        };
        Payload::Trade(Trade { price, size: Some(size) })
    }

    #[expect(clippy::cast_possible_truncation, reason = "sizes are bounded far below 2^53 lots")]
    fn lots(&self, bits: u64, median: f64) -> Size {
        let lots = (self.sample[bits as usize % SAMPLE] * median + 0.5).floor() as i64;
        shares(lots.max(1) * self.lot)
    }
}

fn shares(count: i64) -> Size {
    Size(Decimal::from(count))
}

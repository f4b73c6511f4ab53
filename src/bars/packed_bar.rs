//! A bar in few bytes, and the rules by which trades and bars are folded into a bar.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use crate::market::{Bar, Price, Size, Time, Trade};

/// The scale of a number that the bar does not have. A decimal has at most 28 decimal places.
const ABSENT: u8 = u8::MAX;

const OPEN: usize = 0;
const HIGH: usize = 1;
const LOW: usize = 2;
const CLOSE: usize = 3;
const VOLUME: usize = 4;

/// A bar of 64 bytes. If a number needs more than 64 bits, the bar is stored in a box.
#[derive(Clone, Debug)]
pub enum PackedBar {
    /// All numbers of the bar are short.
    Compact(Compact),
    /// A number of the bar is too long for [`Compact`].
    Wide(Box<(Time, Bar)>),
}

/// The start of a bar, and for each number of the bar its digits and its decimal places.
#[derive(Clone, Debug)]
pub struct Compact {
    start: Time,
    digits: [i64; 5],
    scales: [u8; 5],
}

/// A decimal number whose digits fit into 64 bits.
#[derive(Clone, Copy)]
struct Short {
    digits: i64,
    scale: u8,
}

impl PackedBar {
    /// Packs a bar. Every number keeps all its digits. The bar's interval is not stored.
    #[must_use]
    pub fn new(start: Time, bar: &Bar) -> Self {
        Compact::new(start, bar).map_or_else(
            || Self::Wide(Box::new((start, Bar { interval: None, ..bar.clone() }))),
            Self::Compact,
        )
    }

    /// Returns the start of the bar.
    #[must_use]
    pub const fn start(&self) -> Time {
        match self {
            Self::Compact(compact) => compact.start,
            Self::Wide(wide) => wide.0,
        }
    }

    /// Returns the bar without an interval.
    #[must_use]
    pub fn unpack(&self) -> Bar {
        match self {
            Self::Compact(compact) => compact.unpack(),
            Self::Wide(wide) => wide.1.clone(),
        }
    }

    /// Folds a trade into the bar. A late trade does not change the bar's close.
    pub fn add(&mut self, trade: &Trade, is_late: bool) {
        let is_added = match self {
            Self::Compact(compact) => compact.add(trade, is_late).is_some(),
            Self::Wide(_) => false,
        };
        if !is_added {
            let mut bar = self.unpack();
            extend(&mut bar, &bar_of(trade), is_late);
            *self = Self::new(self.start(), &bar);
        }
    }

    /// Returns how many bytes the bar takes besides the size of this type.
    #[must_use]
    pub const fn boxed_bytes(&self) -> usize {
        match self {
            Self::Compact(_) => 0,
            Self::Wide(_) => size_of::<(Time, Bar)>(),
        }
    }
}

impl Compact {
    /// Returns `None` if a number of the bar is too long.
    fn new(start: Time, bar: &Bar) -> Option<Self> {
        let mut compact = Self { start, digits: [0; 5], scales: [ABSENT; 5] };
        let price = |price: Option<Price>| price.map(|price| price.0);
        let numbers = [price(bar.open), price(bar.high), price(bar.low), Some(bar.close.0)];
        for (index, number) in numbers.into_iter().chain([bar.volume.map(|size| size.0)]).enumerate() {
            if let Some(number) = number {
                compact.set(index, Short::of(number)?);
            }
        }
        Some(compact)
    }

    fn unpack(&self) -> Bar {
        let number = |index| self.get(index).map(Short::decimal);
        let price = |index| number(index).map(Price);
        Bar {
            interval: None,
            open: price(OPEN),
            high: price(HIGH),
            low: price(LOW),
            close: price(CLOSE).expect("every bar has a close"),
            volume: number(VOLUME).map(Size),
        }
    }

    /// Folds a trade into a bar that was folded from trades. Returns `None`, and changes nothing, if the bar
    /// would get a number that is too long.
    fn add(&mut self, trade: &Trade, is_late: bool) -> Option<()> {
        let price = Short::of(trade.price.0)?;
        let volume = match (self.get(VOLUME), trade.size) {
            (Some(sum), Some(size)) => Some(sum.plus(size.0)?),
            (None, Some(size)) => Some(Short::of(size.0)?),
            (sum, None) => sum,
        };
        if self.get(HIGH).is_none_or(|high| price.compare(high).is_gt()) {
            self.set(HIGH, price);
        }
        if self.get(LOW).is_none_or(|low| price.compare(low).is_lt()) {
            self.set(LOW, price);
        }
        if !is_late {
            self.set(CLOSE, price);
        }
        if let Some(volume) = volume {
            self.set(VOLUME, volume);
        }
        Some(())
    }

    fn get(&self, index: usize) -> Option<Short> {
        let (digits, scale) = (self.digits[index], self.scales[index]);
        (scale != ABSENT).then_some(Short { digits, scale })
    }

    fn set(&mut self, index: usize, Short { digits, scale }: Short) {
        (self.digits[index], self.scales[index]) = (digits, scale);
    }
}

impl Short {
    fn of(number: Decimal) -> Option<Self> {
        let digits = i64::try_from(number.mantissa()).ok()?;
        Some(Self { digits, scale: u8::try_from(number.scale()).ok()? })
    }

    fn decimal(self) -> Decimal {
        Decimal::new(self.digits, u32::from(self.scale))
    }

    fn compare(self, other: Self) -> Ordering {
        if self.scale == other.scale {
            self.digits.cmp(&other.digits)
        } else {
            self.decimal().cmp(&other.decimal())
        }
    }

    /// Returns `None` if the sum is too long.
    fn plus(self, other: Decimal) -> Option<Self> {
        match Self::of(other) {
            Some(Self { digits, scale }) if scale == self.scale => {
                self.digits.checked_add(digits).map(|digits| Self { digits, scale })
            }
            _ => Self::of(self.decimal().checked_add(other)?),
        }
    }
}

/// Returns the bar of a single trade.
#[must_use]
pub fn bar_of(trade: &Trade) -> Bar {
    let price = Some(trade.price);
    Bar { interval: None, open: price, high: price, low: price, close: trade.price, volume: trade.size }
}

/// Returns the bar without an interval, and with the close in place of each missing price.
#[must_use]
pub fn completed(bar: &Bar) -> Bar {
    let price = |price: Option<Price>| Some(price.unwrap_or(bar.close));
    Bar {
        interval: None,
        open: price(bar.open),
        high: price(bar.high),
        low: price(bar.low),
        close: bar.close,
        volume: bar.volume,
    }
}

/// Folds the bar `more` into a bar. If `more` is late, the bar keeps its close.
pub fn extend(bar: &mut Bar, more: &Bar, is_late: bool) {
    let (before, more) = (completed(bar), completed(more));
    bar.high = before.high.max(more.high);
    bar.low = before.low.min(more.low);
    if !is_late {
        bar.close = more.close;
    }
    bar.volume = match (bar.volume, more.volume) {
        (Some(Size(sum)), Some(Size(size))) => Some(Size(sum.saturating_add(size))),
        (sum, size) => sum.or(size),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(price: &str, size: Option<&str>) -> Trade {
        Trade { price: price.parse().unwrap(), size: size.map(|size| size.parse().unwrap()) }
    }

    fn texts(bar: &Bar) -> [String; 5] {
        let price = |price: Option<Price>| price.map_or_else(String::new, |price| price.to_string());
        let volume = bar.volume.map_or_else(String::new, |size| size.to_string());
        [price(bar.open), price(bar.high), price(bar.low), bar.close.to_string(), volume]
    }

    fn folded(trades: &[Trade]) -> PackedBar {
        let mut bar = PackedBar::new(Time::from_nanos(60), &bar_of(&trades[0]));
        trades[1..].iter().for_each(|trade| bar.add(trade, false));
        bar
    }

    #[test]
    fn a_bar_of_short_numbers_takes_64_bytes() {
        assert_eq!(size_of::<PackedBar>(), 64);
        assert_eq!(folded(&[trade("1.5", Some("10"))]).boxed_bytes(), 0);
    }

    #[test]
    fn every_digit_is_kept_whatever_the_length_and_the_decimal_places() {
        let bar = folded(&[trade("184.250", Some("0.1")), trade("184.3", None), trade("-0.5", Some("20"))]);
        assert_eq!(texts(&bar.unpack()), ["184.250", "184.3", "-0.5", "-0.5", "20.1"]);

        let long = "1234567890123456789.123456789";
        let bar = folded(&[trade("1", Some("1")), trade(long, Some(long)), trade("2", Some("1"))]);
        assert_eq!(texts(&bar.unpack()), ["1", long, "1", "2", "1234567890123456791.123456789"]);
        assert_eq!(bar.start(), Time::from_nanos(60));
    }

    #[test]
    fn a_sum_that_outgrows_64_bits_stays_exact() {
        let most = i64::MAX.to_string();
        let bar = folded(&[trade("1", Some(&most)), trade("1", Some(&most))]);

        assert_eq!(bar.unpack().volume.unwrap().to_string(), "18446744073709551614");
    }

    #[test]
    fn trades_without_a_size_make_no_volume() {
        assert_eq!(folded(&[trade("1", None), trade("2", None)]).unpack().volume, None);
    }
}

//! The day statistics of a symbol: open, high, low, last and volume.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Bar, Price, Size, Time, Trade};

/// The prices and the volume of a symbol in one UTC day of market time.
///
/// The day statistics are computed from bars until the symbol's first trade. After the first trade, the
/// statistics are computed from trades only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    date: i64,
    basis: Basis,
    /// The first price of the day.
    pub open: Price,
    /// The highest price of the day.
    pub high: Price,
    /// The lowest price of the day.
    pub low: Price,
    /// The last price of the day so far.
    pub last: Price,
    /// The volume of the day so far; `None` if the source states no volume.
    pub volume: Option<Size>,
    /// The last price of the previous day; `None` if there is no previous day.
    pub previous: Option<Price>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Basis {
    Bars,
    Trades,
}

/// The prices and the volume that one trade or one bar adds to a day.
struct Span {
    open: Price,
    high: Price,
    low: Price,
    close: Price,
    volume: Option<Size>,
}

impl Day {
    /// Adds a trade to the day. Begins a new day if the trade has a later date than the day, or if the old
    /// statistics were computed from bars.
    pub fn fold_trade(day: &mut Option<Self>, time: Time, trade: &Trade) {
        let Trade { price, size } = *trade;
        let span = Span { open: price, high: price, low: price, close: price, volume: size };
        Self::fold(day, time, &span, Basis::Trades);
    }

    /// Adds a bar to the day, unless the day is computed from trades.
    pub fn fold_bar(day: &mut Option<Self>, time: Time, bar: &Bar) {
        let span = Span {
            open: bar.open.unwrap_or(bar.close),
            high: bar.high.unwrap_or(bar.close),
            low: bar.low.unwrap_or(bar.close),
            close: bar.close,
            volume: bar.volume,
        };
        Self::fold(day, time, &span, Basis::Bars);
    }

    /// Returns how much the last price differs from the last price of the previous day. Without a previous
    /// day, returns how much the last price differs from the day's open.
    ///
    /// Returns `None` if the change has more digits than a decimal can hold.
    #[must_use]
    pub fn change(&self) -> Option<Decimal> {
        self.last.0.checked_sub(self.reference().0)
    }

    /// Returns the price change ([`change`](Self::change)) in percent, rounded to two decimal places.
    ///
    /// Returns `None` if the earlier price, to which the last price is compared, is zero. Also returns `None`
    /// if a number has more digits than a decimal can hold.
    #[must_use]
    pub fn change_percent(&self) -> Option<Decimal> {
        let share = self.change()?.checked_div(self.reference().0.abs())?;
        share.checked_mul(Decimal::ONE_HUNDRED).map(|percent| percent.round_dp(2))
    }

    fn reference(&self) -> Price {
        self.previous.unwrap_or(self.open)
    }

    fn fold(day: &mut Option<Self>, time: Time, span: &Span, basis: Basis) {
        match day {
            Some(day) if day.basis == Basis::Trades && basis == Basis::Bars => {}
            Some(day) if day.basis == basis && day.date == time.day() => day.extend(span),
            // A late event of an earlier day does not change this day.
            Some(day) if day.basis == basis && day.date > time.day() => {}
            other => *other = Some(Self::begin(other.as_ref(), time.day(), span, basis)),
        }
    }

    fn begin(before: Option<&Self>, date: i64, span: &Span, basis: Basis) -> Self {
        let previous = before.and_then(|day| if day.date < date { Some(day.last) } else { day.previous });
        let Span { open, high, low, close, volume } = *span;
        Self { date, basis, open, high, low, last: close, volume, previous }
    }

    fn extend(&mut self, span: &Span) {
        self.high = self.high.max(span.high);
        self.low = self.low.min(span.low);
        self.last = span.close;
        self.volume = match (self.volume, span.volume) {
            (Some(Size(sum)), Some(Size(more))) => Some(Size(sum.saturating_add(more))),
            (sum, more) => sum.or(more),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(day: &mut Option<Day>, time: &str, price: &str, size: Option<&str>) {
        let size = size.map(|size| size.parse().unwrap());
        Day::fold_trade(day, time.parse().unwrap(), &Trade { price: price.parse().unwrap(), size });
    }

    fn bar(day: &mut Option<Day>, time: &str, prices: [&str; 4]) {
        let [open, high, low, close] = prices.map(|price| price.parse().unwrap());
        let bar =
            Bar { interval: None, open: Some(open), high: Some(high), low: Some(low), close, volume: None };
        Day::fold_bar(day, time.parse().unwrap(), &bar);
    }

    #[test]
    fn a_day_is_folded_from_its_trades() {
        let mut day = None;

        trade(&mut day, "2024-01-03T14:30:00Z", "184.00", Some("100"));
        trade(&mut day, "2024-01-03T14:31:00Z", "184.90", None);
        trade(&mut day, "2024-01-03T14:32:00Z", "183.50", Some("20"));

        let day = day.unwrap();
        assert_eq!(
            [day.open, day.high, day.low, day.last].map(|p| p.to_string()),
            ["184.00", "184.90", "183.50", "183.50"]
        );
        assert_eq!(day.volume, Some("120".parse().unwrap()));
        assert_eq!(day.change().unwrap().to_string(), "-0.50");
        assert_eq!(day.change_percent().unwrap().to_string(), "-0.27");
    }

    #[test]
    fn a_new_day_is_measured_against_the_last_price_of_the_day_before() {
        let mut day = None;

        trade(&mut day, "2024-01-03T23:59:59Z", "100", Some("5"));
        trade(&mut day, "2024-01-04T00:00:00Z", "110", Some("7"));

        let day = day.unwrap();
        assert_eq!(day.open, "110".parse().unwrap());
        assert_eq!(day.change().unwrap().to_string(), "10");
        assert_eq!(day.volume, Some("7".parse().unwrap()));
    }

    #[test]
    fn bars_make_the_day_until_the_first_trade() {
        let mut day = None;
        bar(&mut day, "2024-01-03T14:30:00Z", ["10", "12", "9", "11"]);
        assert_eq!(day.as_ref().unwrap().high, "12".parse().unwrap());

        trade(&mut day, "2024-01-03T14:31:00Z", "11.5", None);
        bar(&mut day, "2024-01-03T14:31:00Z", ["10", "99", "9", "11"]);

        assert_eq!(day.as_ref().unwrap().open, "11.5".parse().unwrap());
        assert_eq!(day.as_ref().unwrap().high, "11.5".parse().unwrap());
    }

    #[test]
    fn a_late_report_of_an_earlier_day_changes_nothing() {
        let mut day = None;
        trade(&mut day, "2024-01-04T10:00:00Z", "100", None);
        let before = day.clone();

        trade(&mut day, "2024-01-03T10:00:00Z", "1", None);

        assert_eq!(day, before);
    }

    #[test]
    fn a_change_from_zero_has_no_percentage() {
        let mut day = None;

        trade(&mut day, "2024-01-04T10:00:00Z", "0", None);
        trade(&mut day, "2024-01-04T10:01:00Z", "5", None);

        assert_eq!(day.unwrap().change_percent(), None);
    }
}

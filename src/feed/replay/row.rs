//! Rows: what one line of a file says has happened.

use csv::ByteRecord;

use super::layout::{IntervalColumn, Layout, TimeColumns, Values};
use super::number::Numbers;
use super::time::{DateOrder, Stamp, stamp, stamp_of_two};
use crate::feed::lines::shown;
use crate::market::{Bar, Data, Interval, NumberError, Price, Quote, Size, Time, Trade};

/// Why a line gives no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A value that an event cannot be without is not there: a price, a close, both bid and ask.
    Missing,
    /// The time is none.
    BadTime,
    /// A number is none; a row is not used in part.
    BadNumber,
    /// The symbol is none.
    BadSymbol,
    /// The line has more bytes than are read.
    TooLong,
}

/// A line that gives no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    pub reason: Reason,
    /// The text at fault.
    pub found: String,
}

/// What a row says: one thing, or a quote and the trade that it stood at.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub time: Time,
    pub data: Data,
    pub then: Option<Data>,
}

impl Reason {
    /// All reasons, in the order of [`Reason::index`].
    pub const ALL: [Self; 5] =
        [Self::Missing, Self::BadTime, Self::BadNumber, Self::BadSymbol, Self::TooLong];

    /// The reason's name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::BadTime => "bad_time",
            Self::BadNumber => "bad_number",
            Self::BadSymbol => "bad_symbol",
            Self::TooLong => "too_long",
        }
    }

    pub const fn index(self) -> usize {
        self as usize
    }
}

impl Skip {
    /// A skip for this reason, with the start of the text at fault.
    pub fn new(reason: Reason, found: &[u8]) -> Self {
        Self { reason, found: shown(found) }
    }
}

impl TimeColumns {
    /// The row's time; a failure carries the text that is none.
    pub fn read(self, row: &ByteRecord) -> Result<Time, Skip> {
        let cell = |column| row.get(column).unwrap_or_default();
        match self {
            Self::One(column) => utc(stamp(cell(column), DateOrder::Ymd))
                .ok_or_else(|| Skip::new(Reason::BadTime, cell(column))),
            Self::Two { date, clock } => utc(stamp_of_two(cell(date), cell(clock), DateOrder::Ymd))
                .ok_or_else(|| {
                    let both = [cell(date).trim_ascii(), cell(clock).trim_ascii()].join(&b'T');
                    Skip::new(Reason::BadTime, &both)
                }),
        }
    }
}

/// A time without an offset is UTC.
fn utc(stamp: Option<Stamp>) -> Option<Time> {
    match stamp? {
        Stamp::Utc(time) => Some(time),
        Stamp::Local(nanos) => Some(Time::from_nanos(nanos)),
    }
}

impl Layout {
    /// What a row says has happened, and when.
    pub fn read(&self, row: &ByteRecord) -> Result<Row, Skip> {
        let time = self.time.read(row)?;
        let (data, then) = match &self.values {
            Values::Bars { open, high, low, close, volume } => {
                let bar = Bar {
                    interval: self.interval.and_then(|column| column.read(row)),
                    open: self.price(row, *open)?,
                    high: self.price(row, *high)?,
                    low: self.price(row, *low)?,
                    close: self.price(row, Some(*close))?.ok_or_else(missing)?,
                    volume: size(row, *volume)?,
                };
                (Data::Bar(bar), None)
            }
            Values::Ticks { price, size: traded, bid, bid_size, ask, ask_size } => {
                let (bid, ask) = (self.price(row, *bid)?, self.price(row, *ask)?);
                let quote = (bid.is_some() || ask.is_some())
                    .then(|| {
                        let (bid_size, ask_size) = (size(row, *bid_size)?, size(row, *ask_size)?);
                        Ok(Data::Quote(Quote { bid, bid_size, ask, ask_size }))
                    })
                    .transpose()?;
                let trade = self
                    .price(row, *price)?
                    .map(|price| Ok(Data::Trade(Trade { price, size: size(row, *traded)? })))
                    .transpose()?;
                match quote {
                    Some(quote) => (quote, trade),
                    None => (trade.ok_or_else(missing)?, None),
                }
            }
        };
        Ok(Row { time, data, then })
    }

    fn price(&self, row: &ByteRecord, column: Option<usize>) -> Result<Option<Price>, Skip> {
        value(row, column, if self.fixed_point { Numbers::fixed_point_price } else { Numbers::price })
    }
}

impl IntervalColumn {
    fn read(self, row: &ByteRecord) -> Option<Interval> {
        match self {
            Self::Text(column) => std::str::from_utf8(row.get(column)?).ok()?.trim().parse().ok(),
            // <https://databento.com/docs/standards-and-conventions/common-fields-enums-types>
            Self::RecordType(column) => match row.get(column)? {
                b"32" => "1s".parse().ok(),
                b"33" => "1m".parse().ok(),
                b"34" => "1h".parse().ok(),
                b"35" => "1d".parse().ok(),
                _ => None,
            },
        }
    }
}

fn size(row: &ByteRecord, column: Option<usize>) -> Result<Option<Size>, Skip> {
    value(row, column, Numbers::size)
}

/// The value of a cell; a row that ends before it says nothing there.
fn value<T>(
    row: &ByteRecord,
    column: Option<usize>,
    read: fn(Numbers, &[u8]) -> Result<Option<T>, NumberError>,
) -> Result<Option<T>, Skip> {
    let Some(cell) = column.and_then(|column| row.get(column)) else { return Ok(None) };
    read(Numbers::default(), cell).map_err(|_| Skip::new(Reason::BadNumber, cell))
}

fn missing() -> Skip {
    Skip::new(Reason::Missing, b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> ByteRecord {
        line.split(',').collect::<Vec<_>>().into()
    }

    fn read(header: &str, line: &str) -> Result<Row, Skip> {
        Layout::of(&record(header)).unwrap().read(&record(line))
    }

    fn skipped(header: &str, line: &str) -> (Reason, String) {
        let Skip { reason, found } = read(header, line).unwrap_err();
        (reason, found)
    }

    const TICKS: &str = "time,symbol,price,size,bid,bid_size,ask,ask_size";

    #[test]
    fn a_row_with_a_price_is_a_trade_and_one_with_a_bid_or_an_ask_is_a_quote() {
        let trade = read(TICKS, "1704292200,A,1.50,7,,,,").unwrap();
        let quote = read(TICKS, "1704292200,A,,,1.4,100,,").unwrap();

        assert!(matches!(trade, Row { data: Data::Trade(_), then: None, .. }), "{trade:?}");
        assert!(
            matches!(quote, Row { data: Data::Quote(Quote { bid: Some(_), ask: None, .. }), then: None, .. }),
            "{quote:?}"
        );
    }

    #[test]
    fn a_row_with_both_is_the_quote_and_then_the_trade() {
        let row = read(TICKS, "1704292200,A,1.5,7,1.4,100,1.6,200").unwrap();

        assert!(matches!(row, Row { data: Data::Quote(_), then: Some(Data::Trade(_)), .. }), "{row:?}");
    }

    #[test]
    fn a_row_without_its_essential_values_says_what_is_wrong() {
        assert_eq!(skipped(TICKS, "1704292200,A,,,,,,"), (Reason::Missing, String::new()));
        assert_eq!(skipped("time,close", "1704292200,null"), (Reason::Missing, String::new()));
        assert_eq!(skipped("time,close", "1704292200"), (Reason::Missing, String::new()));
        assert_eq!(skipped("time,close", "noon,5"), (Reason::BadTime, "noon".to_owned()));
        assert_eq!(skipped("time,close", "1704292200,5;0"), (Reason::BadNumber, "5;0".to_owned()));
        assert_eq!(skipped("time,close,volume", "1704292200,5,-1"), (Reason::BadNumber, "-1".to_owned()));
        assert_eq!(
            skipped("date,time,close", "2024-01-03,noon,5"),
            (Reason::BadTime, "2024-01-03Tnoon".to_owned())
        );
    }

    #[test]
    fn what_a_bar_does_not_say_is_absent() {
        let row = read("date,time,close,volume,interval", "2024-01-03,09:30,5,NaN,1m").unwrap();

        assert_eq!(row.time.to_string(), "2024-01-03T09:30:00Z");
        let Data::Bar(bar) = row.data else { panic!("{row:?}") };
        assert_eq!((bar.open, bar.volume), (None, None));
        assert_eq!(bar.interval.unwrap().to_string(), "1m");
    }
}

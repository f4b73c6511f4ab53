//! Layouts: which column of a file holds what, told by the names in its header.

use csv::ByteRecord;

/// The names by which sources call their columns, as [`normal`] writes them.
///
/// Of several that are there, the first in this list is taken: a time that the exchange stamped comes before one
/// that the recorder stamped.
const ALIASES: [(Column, &[&str]); 15] = [
    (
        Column::Time,
        &["ts_event", "sip_timestamp", "timestamp", "timestamp_utc", "datetime", "date_time", "open_time"],
    ),
    (Column::Date, &["date", "day"]),
    (
        Column::Clock,
        &["time", "time_m", "gmt_time", "local_time", "ts", "unix", "ts_recv", "local_timestamp", ""],
    ),
    (Column::Symbol, &["symbol", "ticker", "name", "instrument", "sym", "pair", "code"]),
    (Column::Price, &["price", "last_price", "trade_price", "last", "px"]),
    (Column::Size, &["size", "qty", "quantity", "amount", "trade_size", "last_size", "volume", "vol"]),
    (Column::Bid, &["bid", "bid_price", "bidprice", "best_bid", "bid_px_00", "bids[0].price"]),
    (
        Column::BidSize,
        &[
            "bid_size",
            "bidsize",
            "bid_qty",
            "bid_amount",
            "bid_volume",
            "bidvolume",
            "bid_sz_00",
            "bids[0].amount",
        ],
    ),
    (Column::Ask, &["ask", "ask_price", "askprice", "best_ask", "offer", "ask_px_00", "asks[0].price"]),
    (
        Column::AskSize,
        &[
            "ask_size",
            "asksize",
            "ask_qty",
            "ask_amount",
            "ask_volume",
            "askvolume",
            "ask_sz_00",
            "asks[0].amount",
        ],
    ),
    (Column::Open, &["open", "open_price"]),
    (Column::High, &["high", "high_price"]),
    (Column::Low, &["low", "low_price"]),
    (Column::Close, &["close", "close_price", "close/last"]),
    (Column::Volume, &["volume", "vol", "vol.", "tickvol", "tick_volume"]),
];

/// What a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    /// The whole of a time.
    Time,
    /// A date; a time's first half where there is a clock too.
    Date,
    /// A clock, or the whole of a time where there is no date.
    Clock,
    Symbol,
    Price,
    Size,
    Bid,
    BidSize,
    Ask,
    AskSize,
    Open,
    High,
    Low,
    Close,
    Volume,
}

/// Where a row of a file has what, by column from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub time: TimeColumns,
    pub symbol: Option<usize>,
    pub interval: Option<IntervalColumn>,
    /// Whether prices without a point are Databento's fixed-point ones.
    pub fixed_point: bool,
    pub values: Values,
}

/// Where the time stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeColumns {
    /// In one column.
    One(usize),
    /// Date and clock in two.
    Two { date: usize, clock: usize },
}

/// Where the length of a bar stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalColumn {
    /// As `1m`.
    Text(usize),
    /// As Databento's record type.
    RecordType(usize),
}

/// The columns of what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Each row is a bar.
    Bars { open: Option<usize>, high: Option<usize>, low: Option<usize>, close: usize, volume: Option<usize> },
    /// A row with a price is a trade, one with a bid or an ask a quote, and one with both the two.
    Ticks {
        price: Option<usize>,
        size: Option<usize>,
        bid: Option<usize>,
        bid_size: Option<usize>,
        ask: Option<usize>,
        ask_size: Option<usize>,
    },
}

/// What a header has no column for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    Time,
    Price,
    /// Neither time nor price: perhaps it is no header at all.
    Both,
}

impl Layout {
    /// The layout that a header tells.
    pub fn of(header: &ByteRecord) -> Result<Self, Lacks> {
        let names: Vec<String> = header.iter().map(normal).collect();
        let place = |name: &str| names.iter().position(|other| other == name);
        let find = |column: Column| {
            let (_, aliases) = ALIASES.iter().find(|(of, _)| *of == column)?;
            aliases.iter().find_map(|alias| place(alias))
        };
        let time = match (find(Column::Time), find(Column::Date), find(Column::Clock)) {
            (Some(time), _, _) | (None, Some(time), None) | (None, None, Some(time)) => {
                Some(TimeColumns::One(time))
            }
            (None, Some(date), Some(clock)) => Some(two_columns(date, clock, &names)),
            (None, None, None) => None,
        };
        let (time, values) = match (time, values(find, place("bid_px_00").is_some())) {
            (Some(time), Some(values)) => (time, values),
            (Some(_), None) => return Err(Lacks::Price),
            (None, Some(_)) => return Err(Lacks::Time),
            (None, None) => return Err(Lacks::Both),
        };
        let record_type = place("rtype");
        let interval = place("interval").map(IntervalColumn::Text);
        Ok(Self {
            time,
            symbol: find(Column::Symbol),
            interval: interval.or(record_type.map(IntervalColumn::RecordType)),
            fixed_point: record_type.is_some(),
            values,
        })
    }
}

/// A date and a clock are the halves of a time, but a `unix` time beside a date says the same as the date.
fn two_columns(date: usize, clock: usize, names: &[String]) -> TimeColumns {
    if names[clock].starts_with("time") { TimeColumns::Two { date, clock } } else { TimeColumns::One(date) }
}

/// `is_book`: Databento's book rows have, beside the best bid and ask, the price of the one order that changed.
fn values(find: impl Fn(Column) -> Option<usize>, is_book: bool) -> Option<Values> {
    let (open, high, low) = (find(Column::Open), find(Column::High), find(Column::Low));
    let price = find(Column::Price).filter(|_| !is_book);
    let is_bar = open.is_some() && high.is_some() && low.is_some();
    if let Some(close) = find(Column::Close).or(price.filter(|_| is_bar)) {
        return Some(Values::Bars { open, high, low, close, volume: find(Column::Volume) });
    }
    let (bid, ask) = (find(Column::Bid), find(Column::Ask));
    price.or(bid).or(ask)?;
    let (bid_size, ask_size) = (find(Column::BidSize), find(Column::AskSize));
    Some(Values::Ticks { price, size: find(Column::Size), bid, bid_size, ask, ask_size })
}

/// A column's name without the differences that do not count: `<DATE>` is `date`, `Gmt time` is `gmt_time`.
fn normal(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.trim().trim_matches(['<', '>']).to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(header: &str) -> Result<Layout, Lacks> {
        Layout::of(&header.split(',').collect::<Vec<_>>().into())
    }

    #[test]
    fn columns_are_found_in_any_order_and_case() {
        let found = layout(" Volume ,CLOSE,low,High,Open,<Ticker>,TimeStamp").unwrap();

        assert_eq!(found.time, TimeColumns::One(6));
        assert_eq!(found.symbol, Some(5));
        let bars = Values::Bars { open: Some(4), high: Some(3), low: Some(2), close: 1, volume: Some(0) };
        assert_eq!(found.values, bars);
    }

    #[test]
    fn the_exchanges_time_comes_before_the_recorders() {
        assert_eq!(layout("ts_recv,ts_event,price").unwrap().time, TimeColumns::One(1));
        assert_eq!(layout("ts_recv,price").unwrap().time, TimeColumns::One(0));
    }

    #[test]
    fn a_date_and_a_clock_are_one_time() {
        let two = TimeColumns::Two { date: 0, clock: 1 };

        assert_eq!(layout("Date,Time,Close").unwrap().time, two);
        assert_eq!(layout("date,unix,close").unwrap().time, TimeColumns::One(0));
        assert_eq!(layout("time,close").unwrap().time, TimeColumns::One(0));
        assert_eq!(layout(",Open,High,Low,Close").unwrap().time, TimeColumns::One(0));
    }

    #[test]
    fn trades_and_quotes_can_share_a_file() {
        let found = layout("time,symbol,price,size,bid,bid_size,ask,ask_size").unwrap();

        let ticks = Values::Ticks {
            price: Some(2),
            size: Some(3),
            bid: Some(4),
            bid_size: Some(5),
            ask: Some(6),
            ask_size: Some(7),
        };
        assert_eq!(found.values, ticks);
    }

    #[test]
    fn a_price_beside_open_high_and_low_is_the_close() {
        let found = layout("Date,Price,Open,High,Low").unwrap();

        assert!(matches!(found.values, Values::Bars { close: 1, .. }), "{found:?}");
    }

    #[test]
    fn an_adjusted_close_is_not_the_close() {
        let found = layout("Date,Open,High,Low,Adj Close,Close,Volume").unwrap();

        assert!(matches!(found.values, Values::Bars { close: 5, .. }), "{found:?}");
    }

    #[test]
    fn a_header_without_time_or_price_says_which() {
        assert_eq!(layout("symbol,price"), Err(Lacks::Time));
        assert_eq!(layout("time,symbol"), Err(Lacks::Price));
        assert_eq!(layout("2024-01-03,189.53"), Err(Lacks::Both));
    }
}

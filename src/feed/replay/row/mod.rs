//! Converts a row of a file to one or two events.

mod joined_symbol;
mod recent_symbols;

use std::sync::Arc;

use rust_decimal::Decimal;

use super::cells::Cells;
use super::layout::{IntervalRule, Layout, NumberRule, Values};
use super::number::any_price_in_32nds;
use super::reason::{Reason, RejectedRow};
use super::zone::Zones;
use crate::market::{Bar, Interval, NumberError, Payload, Price, Quote, Size, Symbol, Time, Trade};
use joined_symbol::InstrumentCells;
use recent_symbols::RecentSymbols;

/// A parsed row.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub time: Time,
    pub symbol: Symbol,
    pub payload: Payload,
    /// The trade of a row that has a trade beside its quote.
    pub second: Option<Trade>,
}

/// Parses the rows of a file, one after the other.
#[derive(Debug)]
pub struct RowReader {
    layout: Arc<Layout>,
    zones: Zones,
    symbol: SymbolReader,
}

/// The source of a row's symbol.
#[derive(Debug)]
pub enum SymbolReader {
    /// All rows have the symbol of the file.
    OfFile(Symbol),
    /// A column holds the symbol of each row.
    Column(RecentSymbols),
}

impl RowReader {
    /// Creates a reader. `symbol` is the symbol of all rows, or `None` if a column has the symbol of each
    /// row.
    pub fn new(layout: Arc<Layout>, symbol: Option<Symbol>, zones: Zones) -> Self {
        Self { layout, zones, symbol: symbol.into() }
    }

    /// Reads the time, the symbol and the values of a row.
    pub fn read(&mut self, row: &Cells<'_>) -> Result<Row, RejectedRow> {
        let layout = &*self.layout;
        // An empty cell after the last column is allowed, because some files end each line with a delimiter.
        let surplus =
            layout.most.and_then(|most| row.get(most)).is_some_and(|cell| !cell.trim_ascii().is_empty());
        if row.len() < layout.least || surplus {
            let found = format!("{} cells", row.len());
            return Err(RejectedRow { reason: Reason::Ragged, found });
        }
        let is_selected = layout.is_selected(row);
        let symbol = self.symbol.read(layout, row);
        let time = layout.times.stamp(row).and_then(|stamp| {
            let symbol = symbol.as_ref().map_err(Clone::clone)?;
            // The time of a row that is left out counts, too: it tells the two occurrences of an hour apart.
            let time = self.zones.resolve(stamp, || layout.times.zone_name(row), symbol);
            time.ok_or_else(|| layout.times.bad(row))
        });
        if !is_selected {
            return Err(RejectedRow { reason: Reason::Filtered, found: String::new() });
        }
        let (time, symbol) = (time?, symbol?);
        let (payload, second) = layout.payload(row)?;
        Ok(Row { time, symbol, payload, second })
    }
}

impl From<Option<Symbol>> for SymbolReader {
    /// Creates a reader for a file whose rows all have the given symbol. `None` means that a column has the
    /// symbol of each row.
    fn from(symbol: Option<Symbol>) -> Self {
        symbol.map_or_else(|| Self::Column(RecentSymbols::new()), Self::OfFile)
    }
}

impl SymbolReader {
    /// Returns the symbol of a row.
    pub fn read(&mut self, layout: &Layout, row: &Cells<'_>) -> Result<Symbol, RejectedRow> {
        let cell = |column: Option<usize>| column.and_then(|column| row.get(column)).unwrap_or_default();
        let columns = layout.symbol.unwrap_or_default();
        if columns.is_joined() {
            let name = match self {
                Self::OfFile(symbol) => symbol.as_str().as_bytes(),
                Self::Column(_) => cell(columns.name),
            };
            let cells = InstrumentCells {
                name,
                suffix: cell(columns.suffix),
                is_pair: columns.is_pair,
                expiry: cell(columns.expiry),
                strike: cell(columns.strike),
                right: cell(columns.right),
            };
            return symbol(cells.joined(layout.times.date_order).as_deref().map_or(name, str::as_bytes));
        }
        match self {
            Self::OfFile(symbol) => Ok(symbol.clone()),
            Self::Column(recent) => recent.get(cell(columns.name), symbol),
        }
    }
}

/// The words that programs write for a symbol that is missing. `NAN` and `NA` are symbols.
const NO_SYMBOLS: [&[u8]; 9] = [b"None", b"none", b"null", b"NULL", b"nan", b"NaN", b"N/A", b"#N/A", b"<NA>"];

fn symbol(name: &[u8]) -> Result<Symbol, RejectedRow> {
    if NO_SYMBOLS.contains(&name.trim_ascii()) {
        return Err(RejectedRow::new(Reason::BadSymbol, name));
    }
    let symbol =
        std::str::from_utf8(without_text_mark(name)).ok().and_then(|name| Symbol::from_name(name).ok());
    symbol.ok_or_else(|| RejectedRow::new(Reason::BadSymbol, name))
}

/// Removes the marks with which Excel keeps a number as text: `="0050"` and `'000002`.
fn without_text_mark(name: &[u8]) -> &[u8] {
    match name.trim_ascii() {
        [b'=', b'"', name @ .., b'"'] => name,
        [b'\'', name @ ..] => name.strip_suffix(b"'").unwrap_or(name),
        _ => name,
    }
}

impl Layout {
    /// Returns whether a row has an allowed value in the column that selects rows.
    pub fn is_selected(&self, row: &Cells<'_>) -> bool {
        let Some((column, kept)) = self.only else { return true };
        row.get(column).is_some_and(|cell| kept.iter().any(|one| cell.trim_ascii() == one.as_bytes()))
    }

    /// Parses the prices and sizes of a row. Returns a bar, a quote or a trade, and the trade beside a quote.
    pub fn payload(&self, row: &Cells<'_>) -> Result<(Payload, Option<Trade>), RejectedRow> {
        match &self.values {
            Values::Bars { open, high, low, close, volume } => {
                let bar = Bar {
                    interval: self.interval.and_then(|(column, rule)| interval(row.get(column)?, rule)),
                    open: self.price(row, *open)?,
                    high: self.price(row, *high)?,
                    low: self.price(row, *low)?,
                    close: self.price(row, Some(*close))?.ok_or_else(missing)?,
                    volume: self.size(row, *volume)?,
                };
                if is_implausible(&bar, !self.has_adjusted_close) {
                    return Err(implausible(&bar));
                }
                Ok((Payload::Bar(bar), None))
            }
            Values::Ticks { price, size, bid, bid_size, ask, ask_size } => {
                let (mut bid, mut ask) = (self.price(row, *bid)?, self.price(row, *ask)?);
                if bid.is_some_and(|bid| bid.0.is_sign_negative()) && is_no_quote(bid, ask) {
                    (bid, ask) = (None, None);
                }
                let quote = if bid.is_some() || ask.is_some() {
                    let (bid_size, ask_size) = (self.size(row, *bid_size)?, self.size(row, *ask_size)?);
                    Some(Payload::Quote(Quote { bid, bid_size, ask, ask_size }))
                } else {
                    None
                };
                let trade = match self.price(row, *price)? {
                    Some(price) => Some(Trade { price, size: self.traded(row, *size)? }),
                    None => None,
                };
                match (quote, trade) {
                    (Some(quote), trade) => Ok((quote, trade)),
                    (None, Some(trade)) => Ok((Payload::Trade(trade), None)),
                    (None, None) => Err(missing()),
                }
            }
        }
    }

    fn price(&self, row: &Cells<'_>, column: Option<usize>) -> Result<Option<Price>, RejectedRow> {
        value(row, column, |cell| match self.number_rule {
            NumberRule::Plain | NumberRule::Lean => self.numbers.price(cell),
            NumberRule::FixedPoint => self.numbers.fixed_point_price(cell),
            NumberRule::Lobster => self.numbers.lobster_price(cell),
            NumberRule::ThirtySeconds => self.numbers.price_in_32nds(cell),
            NumberRule::ThirtySecondsAfterPoint => any_price_in_32nds(cell),
        })
    }

    /// Reads the size of a trade. A minus sign is dropped, because some files write sales as negative sizes. Interactive
    /// Brokers writes -1 for an unknown size.
    fn traded(&self, row: &Cells<'_>, column: Option<usize>) -> Result<Option<Size>, RejectedRow> {
        value(row, column, |cell| {
            let amount = cell.trim_ascii().strip_prefix(b"-");
            if amount == Some(b"1") && !self.are_sizes_signed {
                return Ok(None);
            }
            let amount = amount.filter(|amount| amount.first().is_some_and(u8::is_ascii_digit));
            self.size_in(amount.unwrap_or(cell))
        })
    }

    /// Reads the size of a quote or the volume of a bar. Interactive Brokers writes -1 for "none".
    fn size(&self, row: &Cells<'_>, column: Option<usize>) -> Result<Option<Size>, RejectedRow> {
        value(row, column, |cell| if cell.trim_ascii() == b"-1" { Ok(None) } else { self.size_in(cell) })
    }

    fn size_in(&self, cell: &[u8]) -> Result<Option<Size>, NumberError> {
        match self.number_rule {
            NumberRule::FixedPoint => self.numbers.fixed_point_size(cell),
            _ => self.numbers.size(cell),
        }
    }
}

/// Returns whether the bid and the ask are -1, as Interactive Brokers writes for "no quote".
#[cold]
fn is_no_quote(bid: Option<Price>, ask: Option<Price>) -> bool {
    let is_none = |price: Option<Price>| price.is_some_and(|price| price.0 == Decimal::NEGATIVE_ONE);
    is_none(bid) && is_none(ask)
}

fn interval(cell: &[u8], rule: IntervalRule) -> Option<Interval> {
    let text = std::str::from_utf8(cell).ok()?.trim();
    match rule {
        IntervalRule::Text => text.parse().ok().or_else(|| interval_of_metatrader(text)),
        // <https://databento.com/docs/standards-and-conventions/common-fields-enums-types>
        IntervalRule::RecordType => match text {
            "32" => "1s".parse().ok(),
            "33" => "1m".parse().ok(),
            "34" => "1h".parse().ok(),
            "35" | "36" => "1d".parse().ok(),
            _ => None,
        },
        IntervalRule::Period => match text {
            "D" | "W" => format!("1{}", text.to_ascii_lowercase()).parse().ok(),
            minutes => format!("{minutes}m").parse().ok(),
        },
    }
}

/// Parses the length of a bar as `MetaTrader` writes it: `M15`, `H4` or `D1`.
fn interval_of_metatrader(text: &str) -> Option<Interval> {
    let unit = text.chars().next().filter(|unit| "MHDW".contains(*unit))?;
    format!("{}{}", &text[1..], unit.to_ascii_lowercase()).parse().ok()
}

/// Parses the value in one column of a row. Returns `None` if the layout has no such column, or if the line
/// ends before this column.
fn value<T>(
    row: &Cells<'_>,
    column: Option<usize>,
    read: impl FnOnce(&[u8]) -> Result<Option<T>, NumberError>,
) -> Result<Option<T>, RejectedRow> {
    let Some(cell) = column.and_then(|column| row.get(column)) else { return Ok(None) };
    read(cell).map_err(|_| RejectedRow::new(Reason::BadNumber, cell))
}

/// Returns whether the prices of a bar contradict each other. An adjusted close is not judged.
fn is_implausible(bar: &Bar, is_close_judged: bool) -> bool {
    let Bar { open, high, low, close, .. } = bar;
    let is_above_high = |price: &Price| high.as_ref().is_some_and(|high| price > high);
    let is_below_low = |price: &Price| low.as_ref().is_some_and(|low| price < low);
    let is_outside = |price: &Price| is_above_high(price) || is_below_low(price);
    high.as_ref().is_some_and(is_below_low)
        || open.as_ref().is_some_and(is_outside)
        || is_close_judged && is_outside(close)
}

/// Returns the reason why a bar with such prices is rejected.
#[cold]
fn implausible(bar: &Bar) -> RejectedRow {
    let Bar { open, high, low, close, .. } = *bar;
    let prices = [("open", open), ("high", high), ("low", low), ("close", Some(close))];
    let prices = prices.into_iter().filter_map(|(name, price)| Some(format!("{name} {}", price?)));
    RejectedRow { reason: Reason::Implausible, found: prices.collect::<Vec<_>>().join(", ") }
}

fn missing() -> RejectedRow {
    RejectedRow { reason: Reason::Missing, found: String::new() }
}

#[cfg(test)]
mod tests {
    use super::super::cells::Splitter;
    use super::super::layout::{self, Given};
    use super::*;

    fn given() -> Given<'static> {
        Given { path: "AAPL.csv", ..Given::default() }
    }

    fn read(header: &str, line: &str) -> Result<Row, RejectedRow> {
        read_in("UTC", header, line)
    }

    fn read_in(zone: &str, header: &str, line: &str) -> Result<Row, RejectedRow> {
        let cells = |line: &str| line.split(',').map(|cell| cell.as_bytes().to_vec()).collect::<Vec<_>>();
        let found = layout::recognize(&[cells(header), cells(line)], given()).unwrap();
        let file = (!found.layout.has_name_column()).then(|| "AAPL".parse().unwrap());
        let zones = Zones::new(Some(&zone.parse().unwrap()), false);
        let mut reader = RowReader::new(Arc::new(found.layout), file, zones);
        reader.read(&Splitter::new(b',').split(line.as_bytes(), usize::MAX))
    }

    fn rejected(header: &str, line: &str) -> (Reason, String) {
        let RejectedRow { reason, found } = read(header, line).unwrap_err();
        (reason, found)
    }

    const TICKS: &str = "time,symbol,price,size,bid,bid_size,ask,ask_size";
    const NOW: &str = "1704292200";

    #[test]
    fn a_price_becomes_a_trade_and_a_bid_or_ask_becomes_a_quote() {
        let trade = read(TICKS, "1704292200,A,1.50,7,,,,").unwrap();
        let quote = read(TICKS, "1704292200,A,,,1.4,100,,").unwrap();

        assert!(matches!(trade, Row { payload: Payload::Trade(_), second: None, .. }), "{trade:?}");
        assert!(
            matches!(
                quote,
                Row { payload: Payload::Quote(Quote { bid: Some(_), ask: None, .. }), second: None, .. }
            ),
            "{quote:?}"
        );
    }

    #[test]
    fn a_row_with_a_price_and_a_bid_becomes_the_quote_and_then_the_trade() {
        let row = read(TICKS, "1704292200,A,1.5,7,1.4,100,1.6,200").unwrap();

        assert!(matches!(row, Row { payload: Payload::Quote(_), second: Some(_), .. }), "{row:?}");
    }

    #[test]
    fn a_row_without_a_needed_value_is_rejected_with_the_reason() {
        let none = String::new;
        let row = |rest: &str| format!("{NOW},{rest}");

        assert_eq!(rejected(TICKS, &row("A,,,,,,")), (Reason::Missing, none()));
        assert_eq!(rejected("time,close", &row("null")), (Reason::Missing, none()));
        assert_eq!(rejected("time,close", &row("5,9")), (Reason::Ragged, "3 cells".to_owned()));
        assert_eq!(rejected("time,close", "noon,5"), (Reason::BadTime, "noon".to_owned()));
        assert_eq!(rejected("time,close", &row("5;0")), (Reason::BadNumber, "5;0".to_owned()));
        assert_eq!(rejected("time,close,volume", &row("5,-2")), (Reason::BadNumber, "-2".to_owned()));
        assert_eq!(rejected("time,symbol,price", &row(",5")), (Reason::BadSymbol, none()));
        assert_eq!(rejected("time,symbol,price", &row("NaN,5")), (Reason::BadSymbol, "NaN".to_owned()));
    }

    #[test]
    fn a_local_time_outside_the_range_of_times_is_rejected() {
        let bad = |found: &str| RejectedRow { reason: Reason::BadTime, found: found.to_owned() };

        let first = "1677-09-21 00:12:44";
        assert_eq!(read_in("+14:00", "time,close", &format!("{first},5")), Err(bad(first)));
        assert!(read_in("-14:00", "time,close", &format!("{first},5")).is_ok());
        let last = "2262-04-11 23:47:16";
        assert_eq!(read_in("-14:00", "date,time,close", "2262-04-11,23:47:16,5"), Err(bad(last)));
    }

    #[test]
    fn a_bar_that_contradicts_itself_is_rejected() {
        let bar = |prices: &str| read("time,open,high,low,close", &format!("{NOW},{prices}"));
        let rejected = |prices: &str| bar(prices).unwrap_err();

        for prices in ["5,5,5,5", "5.10,5.2,5.1,5.20", ",5,5,5", "5,,4,9", "5,9,,1"] {
            assert!(bar(prices).is_ok(), "{prices}");
        }
        for prices in ["5,4,6,5", "7,6,4,5", "3,6,4,5", "5,6,4,7", "5,6,4,3.99", "3,,4,5", "5,4.99,,4"] {
            assert_eq!(rejected(prices).reason, Reason::Implausible, "{prices}");
        }
        assert_eq!(rejected("5,4,6,5.0").found, "open 5, high 4, low 6, close 5.0");
    }

    #[test]
    fn a_missing_value_of_a_bar_is_absent() {
        let row = read("date,time,close,volume,interval", "2024-01-03,09:30,5,NaN,1m").unwrap();

        assert_eq!(row.time.to_string(), "2024-01-03T09:30:00Z");
        let Payload::Bar(bar) = row.payload else { panic!("{row:?}") };
        assert_eq!((bar.open, bar.volume), (None, None));
        assert_eq!(bar.interval.unwrap().to_string(), "1m");
    }

    #[test]
    fn a_symbol_and_its_suffix_are_joined_by_a_point() {
        let symbol = |suffix: &str| {
            let row = read(
                "DATE,TIME_M,SYM_ROOT,SYM_SUFFIX,SIZE,PRICE",
                &format!("2018-01-03,9:30:00,BRK,{suffix},1,2"),
            );
            row.unwrap().symbol.to_string()
        };

        assert_eq!(symbol("B"), "BRK.B");
        assert_eq!(symbol(""), "BRK");
    }

    #[test]
    fn a_length_in_words_may_be_written_as_metatrader_does() {
        let read =
            |text: &str| interval(text.as_bytes(), IntervalRule::Text).map(|interval| interval.to_string());

        assert_eq!(["M15", "H1", "D1", "5m"].map(|text| read(text).unwrap()), ["15m", "1h", "1d", "5m"]);
        assert_eq!(read("M").or(read("MN1")).or(read("é1")), None);
    }

    #[test]
    fn a_period_is_a_number_of_minutes_or_a_letter() {
        let read =
            |text: &str| interval(text.as_bytes(), IntervalRule::Period).map(|interval| interval.to_string());

        assert_eq!(read("5").unwrap(), "5m");
        assert_eq!(read("D").unwrap(), "1d");
        assert_eq!(read("X"), None);
    }
}

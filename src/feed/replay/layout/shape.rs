//! Shapes: descriptions of the columns of files without a header.
//!
//! A shape is a text with one word for each column. A word names the [`Role`] of a column, or the kind of
//! value in its cells, such as `unix` for a Unix time. A kind that implies no role, such as `int` for a whole
//! number, describes an unused column. `#` after a word marks a column whose cells must fit the word,
//! although the column is not used. `?` after a word marks a column that may be missing in a row. The word
//! `more` at the end of a shape allows further columns of any kind.

use rust_decimal::Decimal;

use super::super::number::{DecimalSign, Numbers};
use super::super::time::{self, DateOrder, MidnightUnit};
use super::Record;
use super::role::Role;
use crate::market::Price;

/// A shape fits a file if at most this percentage of the rows do not fit the shape.
const MISFITS_IN_HUNDRED: usize = 1;
/// If there are more rows than this, the last row may be of another kind.
const MANY_ROWS: usize = 10;
/// The largest plausible spread between bid and ask is the bid divided by this number.
const WIDEST_SPREAD: Decimal = Decimal::from_parts(50, 0, 0, false, 0);
/// An adjusted close is plausible from close / 20 to close + close / 20; this number is the divisor.
const LEAST_ADJUSTED: Decimal = Decimal::from_parts(20, 0, 0, false, 0);

/// LOBSTER writes this price, or its negative, for "no price".
const NO_LOBSTER_PRICE: Decimal = Decimal::from_parts(1_410_065_407, 2, 0, false, 0);

/// The description of one column in a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The role of the column; `None` if the column is not used.
    pub role: Option<Role>,
    holds: Holds,
    is_optional: bool,
}

/// The kind of value in the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// A Unix time.
    Unix,
    /// A date with or without a time of day, or a Unix time.
    DateTime,
    /// A date with points between its numbers, as in `03.01.2024`.
    Points,
    /// A date with slashes.
    Slashes,
    /// A date of eight digits, with or without a time of day after it.
    Compact,
    Date,
    TimeOfDay,
    /// A time of day of at most four digits, as in `930`.
    HoursAndMinutes,
    /// A time of day in seconds since midnight.
    Seconds,
    /// A time of day in milliseconds since midnight.
    Millis,
    /// Text that is neither a number nor a time.
    Word,
    /// A number.
    Number(Option<Role>),
    /// A price between the low price and the high price of the same row.
    Within,
    /// An adjusted close price: a number with decimals, near or below the close price of the same row.
    Adjusted,
    /// A whole number.
    Int,
    /// 1 or -1.
    Side,
    /// True or false.
    Flag,
    Any,
}

impl Column {
    /// Returns the unit of a column whose cells count the time since midnight; `None` for any other column.
    pub fn midnight_unit(self) -> Option<MidnightUnit> {
        match self.holds {
            Holds::Seconds => Some(MidnightUnit::Seconds),
            Holds::Millis => Some(MidnightUnit::Milliseconds),
            _ => None,
        }
    }
}

/// Parses a shape. Returns the columns of the shape, and whether a row may have more columns than the shape.
pub fn columns(shape: &'static str) -> (Vec<Column>, bool) {
    let words: Vec<&str> = shape.split_ascii_whitespace().collect();
    let named = words.iter().filter(|word| **word != "more").map(|word| column(word));
    (named.collect(), words.last() == Some(&"more"))
}

/// Returns whether a shape describes a column as one of times.
pub fn expects_time(shape: &'static str, column: usize) -> bool {
    let (columns, _) = columns(shape);
    columns.get(column).is_some_and(|column| {
        matches!(
            column.holds,
            Holds::Unix
                | Holds::DateTime
                | Holds::Points
                | Holds::Slashes
                | Holds::Compact
                | Holds::Date
                | Holds::TimeOfDay
        )
    })
}

fn column(word: &str) -> Column {
    let is_optional = word.ends_with('?');
    let is_used = !word.ends_with('#');
    let (role, holds) = match word.trim_end_matches(['?', '#']) {
        "unix" => (Some(Role::Time), Holds::Unix),
        "datetime" => (Some(Role::Time), Holds::DateTime),
        "compact" => (Some(Role::Time), Holds::Compact),
        "points" => (Some(Role::Date), Holds::Points),
        "slashes" => (Some(Role::Date), Holds::Slashes),
        "date" => (Some(Role::Date), Holds::Date),
        "clock" => (Some(Role::TimeOfDay), Holds::TimeOfDay),
        "hhmm" => (Some(Role::TimeOfDay), Holds::HoursAndMinutes),
        "seconds" => (Some(Role::TimeOfDay), Holds::Seconds),
        "millis" => (Some(Role::TimeOfDay), Holds::Millis),
        "symbol" => (Some(Role::Symbol), Holds::Word),
        "interval" => (Some(Role::Interval), Holds::Any),
        "int" => (None, Holds::Int),
        "side" => (None, Holds::Side),
        "flag" => (None, Holds::Flag),
        "number" => (None, Holds::Number(None)),
        "within" => (None, Holds::Within),
        "adjusted" => (None, Holds::Adjusted),
        "whole" => (Some(Role::Volume), Holds::Int),
        "any" => (None, Holds::Any),
        "bidsize" => (Some(Role::BidSize), Holds::Number(Some(Role::BidSize))),
        "asksize" => (Some(Role::AskSize), Holds::Number(Some(Role::AskSize))),
        role => {
            let role = role.parse().expect("the table has no other words");
            (Some(role), Holds::Number(Some(role)))
        }
    };
    Column { role: role.filter(|_| is_used), holds, is_optional }
}

/// The rows that do not fit a shape.
pub struct Misfits {
    pub count: usize,
    /// The index of the first such row.
    pub first: Option<usize>,
}

/// Returns whether nearly all rows fit a shape.
pub fn fits(shape: &'static str, rows: &[Record]) -> bool {
    !rows.is_empty() && misfits(shape, rows).count * 100 <= rows.len() * MISFITS_IN_HUNDRED
}

/// Returns the rows that do not fit a shape. If a column of asks has sizes, no row fits.
///
/// The last of many rows does not count if its cells are of other kinds, because it may be cut short or a sum.
pub fn misfits(shape: &'static str, rows: &[Record]) -> Misfits {
    let (columns, has_more) = columns(shape);
    let rows = match rows {
        [before @ .., last] if rows.len() > MANY_ROWS && !kinds_fit(&columns, has_more, last) => before,
        _ => rows,
    };
    let has_sizes = has_sizes_for_asks(&columns, rows);
    let mut misfits = (0..rows.len()).filter(|row| has_sizes || !row_fits(&columns, has_more, &rows[*row]));
    let first = misfits.next();
    Misfits { count: misfits.count() + usize::from(first.is_some()), first }
}

/// Returns whether all rows have a possible number of cells for a shape.
pub fn has_room(shape: &'static str, rows: &[Record]) -> bool {
    let (columns, has_more) = columns(shape);
    rows.iter().all(|row| has_room_for(&columns, has_more, row))
}

/// Returns whether the column of asks has whole numbers only, while all bids have decimals: prices and sizes of
/// trades may look like quotes.
fn has_sizes_for_asks(columns: &[Column], rows: &[Record]) -> bool {
    let are_all = |role: Role, has_decimals: bool| {
        let index = columns.iter().position(|column| column.holds == Holds::Number(Some(role)));
        let has_some = |cell: &Vec<u8>| cell.contains(&b'.') || cell.contains(&b',');
        index.is_some_and(|index| {
            rows.iter().filter_map(|row| row.get(index)).all(|cell| has_some(cell) == has_decimals)
        })
    };
    are_all(Role::Bid, true) && are_all(Role::Ask, false)
}

fn has_room_for(columns: &[Column], has_more: bool, row: &Record) -> bool {
    let required = columns.iter().filter(|column| !column.is_optional).count();
    row.len() >= required && (has_more || row.len() <= columns.len())
}

fn row_fits(columns: &[Column], has_more: bool, row: &Record) -> bool {
    kinds_fit(columns, has_more, row) && is_plausible(columns, row)
}

fn kinds_fit(columns: &[Column], has_more: bool, row: &Record) -> bool {
    has_room_for(columns, has_more, row)
        && columns.iter().zip(row.iter()).all(|(column, cell)| column.holds.fits(cell))
}

impl Holds {
    fn fits(self, cell: &[u8]) -> bool {
        let cell = cell.trim_ascii();
        let is_number = || number(cell).is_some();
        match self {
            Self::Unix => is_digits(cell, 9) && is_stamp(cell),
            Self::DateTime => is_stamp(cell),
            Self::Compact => is_compact(cell),
            Self::Points => is_date_with(cell, b'.'),
            Self::Slashes => is_date_with(cell, b'/'),
            Self::Date => time::date(cell, DateOrder::Ymd).is_some(),
            Self::TimeOfDay => time::time_of_day(cell).is_some(),
            Self::HoursAndMinutes => {
                cell.len() <= 4 && is_digits(cell, 1) && time::time_of_day_of_digits(cell, 4).is_some()
            }
            Self::Seconds => time::since_midnight(cell, MidnightUnit::Seconds).is_some(),
            Self::Millis => time::since_midnight(cell, MidnightUnit::Milliseconds).is_some(),
            Self::Word => is_word(cell),
            Self::Number(_) | Self::Within => is_number() || is_missing(cell),
            Self::Adjusted => is_number() && cell.contains(&b'.'),
            Self::Int => is_digits(cell.strip_prefix(b"-").unwrap_or(cell), 1),
            Self::Side => matches!(cell, b"1" | b"-1"),
            Self::Flag => {
                [&b"true"[..], b"false", b"0", b"1"].iter().any(|flag| cell.eq_ignore_ascii_case(flag))
            }
            Self::Any => true,
        }
    }
}

/// Returns whether the numbers of a row are plausible.
///
/// A bar must have all four prices: open, high, low and close. The open and the close of a bar must be
/// between its low and its high. A bid must not exceed the ask, and must be near the ask.
fn is_plausible(columns: &[Column], row: &Record) -> bool {
    let value = |role: Role| {
        let column = columns.iter().position(|column| column.holds == Holds::Number(Some(role)))?;
        number(row.get(column)?).map(|price| price.0).filter(|price| price.abs() != NO_LOBSTER_PRICE)
    };
    let is_bar = match (value(Role::Open), value(Role::High), value(Role::Low), value(Role::Close)) {
        (Some(open), Some(high), Some(low), Some(close)) => low <= open.min(close) && open.max(close) <= high,
        (None, None, None, None) => true,
        // A bar of quotes has no close: its last bid and its last ask count as a quote.
        _ => !columns.iter().any(|column| column.holds == Holds::Number(Some(Role::Close))),
    };
    let is_quote = match (value(Role::Bid), value(Role::Ask)) {
        (Some(bid), Some(ask)) if !bid.is_zero() && !ask.is_zero() => {
            bid <= ask && ask.checked_sub(bid).is_some_and(|spread| spread <= bid.abs() / WIDEST_SPREAD)
        }
        _ => true,
    };
    let value_in = |holds: Holds| {
        let column = columns.iter().position(|column| column.holds == holds)?;
        number(row.get(column)?).map(|price| price.0)
    };
    let is_within = match (value_in(Holds::Within), value(Role::Low), value(Role::High)) {
        (Some(price), Some(low), Some(high)) => low <= price && price <= high,
        _ => true,
    };
    let is_adjusted = match (value_in(Holds::Adjusted), value(Role::Close)) {
        (Some(price), Some(close)) => {
            close / LEAST_ADJUSTED <= price && price <= close + close / LEAST_ADJUSTED
        }
        _ => true,
    };
    is_bar && is_quote && is_within && is_adjusted
}

/// Returns whether a cell is neither empty nor a number nor a time.
pub fn is_word(cell: &[u8]) -> bool {
    !cell.is_empty() && number(cell).is_none() && !is_stamp(cell)
}

fn number(cell: &[u8]) -> Option<Price> {
    let read = |decimal| Numbers { decimal, ..Numbers::default() }.price(cell).ok().flatten();
    read(DecimalSign::Point).or_else(|| read(DecimalSign::Comma))
}

fn is_missing(cell: &[u8]) -> bool {
    Numbers::default().price(cell) == Ok(None)
}

fn is_stamp(cell: &[u8]) -> bool {
    time::stamp(cell, DateOrder::Mdy).or(time::stamp(cell, DateOrder::Dmy)).is_some()
}

fn is_digits(cell: &[u8], least: usize) -> bool {
    let plain = cell.strip_suffix(b".0").unwrap_or(cell);
    plain.len() >= least && plain.iter().all(u8::is_ascii_digit)
}

fn is_date_with(cell: &[u8], between: u8) -> bool {
    let is_date = |order| time::date(cell, order).is_some();
    cell.split(|byte| *byte == between).count() == 3 && (is_date(DateOrder::Mdy) || is_date(DateOrder::Dmy))
}

/// Returns whether a cell is a date of eight digits. In the cell, a blank and a time of day may follow the
/// date.
fn is_compact(cell: &[u8]) -> bool {
    cell.len() >= 8
        && is_digits(&cell[..8], 8)
        && cell.get(8).is_none_or(|next| *next == b' ')
        && is_stamp(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits_rows(shape: &'static str, rows: &[&str]) -> bool {
        let cells = |row: &&str| row.split(',').map(|cell| cell.as_bytes().to_vec()).collect();
        fits(shape, &rows.iter().map(cells).collect::<Vec<Record>>())
    }

    #[test]
    fn a_shape_fits_if_at_most_one_row_in_a_hundred_does_not() {
        let mut rows = vec!["2024-01-03,x,1"; 2];
        rows.extend(["2024-01-03,7,1"; 198]);
        assert!(fits_rows("datetime price size", &rows));

        rows.insert(0, "2024-01-03,x,1");
        assert!(!fits_rows("datetime price size", &rows));
        assert!(!fits_rows("datetime price size", &["2024-01-03,7,1", "2024-01-03,7,1,1"]));
    }

    #[test]
    fn the_last_of_more_than_ten_rows_may_be_of_another_kind() {
        let rows =
            |count: usize, last: &'static str| [vec!["2024-01-03,50,51"; count - 1], vec![last]].concat();

        assert!(fits_rows("datetime bid ask", &rows(11, "sum,500,510")));
        assert!(fits_rows("datetime bid ask", &rows(11, "2024-0")));
        assert!(!fits_rows("datetime bid ask", &rows(10, "sum,500,510")));
        assert!(!fits_rows("datetime bid ask", &rows(11, "2024-01-03,51,50")));
    }

    #[test]
    fn no_rows_fit_no_shape() {
        assert!(!fits_rows("datetime price size", &[]));
    }

    #[test]
    fn a_spread_is_plausible_up_to_a_fiftieth_of_the_bid() {
        assert!(fits_rows("datetime bid ask", &["2024-01-03,50.0,51.0"]));
        assert!(!fits_rows("datetime bid ask", &["2024-01-03,50.0,51.01"]));
        assert!(!fits_rows("datetime bid ask", &["2024-01-03,50.0,49.9"]));
    }

    #[test]
    fn an_adjusted_close_is_plausible_from_a_twentieth_of_the_close_to_a_twentieth_above_it() {
        let fits = |adjusted: &str| {
            let row = format!("2024-01-03,100,101,99,100,{adjusted},9");
            fits_rows("datetime open high low close adjusted whole", &[&row])
        };

        assert!(fits("5.00") && fits("105.00"));
        assert!(!fits("4.99") && !fits("105.01") && !fits("50"));
    }

    #[test]
    fn whole_numbers_beside_prices_with_decimals_are_no_asks() {
        assert!(!fits_rows("datetime bid ask", &["2024-01-03,99.5,100"]));
        assert!(fits_rows("datetime bid ask", &["2024-01-03,99,100"]));
        assert!(fits_rows("datetime bid ask", &["2024-01-03,99.5,100", "2024-01-03,99.5,99.75"]));
    }
}

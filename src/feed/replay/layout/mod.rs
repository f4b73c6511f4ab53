//! Layouts: a layout tells the role of each column in a file, such as time or price, and the notation of the
//! cells.
//!
//! The layout of a file is recognized by the column names in its header. If the file has no header, the
//! layout is recognized by the kind of value in each column. The configuration can name a layout, or the
//! column for each role.

mod columns;
mod date_orders;
mod decided;
mod entry;
mod given;
mod header;
mod header_names;
mod headerless;
mod layout_error;
mod number_columns;
mod other_closes;
mod other_times;
mod recognize;
mod role;
mod row_kinds;
mod shape;
mod symbol_columns;
mod table;
mod time_columns;
mod times;

use std::fmt;

use super::number::Numbers;
use super::time::MidnightUnit;

pub use columns::Map;
pub use date_orders::DateOrders;
pub use decided::Evidence;
pub use entry::{Entry, IntervalRule, NumberRule, RecognizedBy};
pub use given::Given;
pub use layout_error::LayoutError;
pub use recognize::{Recognized, recognize};
pub use role::{Role, RoleError, normal};
pub use row_kinds::are_of_trades;
pub use shape::is_word;
pub use table::LAYOUTS;
pub use times::Times;

/// The cells of one line of a file.
pub type Record = Vec<Vec<u8>>;

/// The roles of the columns in a file, and the notation of their cells.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The name of the layout in the table [`LAYOUTS`]. A layout that is not in the table is named after its
    /// kind of rows, such as `bars`.
    pub name: &'static str,
    /// The vendor whose files have this layout; `None` if the layout is not in the table [`LAYOUTS`].
    pub vendor: Option<&'static str>,
    pub times: Times,
    pub symbol: Option<SymbolColumns>,
    pub interval: Option<(usize, IntervalRule)>,
    /// A column that selects rows, and its allowed values: rows with another value in this column are left
    /// out.
    pub only: Option<(usize, &'static [&'static str])>,
    pub values: Values,
    /// Whether the close of a bar is adjusted for dividends or splits, so that it may be outside the range
    /// from the low to the high.
    pub has_adjusted_close: bool,
    /// Whether the file name consists of a symbol and the length of a bar in minutes, as in `EURUSD1440`.
    pub has_period_in_name: bool,
    /// Whether the size of a sale has a minus sign. Otherwise, a size of -1 is unknown.
    pub are_sizes_signed: bool,
    pub number_rule: NumberRule,
    pub numbers: Numbers,
    /// How many cells of a row must be read to include the last column in use.
    pub width: usize,
    /// The minimum number of cells in a row; a shorter row is rejected.
    pub least: usize,
    /// The maximum number of cells in a row; a longer row is rejected, because it must have a delimiter
    /// inside a value.
    pub most: Option<usize>,
}

/// The columns from which an event's time is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeColumns {
    /// One column, given by its index, has the complete time.
    One(usize),
    /// One column has the date, and another column has the time of day.
    Two { date: usize, time_of_day: usize, form: TimeOfDayForm },
    /// Three columns have the year, the month and the day. Further columns may have the hour, the minute and the
    /// second, or one column the time of day.
    Parts(TimeParts),
    /// A column has the time of day, and the file's path tells the day. `day` is the midnight at the start of
    /// that day, in nanoseconds since 1970.
    TimeOfDay { time_of_day: usize, form: TimeOfDayForm, day: i64 },
    /// The rows have no time, and the file's path tells the day. The value is the midnight at the start of
    /// that day, in nanoseconds since 1970.
    Day(i64),
}

/// The columns of the parts of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeParts {
    /// The columns of the year, the month and the day.
    pub date: [usize; 3],
    /// The columns of the hour, the minute and the second. A part without a column is 0.
    pub of_day: [Option<usize>; 3],
    /// The column of the whole time of day; `None` if its parts have columns of their own, or if there is none.
    pub time_of_day: Option<usize>,
}

/// The notation of a time of day in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOfDayForm {
    /// The time of day is a text such as `9:30`, `09:30:00.5` or `093000`.
    Text,
    /// The time of day is a number with this many digits: 4 for hours and minutes, 6 if there are seconds,
    /// more if there are fractions of a second. Leading zeros of the number may be missing.
    Digits(usize),
    /// The time of day is a count since midnight, in this unit.
    Counted(MidnightUnit),
}

/// The columns from which an event's symbol is read. The cells of several columns are joined to one symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SymbolColumns {
    /// The column with the name; `None` if the name is the symbol of the file.
    pub name: Option<usize>,
    pub suffix: Option<usize>,
    /// Whether the name and the suffix are the two halves of a pair, such as `BTC` and `USD`.
    pub is_pair: bool,
    pub expiry: Option<usize>,
    pub strike: Option<usize>,
    pub right: Option<usize>,
}

impl SymbolColumns {
    /// Returns all roles, each with its column, if there is one.
    fn uses(self) -> [(Role, Option<usize>); 5] {
        let Self { name, suffix, expiry, strike, right, .. } = self;
        [
            (Role::Symbol, name),
            (Role::Suffix, suffix),
            (Role::Expiry, expiry),
            (Role::Strike, strike),
            (Role::Right, right),
        ]
    }

    /// Returns whether the symbol has other parts than the name.
    pub const fn is_joined(self) -> bool {
        self.suffix.is_some() || self.expiry.is_some() || self.strike.is_some() || self.right.is_some()
    }
}

/// The columns from which an event's values are read, such as its price and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Each row is a bar.
    Bars { open: Option<usize>, high: Option<usize>, low: Option<usize>, close: usize, volume: Option<usize> },
    /// A row with a trade price becomes a trade. A row with a bid or an ask becomes a quote. A row with both
    /// a trade price and a bid or ask becomes two events.
    Ticks {
        price: Option<usize>,
        size: Option<usize>,
        bid: Option<usize>,
        bid_size: Option<usize>,
        ask: Option<usize>,
        ask_size: Option<usize>,
    },
}

impl fmt::Display for TimeOfDayForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("texts"),
            Self::Digits(4) => f.write_str("hours and minutes"),
            Self::Digits(_) => f.write_str("hours, minutes and seconds"),
            Self::Counted(unit) => write!(f, "{unit} since midnight"),
        }
    }
}

impl Values {
    /// Returns the name for the kind of rows in a file, such as `bars`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bars { .. } => "bars",
            Self::Ticks { price: Some(_), bid: None, ask: None, .. } => "trades",
            Self::Ticks { price: None, .. } => "quotes",
            Self::Ticks { .. } => "trades-and-quotes",
        }
    }
}

impl Layout {
    /// Returns each role that has a column, with the index of the column.
    pub fn uses(&self) -> impl Iterator<Item = (Role, usize)> {
        let time = match self.times.columns {
            TimeColumns::Parts(parts) => parts.columns().map(|column| (Role::Date, Some(column))).collect(),
            TimeColumns::One(column) => vec![(Role::Time, Some(column))],
            TimeColumns::Two { date, time_of_day, .. } => {
                vec![(Role::Date, Some(date)), (Role::TimeOfDay, Some(time_of_day))]
            }
            TimeColumns::TimeOfDay { time_of_day, .. } => vec![(Role::TimeOfDay, Some(time_of_day))],
            TimeColumns::Day(_) => Vec::new(),
        };
        let symbol = self.symbol.unwrap_or_default().uses();
        let interval = [(Role::Interval, self.interval.map(|(column, _)| column))];
        let values = match self.values {
            Values::Bars { open, high, low, close, volume } => vec![
                (Role::Open, open),
                (Role::High, high),
                (Role::Low, low),
                (Role::Close, Some(close)),
                (Role::Volume, volume),
            ],
            Values::Ticks { price, size, bid, bid_size, ask, ask_size } => vec![
                (Role::Price, price),
                (Role::Size, size),
                (Role::Bid, bid),
                (Role::BidSize, bid_size),
                (Role::Ask, ask),
                (Role::AskSize, ask_size),
            ],
        };
        let all = time.into_iter().chain(symbol).chain(interval).chain(values);
        let all = all.chain([(Role::Millis, self.times.millis), (Role::Zone, self.times.zone)]);
        all.filter_map(|(role, column)| Some((role, column?)))
    }

    /// Returns the columns of prices, sizes and volumes.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        let is_number = |role: Role| (Role::Price..=Role::Volume).contains(&role);
        self.uses().filter(move |(role, _)| is_number(*role)).map(|(_, column)| column)
    }

    /// Returns the columns of sizes and volumes.
    pub fn sizes(&self) -> impl Iterator<Item = usize> {
        let is_size = |role: Role| matches!(role, Role::Size | Role::BidSize | Role::AskSize | Role::Volume);
        self.uses().filter(move |(role, _)| is_size(*role)).map(|(_, column)| column)
    }

    /// Returns the number of cells to read from a row. If rows have a maximum number of cells, one cell more
    /// than this maximum is read, to detect rows that are too long.
    pub fn cells(&self) -> usize {
        self.most.map_or(self.width, |most| most + 1).max(self.width)
    }

    /// Returns how many cells of a row must be read to include all columns of the symbol; 0 if no column has
    /// the symbol.
    pub fn width_of_symbol(&self) -> usize {
        let columns = self.symbol.unwrap_or_default().uses();
        columns.into_iter().filter_map(|(_, column)| column).max().map_or(0, |last| last + 1)
    }

    /// Returns whether the layout is that of a vendor, rather than of any file with such columns.
    pub fn is_of_a_vendor(&self) -> bool {
        self.vendor.is_some_and(|vendor| !vendor.starts_with("any,"))
    }

    /// Returns whether a column has the name of each row's symbol.
    pub fn has_name_column(&self) -> bool {
        self.symbol.is_some_and(|symbol| symbol.name.is_some())
    }
}

#[cfg(test)]
mod tests;

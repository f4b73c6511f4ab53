//! Layouts: the roles of a file's columns, and the notation of their cells.
//!
//! A layout is recognized by the names in the header. Without a header, it is recognized by the kind of value
//! in each column. The configuration can name a layout, or the column of each role.

mod columns;
mod recognize;
mod role;
mod shape;
mod table;
mod time_columns;

use super::number::Numbers;
use super::time::{DateOrder, MidnightUnit};

pub use columns::Map;
pub use recognize::{Given, LayoutError, Recognized, recognize};
pub use role::{Role, RoleError};
pub use table::{Entry, IntervalRule, LAYOUTS, NumberRule, RecognizedBy};

/// The cells of one line.
pub type Record = Vec<Vec<u8>>;

/// The columns of a file, and the notation of their cells.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The name of the layout's entry in the table. A layout without an entry is named after its kind of
    /// rows.
    pub name: &'static str,
    /// The vendor, if the layout has an entry in the table.
    pub vendor: Option<&'static str>,
    pub time: TimeColumns,
    /// The order of day, month and year.
    pub date_order: DateOrder,
    pub symbol: Option<SymbolColumns>,
    pub interval: Option<(usize, IntervalRule)>,
    /// A column and its allowed values: rows with another value are filtered out.
    pub only: Option<(usize, &'static [&'static str])>,
    pub values: Values,
    /// Whether the file name consists of a symbol and the period of the bars, e.g. `EURUSD1440`.
    pub has_period_in_name: bool,
    pub number_rule: NumberRule,
    pub numbers: Numbers,
    /// The number of cells up to the last used column.
    pub width: usize,
    /// The least number of cells; a shorter row is rejected.
    pub least: usize,
    /// The largest number of cells; a longer row is rejected, because it has a delimiter inside a value.
    pub most: Option<usize>,
}

/// The columns of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeColumns {
    /// One column has the complete time.
    One(usize),
    /// One column has the date, and another column has the time of day.
    Two { date: usize, time_of_day: usize, form: TimeOfDayForm },
    /// A column has the time of day, and the path has the day. `day` is its midnight, in nanoseconds since
    /// 1970.
    TimeOfDay { time_of_day: usize, form: TimeOfDayForm, day: i64 },
    /// The rows have no time, and the path has the day: its midnight, in nanoseconds since 1970.
    Day(i64),
}

/// The notation of a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOfDayForm {
    /// As text: `9:30`, `09:30:00.5`, `093000`.
    Text,
    /// As this many digits: 4 for hours and minutes, 6 with seconds, more with fractions of a second. Leading
    /// zeros may be missing.
    Digits(usize),
    /// As a count since midnight.
    Counted(MidnightUnit),
}

/// The columns of the symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolColumns {
    pub name: usize,
    /// The column of a suffix. The symbol is then `NAME.SUFFIX`.
    pub suffix: Option<usize>,
}

/// The columns of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Each row is a bar.
    Bars { open: Option<usize>, high: Option<usize>, low: Option<usize>, close: usize, volume: Option<usize> },
    /// A row with a price is a trade. A row with a bid or an ask is a quote. A row with both becomes two
    /// events.
    Ticks {
        price: Option<usize>,
        size: Option<usize>,
        bid: Option<usize>,
        bid_size: Option<usize>,
        ask: Option<usize>,
        ask_size: Option<usize>,
    },
}

impl Entry {
    /// Returns whether a path matches the pattern of this entry.
    fn is_of(&self, path: &str) -> bool {
        if self.path.is_empty() {
            return true;
        }
        let pattern = globset::GlobBuilder::new(self.path).case_insensitive(true).build();
        let name = if self.path.contains('/') { path } else { path.rsplit('/').next().unwrap_or(path) };
        pattern.expect("the table has only patterns").compile_matcher().is_match(name)
    }
}

impl Values {
    /// Returns the kind of rows, e.g. `bars`.
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
    /// Returns the roles that have a column, with their columns.
    pub fn uses(&self) -> impl Iterator<Item = (Role, usize)> {
        let time = match self.time {
            TimeColumns::One(column) => [(Role::Time, Some(column)), (Role::TimeOfDay, None)],
            TimeColumns::Two { date, time_of_day, .. } => {
                [(Role::Date, Some(date)), (Role::TimeOfDay, Some(time_of_day))]
            }
            TimeColumns::TimeOfDay { time_of_day, .. } => {
                [(Role::Date, None), (Role::TimeOfDay, Some(time_of_day))]
            }
            TimeColumns::Day(_) => [(Role::Date, None), (Role::TimeOfDay, None)],
        };
        let symbol = self.symbol;
        let symbol = [
            (Role::Symbol, symbol.map(|symbol| symbol.name)),
            (Role::Suffix, symbol.and_then(|symbol| symbol.suffix)),
            (Role::Interval, self.interval.map(|(column, _)| column)),
        ];
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
        let all = time.into_iter().chain(symbol).chain(values);
        all.filter_map(|(role, column)| Some((role, column?)))
    }

    /// Returns the number of cells to read from a row. If rows have a largest length, one more cell is read,
    /// to detect longer rows.
    pub fn cells(&self) -> usize {
        self.most.map_or(self.width, |most| most + 1).max(self.width)
    }

    /// Returns the number of cells up to the last column of the time.
    pub fn width_of_time(&self) -> usize {
        match self.time {
            TimeColumns::One(column) | TimeColumns::TimeOfDay { time_of_day: column, .. } => column + 1,
            TimeColumns::Two { date, time_of_day, .. } => date.max(time_of_day) + 1,
            TimeColumns::Day(_) => 1,
        }
    }

    /// Returns the number of cells up to the last column of the symbol; 0 if no column has the symbol.
    pub fn width_of_symbol(&self) -> usize {
        self.symbol.map_or(0, |SymbolColumns { name, suffix }| name.max(suffix.unwrap_or(name)) + 1)
    }
}

impl TimeColumns {
    /// Returns the column of the date.
    pub const fn date_column(self) -> Option<usize> {
        match self {
            Self::One(column) | Self::Two { date: column, .. } => Some(column),
            Self::TimeOfDay { .. } | Self::Day(_) => None,
        }
    }

    /// Returns the separate column of the time of day, and its notation.
    pub fn time_of_day(&mut self) -> Option<(usize, &mut TimeOfDayForm)> {
        match self {
            Self::Two { time_of_day, form, .. } | Self::TimeOfDay { time_of_day, form, .. } => {
                Some((*time_of_day, form))
            }
            Self::One(_) | Self::Day(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;

//! Layouts: which column of a file holds what.
//!
//! A layout is recognized by the names in the header or, without a header, by the shape of the columns. The
//! configuration can name a layout, or the column of each role.

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

/// The columns of a file, and how their cells are written.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The name of the entry in the table. Without an entry, the kind of rows.
    pub name: &'static str,
    /// The vendor of the entry.
    pub vendor: Option<&'static str>,
    pub time: TimeColumns,
    /// The order of day, month and year.
    pub date_order: DateOrder,
    pub symbol: Option<SymbolColumns>,
    pub interval: Option<(usize, IntervalRule)>,
    /// A column and its allowed values: rows with another value are filtered out.
    pub only: Option<(usize, &'static [&'static str])>,
    pub values: Values,
    /// Whether the file's name is the symbol followed by the period of the bars.
    pub has_period_in_name: bool,
    pub number_rule: NumberRule,
    pub numbers: Numbers,
    /// The number of cells of a row that are needed.
    pub width: usize,
    /// The least number of cells; a shorter row is rejected.
    pub least: usize,
    /// The largest number of cells; a longer row is rejected, because a value in it was split in two.
    pub most: Option<usize>,
}

/// The columns of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeColumns {
    /// One column has the whole time.
    One(usize),
    /// One column has the date, and one the time of day.
    Two { date: usize, time_of_day: usize, form: TimeOfDayForm },
    /// A column has the time of day, and the path has the day: its midnight in nanoseconds since 1970.
    TimeOfDay { time_of_day: usize, form: TimeOfDayForm, day: i64 },
    /// The path has the day, and there is no time of day.
    Day(i64),
}

/// The way in which a time of day is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOfDayForm {
    /// As text: `9:30`, `09:30:00.5`, `093000`.
    Text,
    /// In this many digits, of which leading zeros may be missing: 4 for hours and minutes, 6 with seconds, more with
    /// fractions of a second.
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
    /// A row with a price is a trade, and a row with a bid or an ask is a quote. A row with both becomes two events.
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
    /// Returns whether files of this layout can have this path.
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

    /// Returns how many cells of a row are split: the needed ones, and one more to see that a row is too long.
    pub fn cells(&self) -> usize {
        self.most.map_or(self.width, |most| most + 1).max(self.width)
    }

    /// Returns how many cells of a row are needed for its time.
    pub fn width_of_time(&self) -> usize {
        match self.time {
            TimeColumns::One(column) | TimeColumns::TimeOfDay { time_of_day: column, .. } => column + 1,
            TimeColumns::Two { date, time_of_day, .. } => date.max(time_of_day) + 1,
            TimeColumns::Day(_) => 1,
        }
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

    /// Returns the column of a time of day that is apart from the date, and the way in which it is written.
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

//! Layouts: which column of a file holds what, told by its header, or by the shape of its columns.
//!
//! What a file does not say can be given: a layout by its name, or each column by its own.

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

/// Where a row of a file has what, and how it is written.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The name of its entry in the table; of no entry, what its rows are.
    pub name: &'static str,
    /// Whose files its entry is for.
    pub vendor: Option<&'static str>,
    pub time: TimeColumns,
    /// Which numbers of day, month and year come first.
    pub date_order: DateOrder,
    pub symbol: Option<SymbolColumns>,
    pub interval: Option<(usize, IntervalRule)>,
    /// A column, and what has to stand in it for a row to be used.
    pub only: Option<(usize, &'static [&'static str])>,
    pub values: Values,
    /// Whether the file's name is the symbol with a period behind it.
    pub has_period_in_name: bool,
    pub number_rule: NumberRule,
    pub numbers: Numbers,
    /// So many cells of a row are looked at.
    pub width: usize,
    /// So many cells a row has at least, or it cannot be used.
    pub least: usize,
    /// So many it has at the most: in a longer one, a value has been cut in two.
    pub most: Option<usize>,
}

/// Where the time stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeColumns {
    /// In one column.
    One(usize),
    /// Date and clock in two.
    Two { date: usize, time_of_day: usize, form: TimeOfDayForm },
    /// The clock in a column, the day in the file's name: its midnight in nanoseconds since 1970.
    TimeOfDay { time_of_day: usize, form: TimeOfDayForm, day: i64 },
    /// The day in the file's name, and no clock.
    Day(i64),
}

/// How a time of day is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOfDayForm {
    /// As it stands: `9:30`, `09:30:00.5`, `093000`.
    Text,
    /// In so many digits, of which zeros in front may be lost: 4 for hours and minutes, 6 with seconds, more with parts of them.
    Digits(usize),
    /// As a count since midnight.
    Counted(MidnightUnit),
}

/// Where the symbol stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolColumns {
    pub name: usize,
    /// What follows it behind a point, where there is something.
    pub suffix: Option<usize>,
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

impl Entry {
    /// Whether a path is one that files of this layout have.
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
    /// What the rows are.
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
    /// Which columns are used as what.
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

    /// So many cells of a row are cut: those that are used, and one too many.
    pub fn cells(&self) -> usize {
        self.most.map_or(self.width, |most| most + 1).max(self.width)
    }

    /// So many cells of a row are looked at for its time.
    pub fn width_of_time(&self) -> usize {
        match self.time {
            TimeColumns::One(column) | TimeColumns::TimeOfDay { time_of_day: column, .. } => column + 1,
            TimeColumns::Two { date, time_of_day, .. } => date.max(time_of_day) + 1,
            TimeColumns::Day(_) => 1,
        }
    }
}

impl TimeColumns {
    /// The column that has the date.
    pub const fn date_column(self) -> Option<usize> {
        match self {
            Self::One(column) | Self::Two { date: column, .. } => Some(column),
            Self::TimeOfDay { .. } | Self::Day(_) => None,
        }
    }

    /// The column of the clock, where it stands alone, and how it is written.
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

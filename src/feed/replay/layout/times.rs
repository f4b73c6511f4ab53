//! Reads the time of a row from its cells.

use super::super::cells::Cells;
use super::super::reason::{Reason, RejectedRow};
use super::super::time::{self, DateOrder, Stamp};
use super::{TimeColumns, TimeOfDayForm};

/// The columns of a row's time, and the notation of their cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub columns: TimeColumns,
    /// The column with the milliseconds to add to the time.
    pub millis: Option<usize>,
    /// The order of day, month and year in dates.
    pub date_order: DateOrder,
}

impl Times {
    /// Returns the time of a row, with the milliseconds of their own column, if there is one. If the text in
    /// the time columns is not a time, returns a [`RejectedRow`] with this text.
    pub fn stamp(&self, row: &Cells<'_>) -> Result<Stamp, RejectedRow> {
        let stamp = self.columns.read(row, self.date_order)?;
        let Some(column) = self.millis else { return Ok(stamp) };
        let cell = row.get(column).unwrap_or_default();
        time::millis(cell)
            .and_then(|nanos| stamp.later(nanos))
            .ok_or_else(|| RejectedRow::new(Reason::BadTime, cell))
    }

    /// Returns the [`RejectedRow`] for a row whose time cannot be read. It contains the unreadable text.
    pub fn bad(&self, row: &Cells<'_>) -> RejectedRow {
        self.columns.bad(row)
    }

    /// Returns how many cells of a row must be read to include all columns of the time.
    pub fn width(&self) -> usize {
        let width = match self.columns {
            TimeColumns::One(column) | TimeColumns::TimeOfDay { time_of_day: column, .. } => column + 1,
            TimeColumns::Two { date, time_of_day, .. } => date.max(time_of_day) + 1,
            TimeColumns::Day(_) => 1,
        };
        self.millis.map_or(width, |millis| width.max(millis + 1))
    }
}

impl TimeColumns {
    /// Returns the index of the column that has the date; `None` if no column has the date.
    pub const fn date_column(self) -> Option<usize> {
        match self {
            Self::One(column) | Self::Two { date: column, .. } => Some(column),
            Self::TimeOfDay { .. } | Self::Day(_) => None,
        }
    }

    /// Returns the index of the column that has only the time of day, and the notation of its cells; `None`
    /// if there is no such column.
    pub const fn time_of_day(self) -> Option<(usize, TimeOfDayForm)> {
        match self {
            Self::Two { time_of_day, form, .. } | Self::TimeOfDay { time_of_day, form, .. } => {
                Some((time_of_day, form))
            }
            Self::One(_) | Self::Day(_) => None,
        }
    }

    /// Returns the same columns with another notation of the times of day.
    pub const fn with_form(self, form: TimeOfDayForm) -> Self {
        match self {
            Self::Two { date, time_of_day, .. } => Self::Two { date, time_of_day, form },
            Self::TimeOfDay { time_of_day, day, .. } => Self::TimeOfDay { time_of_day, form, day },
            Self::One(_) | Self::Day(_) => self,
        }
    }

    fn read(self, row: &Cells<'_>, order: DateOrder) -> Result<Stamp, RejectedRow> {
        let cell = |column: usize| {
            row.get(column).ok_or(RejectedRow { reason: Reason::Ragged, found: String::new() })
        };
        let stamp = match self {
            Self::One(column) => time::stamp(cell(column)?, order),
            Self::Two { date, time_of_day, form } => {
                let (date, time_of_day) = (cell(date)?, cell(time_of_day)?);
                match form {
                    TimeOfDayForm::Text => time::stamp_of_two(date, time_of_day, order),
                    form => time::date(date, order).and_then(|day| form.read(time_of_day, day)),
                }
            }
            Self::TimeOfDay { time_of_day, form, day } => {
                let cell = cell(time_of_day)?;
                form.read(cell, day)
            }
            Self::Day(day) => Some(Stamp::Local(day)),
        };
        stamp.ok_or_else(|| self.bad(row))
    }

    fn bad(self, row: &Cells<'_>) -> RejectedRow {
        let cell = |column: usize| row.get(column).unwrap_or_default();
        match self {
            Self::One(column) | Self::TimeOfDay { time_of_day: column, .. } => {
                RejectedRow::new(Reason::BadTime, cell(column))
            }
            Self::Two { date, time_of_day, .. } => {
                RejectedRow::new(Reason::BadTime, &[cell(date), cell(time_of_day)].join(&b' '))
            }
            Self::Day(_) => RejectedRow::new(Reason::BadTime, b""),
        }
    }
}

impl TimeOfDayForm {
    /// Parses the time of day in a cell, and adds it to a day. `day` is the midnight at which this day
    /// begins, in nanoseconds since 1970.
    fn read(self, cell: &[u8], day: i64) -> Option<Stamp> {
        let nanos = match self {
            Self::Text => time::time_of_day(cell)?,
            Self::Counted(unit) => time::since_midnight(cell, unit)?,
            Self::Digits(count) => time::time_of_day_of_digits(cell, count)?,
        };
        day.checked_add(nanos).map(Stamp::Local)
    }
}

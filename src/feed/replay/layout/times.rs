//! Reads the time of a row from its cells.

use std::str;

use super::super::cells::Cells;
use super::super::reason::{Reason, RejectedRow};
use super::super::time::{self, DateOrder, Stamp};
use super::{TimeColumns, TimeOfDayForm, TimeParts};
use crate::market::Time;

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// A day in nanoseconds.
const DAY: i64 = 86_400 * SECOND;

/// The columns of a row's time, and the notation of their cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub columns: TimeColumns,
    /// The column with the milliseconds to add to the time.
    pub millis: Option<usize>,
    /// The column with the zone of the time, or its offset from UTC.
    pub zone: Option<usize>,
    /// The order of day, month and year in dates.
    pub date_order: DateOrder,
    /// Times of day from this one on are of the evening before the date, in nanoseconds since midnight. `None`
    /// means that all are of the date itself.
    pub evening: Option<i64>,
}

impl Times {
    /// Returns the time of a row, with the milliseconds of their own column, if there is one. If the text in
    /// the time columns is not a time, returns a [`RejectedRow`] with this text.
    pub fn stamp(&self, row: &Cells<'_>) -> Result<Stamp, RejectedRow> {
        if self.evening.is_none() && self.millis.is_none() && self.zone.is_none() {
            return self.columns.read(row, self.date_order);
        }
        let mut stamp = self.columns.read(row, self.date_order)?;
        if self.evening.is_some_and(|evening| stamp.nanos().rem_euclid(DAY) >= evening) {
            stamp = stamp.later(-DAY).ok_or_else(|| self.bad(row))?;
        }
        if let Some(column) = self.millis {
            let cell = row.get(column).unwrap_or_default();
            let later = time::millis(cell).and_then(|nanos| stamp.later(nanos));
            stamp = later.ok_or_else(|| RejectedRow::new(Reason::BadTime, cell))?;
        }
        match (self.zone, stamp) {
            (Some(_), Stamp::Local(nanos)) if !self.zone_name(row).is_empty() => {
                match time::offset(self.zone_name(row)) {
                    Some(offset) => {
                        stamp.later(-offset * SECOND).map(|utc| Stamp::Utc(Time::from_nanos(utc.nanos())))
                    }
                    None => Some(Stamp::Named(nanos)),
                }
                .ok_or_else(|| self.bad(row))
            }
            _ => Ok(stamp),
        }
    }

    /// Returns the name of the zone in a row: the text in the column for the zone, or the last word of the
    /// time.
    pub fn zone_name<'a>(&self, row: &Cells<'a>) -> &'a [u8] {
        let column = self.zone.or(match self.columns {
            TimeColumns::One(column)
            | TimeColumns::Two { time_of_day: column, .. }
            | TimeColumns::TimeOfDay { time_of_day: column, .. } => Some(column),
            TimeColumns::Parts(parts) => parts.time_of_day,
            TimeColumns::Day(_) => None,
        });
        let cell = column.and_then(|column| row.get(column)).unwrap_or_default().trim_ascii();
        cell.rsplit(|byte| *byte == b' ').next().unwrap_or_default()
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
            TimeColumns::Parts(parts) => parts.columns().max().map_or(0, |last| last + 1),
            TimeColumns::Day(_) => 1,
        };
        [self.millis, self.zone].into_iter().flatten().fold(width, |width, column| width.max(column + 1))
    }
}

impl TimeColumns {
    /// Returns the index of the column that has the date; `None` if no column has the date.
    pub const fn date_column(self) -> Option<usize> {
        match self {
            Self::One(column) | Self::Two { date: column, .. } => Some(column),
            Self::TimeOfDay { .. } | Self::Parts(_) | Self::Day(_) => None,
        }
    }

    /// Returns the index of the column that has only the time of day, and the notation of its cells; `None`
    /// if there is no such column.
    pub const fn time_of_day(self) -> Option<(usize, TimeOfDayForm)> {
        match self {
            Self::Two { time_of_day, form, .. } | Self::TimeOfDay { time_of_day, form, .. } => {
                Some((time_of_day, form))
            }
            Self::One(_) | Self::Parts(_) | Self::Day(_) => None,
        }
    }

    /// Returns the same columns with another notation of the times of day.
    pub const fn with_form(self, form: TimeOfDayForm) -> Self {
        match self {
            Self::Two { date, time_of_day, .. } => Self::Two { date, time_of_day, form },
            Self::TimeOfDay { time_of_day, day, .. } => Self::TimeOfDay { time_of_day, form, day },
            Self::One(_) | Self::Parts(_) | Self::Day(_) => self,
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
            Self::Parts(parts) => parts.read(row),
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
            Self::Parts(parts) => {
                let cells: Vec<&[u8]> = parts.columns().map(cell).collect();
                RejectedRow::new(Reason::BadTime, &cells.join(&b' '))
            }
            Self::Day(_) => RejectedRow::new(Reason::BadTime, b""),
        }
    }
}

impl TimeParts {
    /// Returns the indices of all columns.
    pub fn columns(self) -> impl Iterator<Item = usize> {
        self.date.into_iter().chain(self.of_day.into_iter().flatten()).chain(self.time_of_day)
    }

    fn read(self, row: &Cells<'_>) -> Option<Stamp> {
        let number = |column: usize| {
            let cell = row.get(column)?.trim_ascii();
            let whole = cell.strip_suffix(b".0").unwrap_or(cell);
            str::from_utf8(whole).ok()?.parse::<u32>().ok().filter(|number| *number < 10_000)
        };
        let [year, month, day] = self.date;
        let named_month = || {
            time::month_in_any_language(row.get(month)?.trim_ascii())
                .and_then(|month| u32::try_from(month).ok())
        };
        let (year, month, day) = (number(year), number(month).or_else(named_month), number(day));
        let [hour, minute, second] = self.of_day.map(|column| column.map_or(Some(0), number));
        let date = format!("{:04}-{:02}-{:02}", year?, month?, day?);
        if let Some(column) = self.time_of_day {
            return time::stamp_of_two(date.as_bytes(), row.get(column)?, DateOrder::Ymd);
        }
        let of_day = format!("{:02}:{:02}:{:02}", hour?, minute?, second?);
        time::stamp_of_two(date.as_bytes(), of_day.as_bytes(), DateOrder::Ymd)
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

//! Where the time of a file stands, as its first rows show it.

use super::columns::Columns;
use super::role::Role;
use super::{ClockForm, Lacks, Record, TimeColumns};
use crate::feed::replay::time::{self, DateOrder, Stamp};
use crate::market::Time;

/// What is known of a file's times beside its columns.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The names in its header.
    pub names: &'a [String],
    /// The day that its path names.
    pub day: Option<i64>,
    /// Whether that day is all that there is of a time.
    pub is_of_one_day: bool,
}

/// Where the time stands.
///
/// # Errors
///
/// There is no column for it, the day is not known, or what is called a clock is none.
pub fn find(columns: &Columns, rows: &[Record], around: Around<'_>) -> Result<TimeColumns, Option<Lacks>> {
    let any = |column: usize, is: fn(&[u8]) -> bool| cells(rows, column).any(is);
    let stamp = columns.get(Role::Time);
    // Digits may be a count since 1970 or a clock with parts of a second: of which day they are tells.
    if let (None, Some(day), Some(clock)) =
        (columns.get(Role::Date), around.day, stamp.or(columns.get(Role::Clock)))
        && any(clock, is_clock)
        && !cells(rows, clock).any(|cell| is_of_day(cell, day))
    {
        let form = columns.unit.map_or(ClockForm::Text, ClockForm::Counted);
        return Ok(TimeColumns::Clock { clock, form, day });
    }
    if let Some(column) = stamp.filter(|column| rows.is_empty() || any(*column, is_stamp)) {
        return Ok(TimeColumns::One(column));
    }
    // What is called a timestamp may be a clock beside a date.
    let clock = columns.get(Role::Clock).or(stamp).or_else(|| clock_by_another_name(rows, around.names));
    let clock = clock.or_else(|| columns.get(Role::Date).and_then(|date| clock_by_its_cells(rows, date)));
    let form = columns.unit.map_or(ClockForm::Text, ClockForm::Counted);
    match (columns.get(Role::Date), clock) {
        (Some(date), Some(clock)) => of_two(rows, date, clock, form),
        (Some(date), None) => Ok(TimeColumns::One(date)),
        (None, Some(clock)) => {
            let is_time_of_day = columns.unit.is_some() || !any(clock, is_stamp) && any(clock, is_clock);
            match (is_time_of_day, around.day) {
                (false, _) => Ok(TimeColumns::One(clock)),
                (true, Some(day)) => Ok(TimeColumns::Clock { clock, form, day }),
                (true, None) => Err(Some(Lacks::Day)),
            }
        }
        // Whatever it is called: of yfinance, the first name is that of all columns.
        (None, None) if any(0, is_stamp) => Ok(TimeColumns::One(0)),
        (None, None) if any(0, |cell| cell.contains(&b':') && is_clock(cell)) => {
            let of_day = |day| TimeColumns::Clock { clock: 0, form: ClockForm::Text, day };
            around.day.map(of_day).ok_or(Some(Lacks::Day))
        }
        (None, None) => around.day.filter(|_| around.is_of_one_day).map(TimeColumns::Day).ok_or(None),
    }
}

/// Whether the columns say the time of a row.
pub fn has_time(columns: &Columns, row: &Record) -> bool {
    let cell = |role| columns.get(role).and_then(|column| row.get(column));
    match (cell(Role::Time).or(cell(Role::Date)), cell(Role::Clock)) {
        (Some(date), _) => is_stamp(date),
        (None, Some(clock)) => match columns.unit {
            Some(unit) => time::since_midnight(clock, unit).is_some(),
            None => is_stamp(clock) || is_clock(clock),
        },
        (None, None) => false,
    }
}

/// The halves of a time, or the one of two columns that says all of it.
fn of_two(rows: &[Record], date: usize, clock: usize, form: ClockForm) -> Result<TimeColumns, Option<Lacks>> {
    let two = TimeColumns::Two { date, clock, form };
    let is_only_date =
        |cell: &[u8]| [DateOrder::Mdy, DateOrder::Dmy].iter().any(|order| time::date(cell, *order).is_some());
    if rows.is_empty() || matches!(form, ClockForm::Counted(_)) {
        return Ok(two);
    }
    if !cells(rows, date).any(is_only_date) || cells(rows, clock).all(|cell| cell.trim_ascii().is_empty()) {
        return Ok(TimeColumns::One(date));
    }
    // A count from 1970 beside a date says more than the date. It is of that very day; digits of a clock are of another.
    let is_whole = |row: &Record| {
        let (Some(date), Some(clock)) = (row.get(date), row.get(clock)) else { return false };
        let days = [DateOrder::Mdy, DateOrder::Dmy].map(|order| time::date(date, order));
        days.into_iter().flatten().any(|day| is_of_day(clock, day))
    };
    if rows.iter().any(is_whole) {
        return Ok(TimeColumns::One(clock));
    }
    if cells(rows, clock).any(is_clock) { Ok(two) } else { Err(Some(Lacks::Clock(clock))) }
}

/// A column beside a date whose name begins like that of a clock, as `Time (ET)`, and that holds some.
fn clock_by_another_name(rows: &[Record], names: &[String]) -> Option<usize> {
    let is_named =
        |name: &String| ["time", "uhr", "zeit", "hour"].iter().any(|start| name.starts_with(start));
    let holds_some = |column: &usize| cells(rows, *column).any(|cell| is_clock(cell) || is_number(cell));
    (0..names.len()).filter(|column| is_named(&names[*column])).find(holds_some)
}

/// A column beside a date that holds nothing but clocks with colons, whatever it is called.
fn clock_by_its_cells(rows: &[Record], date: usize) -> Option<usize> {
    let is_one = |cell: &[u8]| cell.trim_ascii().is_empty() || cell.contains(&b':') && is_clock(cell);
    let width = rows.first().map_or(0, Vec::len);
    let holds_some = |column: usize| cells(rows, column).any(|cell| !cell.trim_ascii().is_empty());
    (0..width).find(|column| *column != date && holds_some(*column) && cells(rows, *column).all(is_one))
}

fn cells(rows: &[Record], column: usize) -> impl Iterator<Item = &[u8]> {
    rows.iter().filter_map(move |row| row.get(column)).map(Vec::as_slice)
}

fn is_stamp(cell: &[u8]) -> bool {
    time::stamp(cell, DateOrder::Mdy).or(time::stamp(cell, DateOrder::Dmy)).is_some()
}

/// Whether a cell is a time that lies on a day, given by its midnight, or on one beside it in another zone.
fn is_of_day(cell: &[u8], midnight: i64) -> bool {
    let day = |nanos| Time::from_nanos(nanos).day();
    let of_cell = match time::stamp(cell, DateOrder::Mdy) {
        Some(Stamp::Utc(time)) => time.day(),
        Some(Stamp::Local(nanos)) => day(nanos),
        None => return false,
    };
    (of_cell - day(midnight)).abs() <= 1
}

fn is_clock(cell: &[u8]) -> bool {
    time::clock(cell).is_some()
}

fn is_number(cell: &[u8]) -> bool {
    !cell.is_empty() && cell.iter().all(u8::is_ascii_digit)
}

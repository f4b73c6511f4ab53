//! Finds the columns that hold the times of a file, from the first rows of the file.

use super::columns::Columns;
use super::role::Role;
use super::{LayoutError, Record, TimeColumns, TimeOfDayForm, TimeParts};
use crate::feed::replay::time::{self, DateOrder, MidnightUnit, Stamp};
use crate::market::Time;

/// Further arguments of the function [`find`], besides the columns and the rows.
#[derive(Clone, Copy, Debug)]
pub struct TimeContext<'a> {
    /// The column names in the header of the file.
    pub names: &'a [String],
    /// The day in the path of the file, given as the midnight at which the day begins, in nanoseconds since
    /// 1970.
    pub day: Option<i64>,
    /// Whether the rows have no time, so that the day in the path is the time of every row.
    pub is_of_one_day: bool,
}

/// Finds the columns that hold the time of each row.
///
/// # Errors
///
/// Returns an error if the rows have only times of day, and the path has no day. Returns an error if a file
/// has dates in one column, but no times of day in the column for times of day. The error `None` means that
/// no column of the file holds times.
pub fn find(
    columns: &Columns,
    rows: &[Record],
    context: TimeContext<'_>,
) -> Result<TimeColumns, Option<LayoutError>> {
    let any = |column: usize, is: fn(&[u8]) -> bool| cells(rows, column).any(is);
    let has_no_other_date = |parts: &TimeParts| {
        let [_, _, day] = parts.date;
        columns.get(Role::Date).is_none_or(|date| date == day)
            && ![Role::Time, Role::TimeOfDay]
                .iter()
                .any(|role| columns.get(*role).is_some_and(|time| any(time, is_stamp)))
    };
    if let Some(parts) = parts(context.names).filter(has_no_other_date) {
        let has_colons = |column: usize| {
            cells(rows, column).all(|cell| cell.contains(&b':') && time::time_of_day(cell).is_some())
        };
        // A time of day of its own, or a second without its minute, would be lost.
        return match (columns.get(Role::TimeOfDay), parts.of_day) {
            (Some(time_of_day), [None, None, None]) if has_colons(time_of_day) => {
                Ok(TimeColumns::Parts(TimeParts { time_of_day: Some(time_of_day), ..parts }))
            }
            (Some(lost), _) | (None, [_, None, Some(lost)] | [None, Some(lost), _]) => {
                Err(Some(LayoutError::NoTimeOfDay(lost)))
            }
            (None, _) => Ok(TimeColumns::Parts(parts)),
        };
    }
    let stamp = columns.get(Role::Time);
    // Digits may be a Unix time, or a time of day with fractions of a second. Only a Unix time is near the
    // day in the path.
    if let (None, Some(day), Some(time_of_day)) =
        (columns.get(Role::Date), context.day, stamp.or(columns.get(Role::TimeOfDay)))
        && any(time_of_day, is_time_of_day)
        && !cells(rows, time_of_day).any(|cell| is_of_day(cell, day))
    {
        let form = form(columns, rows, Some(time_of_day), context);
        return Ok(TimeColumns::TimeOfDay { time_of_day, form, day });
    }
    if let Some(column) = stamp.filter(|column| rows.is_empty() || any(*column, is_stamp)) {
        return Ok(TimeColumns::One(column));
    }
    // Beside a date column, a column called `timestamp` may hold times of day.
    let time_of_day =
        columns.get(Role::TimeOfDay).or(stamp).or_else(|| time_of_day_by_another_name(rows, context.names));
    let time_of_day =
        time_of_day.or_else(|| columns.get(Role::Date).and_then(|date| time_of_day_by_its_cells(rows, date)));
    let form = form(columns, rows, time_of_day, context);
    match (columns.get(Role::Date), time_of_day) {
        (Some(date), Some(time_of_day)) => of_two(rows, date, time_of_day, form),
        (Some(date), None) => Ok(TimeColumns::One(date)),
        (None, Some(time_of_day)) => {
            let has_no_date =
                columns.unit.is_some() || !any(time_of_day, is_stamp) && any(time_of_day, is_time_of_day);
            match (has_no_date, context.day) {
                (false, _) => Ok(TimeColumns::One(time_of_day)),
                (true, Some(day)) => Ok(TimeColumns::TimeOfDay { time_of_day, form, day }),
                (true, None) => Err(Some(LayoutError::NoDay)),
            }
        }
        // If the first column has times, its name does not matter, unless it is an id: yfinance calls the
        // column `Price`.
        (None, None) if !is_id(context.names) && any(0, is_stamp) && !are_ids(rows) => {
            Ok(TimeColumns::One(time_of_trades(rows, context.names).unwrap_or(0)))
        }
        (None, None) if any(0, |cell| cell.contains(&b':') && is_time_of_day(cell)) => {
            let of_day = |day| TimeColumns::TimeOfDay { time_of_day: 0, form: TimeOfDayForm::Text, day };
            context.day.map(of_day).ok_or(Some(LayoutError::NoDay))
        }
        (None, None) => context.day.filter(|_| context.is_of_one_day).map(TimeColumns::Day).ok_or(None),
    }
}

/// Returns the notation of the times of day. In a file without a header, numbers with a leading zero are digits.
fn form(
    columns: &Columns,
    rows: &[Record],
    column: Option<usize>,
    context: TimeContext<'_>,
) -> TimeOfDayForm {
    let is_digits = |cell: &[u8]| cell.len() >= 4 && cell[0] == b'0' && is_number(cell);
    let has_digits = || column.is_some_and(|column| cells(rows, column).any(is_digits));
    match columns.unit {
        Some(unit) if !(context.names.is_empty() && has_digits()) => TimeOfDayForm::Counted(unit),
        _ => TimeOfDayForm::Text,
    }
}

/// Returns whether a row has a readable time in the columns that are meant for times.
pub fn has_time(columns: &Columns, row: &Record) -> bool {
    let cell = |role| columns.get(role).and_then(|column| row.get(column));
    match (cell(Role::Time).or(cell(Role::Date)), cell(Role::TimeOfDay)) {
        (Some(date), _) => is_stamp(date),
        (None, Some(time_of_day)) => match columns.unit {
            Some(unit) => time::since_midnight(time_of_day, unit).is_some(),
            None => is_stamp(time_of_day) || is_time_of_day(time_of_day),
        },
        (None, None) => false,
    }
}

/// Returns the columns of the parts of a time, if the header has a year, a month and a day.
fn parts(names: &[String]) -> Option<TimeParts> {
    let of = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
    let date = [of(&["year", "yyyy", "yr"])?, of(&["month", "mm", "mon"])?, of(&["day", "dd"])?];
    let hour = of(&["hour", "hours", "hh", "hr"]);
    // Behind the hour, `MM` is the minute.
    let behind_hour = |hour| names.iter().skip(hour).position(|name| name == "mm").map(|index| hour + index);
    let minute = of(&["minute", "minutes", "mins", "mi", "mn", "nn"])
        .or_else(|| hour.and_then(behind_hour))
        .or_else(|| of(&["min"]));
    let second = of(&["second", "seconds", "secs", "sec", "ss"]);
    Some(TimeParts { date, of_day: [hour, minute, second], time_of_day: None })
}

/// Finds the time columns of a file that has a date column and a time-of-day column. If one column has the
/// complete time, returns only that column.
fn of_two(
    rows: &[Record],
    date: usize,
    time_of_day: usize,
    form: TimeOfDayForm,
) -> Result<TimeColumns, Option<LayoutError>> {
    let two = TimeColumns::Two { date, time_of_day, form };
    let is_only_date =
        |cell: &[u8]| [DateOrder::Mdy, DateOrder::Dmy].iter().any(|order| time::date(cell, *order).is_some());
    if rows.is_empty() || matches!(form, TimeOfDayForm::Counted(_)) {
        return Ok(two);
    }
    if !cells(rows, date).any(is_only_date)
        || cells(rows, time_of_day).all(|cell| cell.trim_ascii().is_empty())
    {
        return Ok(TimeColumns::One(date));
    }
    // A Unix time beside a date is more exact than the date. A Unix time is near the day of the date. Digits
    // of a time of day, parsed as a Unix time, are far from that day.
    let is_whole = |row: &Record| {
        let (Some(date), Some(time_of_day)) = (row.get(date), row.get(time_of_day)) else { return false };
        let days = [DateOrder::Mdy, DateOrder::Dmy].map(|order| time::date(date, order));
        days.into_iter().flatten().any(|day| is_of_day(time_of_day, day))
    };
    if rows.iter().any(is_whole) {
        return Ok(TimeColumns::One(time_of_day));
    }
    if cells(rows, time_of_day).any(is_time_of_day) {
        Ok(two)
    } else {
        Err(Some(LayoutError::NoTimeOfDay(time_of_day)))
    }
}

/// Returns the first column with a name such as `Time (ET)` that holds times of day or plain numbers.
fn time_of_day_by_another_name(rows: &[Record], names: &[String]) -> Option<usize> {
    let is_named =
        |name: &String| ["time", "uhr", "zeit", "hour"].iter().any(|start| name.starts_with(start));
    let holds_some =
        |column: &usize| cells(rows, *column).any(|cell| is_time_of_day(cell) || is_number(cell));
    (0..names.len()).filter(|column| is_named(&names[*column])).find(holds_some)
}

/// Returns the first column, apart from the date column, whose non-empty cells are all times of day with
/// colons.
fn time_of_day_by_its_cells(rows: &[Record], date: usize) -> Option<usize> {
    let is_one = |cell: &[u8]| cell.trim_ascii().is_empty() || cell.contains(&b':') && is_time_of_day(cell);
    let width = rows.first().map_or(0, Vec::len);
    let holds_some = |column: usize| cells(rows, column).any(|cell| !cell.trim_ascii().is_empty());
    (0..width).find(|column| *column != date && holds_some(*column) && cells(rows, *column).all(is_one))
}

/// Returns the first column of times whose name means that trades took place at them, rather than that they were ordered
/// or reported.
fn time_of_trades(rows: &[Record], names: &[String]) -> Option<usize> {
    let is_of_trades = |name: &String| {
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        has(&["trade", "exec", "fill", "transact", "deal"]) && has(&["time", "date", "ts"])
    };
    let are_times = |column: &usize| cells(rows, *column).all(is_stamp) && !rows.is_empty();
    (0..names.len()).filter(|column| is_of_trades(&names[*column])).find(are_times)
}

/// Returns whether the first column has numbers, and another column has times that are no numbers.
fn are_ids(rows: &[Record]) -> bool {
    let is_time = |cell: &[u8]| !is_number(cell.trim_ascii()) && is_stamp(cell);
    let width = rows.first().map_or(0, Vec::len);
    cells(rows, 0).all(|cell| is_number(cell.trim_ascii()))
        && (1..width).any(|column| cells(rows, column).all(is_time))
}

/// Returns whether the first column is named after ids, which may look like Unix times.
fn is_id(names: &[String]) -> bool {
    names.first().is_some_and(|name| name.ends_with("id"))
}

fn cells(rows: &[Record], column: usize) -> impl Iterator<Item = &[u8]> {
    rows.iter().filter_map(move |row| row.get(column)).map(Vec::as_slice)
}

fn is_stamp(cell: &[u8]) -> bool {
    time::stamp(cell, DateOrder::Mdy).or(time::stamp(cell, DateOrder::Dmy)).is_some()
}

/// Returns whether a cell is a time on the day that begins at `midnight`. A time on the day before or the day
/// after is accepted too, because the cell may be in another time zone.
fn is_of_day(cell: &[u8], midnight: i64) -> bool {
    let day = |nanos| Time::from_nanos(nanos).day();
    let of_cell = match time::stamp(cell, DateOrder::Mdy) {
        Some(Stamp::Utc(time)) => time.day(),
        Some(Stamp::Local(nanos) | Stamp::Named(nanos)) => day(nanos),
        None => return false,
    };
    (of_cell - day(midnight)).abs() <= 1
}

/// Returns whether a cell is a time of day, or may count a unit of time since midnight.
fn is_time_of_day(cell: &[u8]) -> bool {
    time::time_of_day(cell).is_some() || is_count(cell)
}

/// Returns whether a cell is a whole number of at least three digits that may count a unit of time since midnight.
fn is_count(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    let unit = match cell.len() {
        3..=4 => MidnightUnit::Minutes,
        5..=6 => MidnightUnit::Seconds,
        7..=9 => MidnightUnit::Milliseconds,
        10..=12 => MidnightUnit::Microseconds,
        13..=15 => MidnightUnit::Nanoseconds,
        _ => return false,
    };
    is_number(cell) && time::since_midnight(cell, unit).is_some()
}

fn is_number(cell: &[u8]) -> bool {
    !cell.is_empty() && cell.iter().all(u8::is_ascii_digit)
}

//! Parses the times in a file.
//!
//! A cell holds either a moment in UTC or a local time. A local time is converted to UTC with the time zone
//! of the file. Cells are parsed byte by byte for speed, because every row has a time.

mod date;
mod date_order;
mod digits;
mod month;
mod notation;
mod stamp;
#[cfg(test)]
mod tests;
mod time_of_day;
mod unix_time;

use crate::market::Time;
use digits::{digits, number, part_of};
use stamp::SECOND;

pub use date_order::DateOrder;
pub use month::{month, month_in_any_language};
pub use notation::{DigitNotation, MidnightUnit};
pub use stamp::Stamp;
pub use time_of_day::offset;

const DAY: i64 = 86_400 * SECOND;

/// Parses a cell as a time. Returns `None` if the cell is not a time from 1677 to 2262.
///
/// - A date without a time of day means the midnight at which the day begins. A [time of day](time_of_day())
///   may follow the date, as in `2024-01-03T14:30:00.123456789`, `20240103 143000065`, `1/3/2024, 2:30 PM` or
///   `3 Jan 2024 14:30`. Digits below a nanosecond are dropped.
/// - `Z`, `UTC`, `GMT` or an offset may follow the time of day. The name of a time zone after the offset is
///   ignored. Without an offset, the name of a zone may follow (`US/Eastern`).
/// - Date and time of day may form one number of 10, 12, 14, 17, 20 or 23 digits, such as `2024010314` or
///   `20240103143000065`. Ten digits are a date and an hour if they begin with a year from 1970 to 2099. If
///   these ten digits were Unix seconds, they would mean a time in the years 2032 to 2036, in the future.
/// - A number with another count of digits is a Unix time in seconds, milliseconds, microseconds or
///   nanoseconds. The magnitude of a Unix time tells its unit. A Unix time may have decimals and an exponent.
/// - The whole part of a Unix time has at least nine digits, or at least six digits if it is negative. A
///   number with fewer digits may be a time of day, a date without separators, or the number of a day in a
///   spreadsheet.
/// - A Unix time with an exponent must have at least eight digits before the exponent. A number with fewer
///   digits was probably rounded: spreadsheets turn a time into `1.70429E+12`.
/// - A number of eighteen digits must be a count of .NET's ticks for a local time from 1970 to 2099. The
///   other counts with eighteen digits are nanoseconds before September 2001 and Windows' FILETIME. They do
///   not occur in market data. <https://learn.microsoft.com/dotnet/api/system.datetime.ticks>
pub fn stamp(cell: &[u8], order: DateOrder) -> Option<Stamp> {
    let cell = cell.trim_ascii();
    // For speed, the most common form is recognized without counting digits.
    let is_year = matches!(cell, [_, _, _, _, b'-' | b'/' | b'.', ..]);
    match if is_year { 4 } else { digits(cell) } {
        10 | 12 | 14 | 17 | 20 | 23 => match in_one_number(cell) {
            Some((day, of_day, after)) => at(day, of_day, after),
            None => unix_time::stamp(cell),
        },
        9.. => unix_time::stamp(cell),
        _ => date_and_time_of_day(cell, order).or_else(|| unix_time::stamp(cell)),
    }
}

/// Parses a number as a Unix time in seconds, milliseconds, microseconds or nanoseconds. Accepts the same
/// Unix times as [`stamp()`], but no counts of .NET's ticks.
pub fn unix_time(number: &str) -> Option<Time> {
    match unix_time::stamp(number.as_bytes())? {
        Stamp::Utc(time) => Some(time),
        Stamp::Local(_) | Stamp::Named(_) => None,
    }
}

/// Parses a time from two cells, a date and a time of day. An offset from UTC may follow the time of day.
pub fn stamp_of_two(date: &[u8], time_of_day: &[u8], order: DateOrder) -> Option<Stamp> {
    let midnight = self::date(date, order)?;
    let (of_day, after) = time_of_day_leading(time_of_day.trim_ascii())?;
    at(midnight / DAY, of_day, after)
}

/// Parses a date. Returns the local midnight of the date, in nanoseconds since 1970. If the cell also has a
/// time of day, this time must be midnight.
pub fn date(cell: &[u8], order: DateOrder) -> Option<i64> {
    match date_and_time_of_day(cell.trim_ascii(), order)? {
        Stamp::Local(nanos) if nanos % DAY == 0 => Some(nanos),
        _ => None,
    }
}

/// Parses a time of day such as `9:30`, `09:30:00.5` or `9:30:00 PM`. Returns the time of day in nanoseconds
/// since midnight. The time `24:00` means the midnight at the end of the day.
///
/// In a cell without colons, three or four digits are hours and minutes, as in `930`. In such a cell, five or
/// six digits are hours, minutes and seconds, as in `93000`. Digits of milliseconds, microseconds or
/// nanoseconds may follow the seconds. A cell of only zeros means midnight.
pub fn time_of_day(cell: &[u8]) -> Option<i64> {
    match time_of_day_leading(cell.trim_ascii())? {
        (of_day, []) => Some(of_day),
        _ => None,
    }
}

/// Parses a time of day that is written as `count` digits. Leading zeros may be missing: if `count` is six,
/// `1500` means 00:15:00. A fraction of a second may follow the digits.
pub fn time_of_day_of_digits(cell: &[u8], count: usize) -> Option<i64> {
    let cell = cell.trim_ascii();
    let lost = count.checked_sub(digits(cell))?;
    let mut whole = [b'0'; 32];
    let end = lost + cell.len();
    whole.get_mut(lost..end)?.copy_from_slice(cell);
    time_of_day(&whole[..end])
}

/// Parses a count of minutes, seconds or smaller units since midnight. Returns the count in nanoseconds; `None`
/// if the count exceeds a day. Digits below a nanosecond are dropped.
pub fn since_midnight(cell: &[u8], unit: MidnightUnit) -> Option<i64> {
    let cell = cell.trim_ascii();
    let unit = unit.nanos();
    let (whole, after) = cell.split_at(digits(cell));
    let fraction = match after {
        [] => after,
        [b'.', fraction @ ..] if digits(fraction) == fraction.len() => fraction,
        _ => return None,
    };
    // A day has 86,400,000,000,000 nanoseconds, a number of 14 digits.
    if !(1..=14).contains(&whole.len()) {
        return None;
    }
    let nanos = number(whole).checked_mul(unit)?.checked_add(part_of(unit, fraction))?;
    (nanos <= DAY).then_some(nanos)
}

/// Parses the milliseconds of a second, a number from 0 to 999. Returns the milliseconds in nanoseconds.
pub fn millis(cell: &[u8]) -> Option<i64> {
    let cell = cell.trim_ascii();
    let is_valid = (1..=3).contains(&cell.len()) && digits(cell) == cell.len();
    is_valid.then(|| number(cell) * (SECOND / 1000))
}

/// Returns the orders of day, month and year in which a cell is a valid date.
///
/// The date `13/01/2024` allows only the order with the day first. The date `01/02/2024` allows the orders
/// with the month first and the day first. The date `24-01-31` allows the orders with the day first and the
/// year first. A date that begins with a four-digit year, or has a month's name, allows all orders. A cell
/// that is not a date allows no order.
pub fn orders(cell: &[u8]) -> impl Iterator<Item = DateOrder> + use<> {
    let date = date::leading(cell.trim_ascii()).map(|(date, _)| date);
    [DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd]
        .into_iter()
        .filter(move |order| date.is_some_and(|date| date.is_in(*order)))
}

/// The orders of day, month and year that all dates seen so far allow.
#[derive(Clone, Debug)]
pub struct OrdersLeft(Vec<DateOrder>);

impl Default for OrdersLeft {
    fn default() -> Self {
        Self(vec![DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd])
    }
}

impl OrdersLeft {
    /// Returns whether all dates seen so far allow this order.
    pub fn has(&self, order: DateOrder) -> bool {
        self.0.contains(&order)
    }

    /// Removes the orders that the date in a cell does not allow. Returns the remaining order if only one
    /// order remains. A cell that would remove all remaining orders is ignored.
    pub fn observe(&mut self, cell: &[u8]) -> Option<DateOrder> {
        let orders: Vec<DateOrder> = orders(cell).filter(|order| self.0.contains(order)).collect();
        if !orders.is_empty() {
            self.0 = orders;
        }
        match self.0[..] {
            [order] => Some(order),
            _ => None,
        }
    }
}

/// Returns the usual order of day, month and year for dates that are written like the date in a cell. The
/// usual order is needed for files whose dates prove no order.
///
/// The usual order never begins with a two-digit year, although [`orders`] may allow an order with the year
/// first.
pub fn order_usual(cell: &[u8]) -> Option<DateOrder> {
    let (date, _) = date::leading(cell.trim_ascii())?;
    Some(date.order_usual())
}

fn date_and_time_of_day(cell: &[u8], order: DateOrder) -> Option<Stamp> {
    let (date, after) = date::leading(cell)?;
    let day = date.day(order)?;
    let text = match after {
        [] => return at(day, 0, after),
        [b'T' | b't' | b'D' | b'_' | b':' | b';', text @ ..] => text,
        // FIX, UTCTimestamp: `20240103-14:30:00`. <https://www.fixtrading.org/standards/tagvalue-online/>
        [b'-', text @ ..] if digits(cell) == 8 => text,
        [b',' | b' ' | b'\t', text @ ..] => text.trim_ascii_start(),
        _ => return None,
    };
    let (of_day, after) = time_of_day::leading(text)?;
    at(day, of_day, after)
}

/// Parses one number of ten digits or more that consists of a date and a time of day. Returns the day, the
/// time of day, and the text after the number.
fn in_one_number(cell: &[u8]) -> Option<(i64, i64, &[u8])> {
    // Twelve digits that begin with 19 or 20 are a date. As Unix milliseconds, these digits would mean a time
    // in 1976.
    if !matches!(cell, [b'1', b'9', ..] | [b'2', b'0', ..]) {
        return None;
    }
    let (date, _) = date::leading(&cell[..8])?;
    let day = date.day(DateOrder::Ymd).filter(|day| *day >= 0 || digits(cell) > 10)?;
    let (of_day, after) = time_of_day::leading(&cell[8..])?;
    Some((day, of_day, after))
}

/// Combines a day and a time of day into one time. `after` is the text after the time of day: an offset, or
/// nothing.
fn at(day: i64, of_day: i64, after: &[u8]) -> Option<Stamp> {
    // 128 bits are needed, because midnight of the earliest day does not fit into 64 bits.
    let nanos = |offset: i64| {
        i64::try_from(i128::from(day) * i128::from(DAY) + i128::from(of_day - offset * SECOND)).ok()
    };
    if after.is_empty() {
        return nanos(0).map(Stamp::Local);
    }
    match time_of_day::offset(after) {
        Some(offset) => nanos(offset).map(|nanos| Stamp::Utc(Time::from_nanos(nanos))),
        None if matches!(after, [b' ', name @ ..] if is_zone_name(name)) => nanos(0).map(Stamp::Named),
        None => None,
    }
}

/// Returns whether a text may be the name of a time zone, such as `US/Eastern` or `EST`.
fn is_zone_name(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(byte);
    (2..=40).contains(&text.len()) && text[0].is_ascii_alphabetic() && text.iter().all(is_part)
}

fn time_of_day_leading(text: &[u8]) -> Option<(i64, &[u8])> {
    let (of_day, after) = time_of_day::leading(text)?;
    // One or two digits could be hours or seconds. So only zero is accepted, which is midnight either way.
    let is_short = digits(text) == text.len() && text.len() < 3;
    (!is_short || of_day == 0).then_some((of_day, after))
}

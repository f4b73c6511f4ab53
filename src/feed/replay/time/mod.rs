//! Times as files write them.
//!
//! A cell says a moment of UTC, or one on the file's own clock, which a zone puts into place. It is read byte by
//! byte: a file has a time in every row.

mod date;
mod date_order;
mod digits;
mod month;
mod stamp;
#[cfg(test)]
mod tests;
mod time_of_day;
mod unix_time;

use crate::market::Time;
use digits::{digits, number, part_of};
use stamp::SECOND;

pub use date_order::DateOrder;
pub use stamp::Stamp;
pub use time_of_day::offset;

const DAY: i64 = 86_400 * SECOND;

/// What a number counts since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MidnightUnit {
    Seconds,
    Milliseconds,
}

/// The moment that a cell stands for; `None` where it stands for none from 1677 to 2262.
///
/// - A date, whose midnight it is, or a date and a [`clock`], as in `2024-01-03T14:30:00.123456789`,
///   `20240103 143000065`, `1/3/2024, 2:30 PM`, `3. Jan 2024 14:30`. Digits past the nanosecond go.
/// - Behind the clock `Z`, `UTC`, `GMT` or an offset; a zone or an abbreviation counts for nothing and stands
///   behind an offset only.
/// - The same in one number of 8, 10, 12, 14 or 17 digits: `2024010314`, `20240103143000065`. Ten are a date and its
///   hour from 1970 to 2099 only; as seconds they would be of 2032 to 2036, which no market has seen.
/// - A number of other lengths counts from 1970: seconds, milliseconds, microseconds or nanoseconds, as its own
///   magnitude tells, with decimals and an exponent. Below nine digits (negative: six) it is rather a clock, a date
///   without its signs or a spreadsheet's day, and stands for nothing; so does one with an exponent that has fewer
///   than eight digits itself, since it was rounded: spreadsheets make `1.70429E+12` of a time.
/// - Eighteen digits are .NET's ticks of 1970 to 2099, on the file's own clock, or else nothing: nanoseconds before
///   September 2001 and Windows' FILETIME are no times of markets.
///   <https://learn.microsoft.com/dotnet/api/system.datetime.ticks>
pub fn stamp(cell: &[u8], order: DateOrder) -> Option<Stamp> {
    let cell = cell.trim_ascii();
    // The form that most files have need not be counted.
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

/// The moment that a date and the clock in another cell stand for; an offset may follow the clock.
pub fn stamp_of_two(date: &[u8], time_of_day: &[u8], order: DateOrder) -> Option<Stamp> {
    let midnight = self::date(date, order)?;
    let (of_day, after) = time_of_day_leading(time_of_day.trim_ascii())?;
    at(midnight / DAY, of_day, after)
}

/// The midnight of a date, local, in nanoseconds since 1970; its clock, if it has one, says midnight.
pub fn date(cell: &[u8], order: DateOrder) -> Option<i64> {
    match date_and_time_of_day(cell.trim_ascii(), order)? {
        Stamp::Local(nanos) if nanos % DAY == 0 => Some(nanos),
        _ => None,
    }
}

/// A clock in nanoseconds since midnight: `9:30`, `09:30:00.5`, `9:30:00 PM`; `24:00` is the next midnight.
///
/// Without colons, its last two digits are minutes if it has three or four, and seconds if it has five or six, as
/// in `930` and `93000`; behind them the digits of milliseconds, microseconds or nanoseconds may follow. Zeros alone
/// are midnight.
pub fn time_of_day(cell: &[u8]) -> Option<i64> {
    match time_of_day_leading(cell.trim_ascii())? {
        (of_day, []) => Some(of_day),
        _ => None,
    }
}

/// A clock of so many digits, of which zeros in front may be lost: `1500` of six is a quarter past midnight. Decimals of
/// the second may follow.
pub fn time_of_day_of_digits(cell: &[u8], count: usize) -> Option<i64> {
    let cell = cell.trim_ascii();
    let lost = count.checked_sub(digits(cell))?;
    let mut whole = [b'0'; 32];
    let end = lost + cell.len();
    whole.get_mut(lost..end)?.copy_from_slice(cell);
    time_of_day(&whole[..end])
}

/// What a number counts since midnight, in nanoseconds, at most a day; digits past the nanosecond go.
pub fn since_midnight(cell: &[u8], unit: MidnightUnit) -> Option<i64> {
    let cell = cell.trim_ascii();
    let unit = match unit {
        MidnightUnit::Seconds => SECOND,
        MidnightUnit::Milliseconds => SECOND / 1000,
    };
    let (whole, after) = cell.split_at(digits(cell));
    let fraction = match after {
        [] => after,
        [b'.', fraction @ ..] if digits(fraction) == fraction.len() => fraction,
        _ => return None,
    };
    // No day has more digits of milliseconds.
    if !(1..=8).contains(&whole.len()) {
        return None;
    }
    let nanos = number(whole) * unit + part_of(unit, fraction);
    (nanos <= DAY).then_some(nanos)
}

/// The orders in which a cell's date is one; those of a file are what the orders of all its dates have in common.
///
/// `13/01/2024` is a date with the day first, `01/02/2024` with the month or the day first, and `24-01-31` with the day
/// or the year first. One with four digits of a year in front or with a month's name is a date in any order; what is
/// no date is one in none.
pub fn orders(cell: &[u8]) -> impl Iterator<Item = DateOrder> + use<> {
    let date = date::leading(cell.trim_ascii()).map(|(date, _)| date);
    [DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd]
        .into_iter()
        .filter(move |order| date.is_some_and(|date| date.is_in(*order)))
}

/// What the dates of a file leave of the orders that they can have.
#[derive(Clone, Debug)]
pub struct OrdersLeft(Vec<DateOrder>);

impl Default for OrdersLeft {
    fn default() -> Self {
        Self(vec![DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd])
    }
}

impl OrdersLeft {
    /// Whether this order is left.
    pub fn has(&self, order: DateOrder) -> bool {
        self.0.contains(&order)
    }

    /// Takes in a cell, and returns the order as soon as there is only one. What contradicts all before it counts for nothing.
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

/// The order that a cell's date usually has, for files that prove none: day first with points, else month first.
///
/// Whether three numbers of two digits may have the year first, [`orders`] says.
pub fn order_usual(cell: &[u8]) -> Option<DateOrder> {
    let (date, _) = date::leading(cell.trim_ascii())?;
    Some(date.order_usual())
}

fn date_and_time_of_day(cell: &[u8], order: DateOrder) -> Option<Stamp> {
    let (date, after) = date::leading(cell)?;
    let day = date.day(order)?;
    let text = match after {
        [] => return at(day, 0, after),
        [b'T' | b't' | b'D' | b'_' | b':', text @ ..] => text,
        // FIX, UTCTimestamp, <https://www.fixtrading.org/standards/tagvalue-online/>: `20240103-14:30:00`.
        [b'-', text @ ..] if digits(cell) == 8 => text,
        [b',' | b' ' | b'\t', text @ ..] => text.trim_ascii_start(),
        _ => return None,
    };
    let (of_day, after) = time_of_day::leading(text)?;
    at(day, of_day, after)
}

/// `2024010314` and longer: the day, the clock, and what stands behind it.
fn in_one_number(cell: &[u8]) -> Option<(i64, i64, &[u8])> {
    // Milliseconds since 1970 in twelve digits begin so in parts of 1976 only.
    if !matches!(cell, [b'1', b'9', ..] | [b'2', b'0', ..]) {
        return None;
    }
    let (date, _) = date::leading(&cell[..8])?;
    let day = date.day(DateOrder::Ymd).filter(|day| *day >= 0 || digits(cell) > 10)?;
    let (of_day, after) = time_of_day::leading(&cell[8..])?;
    Some((day, of_day, after))
}

/// The moment of a clock on a day; `after` is what stands behind the clock.
fn at(day: i64, of_day: i64, after: &[u8]) -> Option<Stamp> {
    // The first and the last day of the range begin or end outside of it.
    let nanos = |offset: i64| {
        i64::try_from(i128::from(day) * i128::from(DAY) + i128::from(of_day - offset * SECOND)).ok()
    };
    if after.is_empty() {
        return nanos(0).map(Stamp::Local);
    }
    nanos(time_of_day::offset(after)?).map(|nanos| Stamp::Utc(Time::from_nanos(nanos)))
}

fn time_of_day_leading(text: &[u8]) -> Option<(i64, &[u8])> {
    let (of_day, after) = time_of_day::leading(text)?;
    // An hour alone is as well the seconds of midnight's first minute.
    let is_short = digits(text) == text.len() && text.len() < 3;
    (!is_short || of_day == 0).then_some((of_day, after))
}

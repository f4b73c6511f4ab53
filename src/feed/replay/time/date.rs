//! Parses the date at the beginning of a text.

use super::date_order::DateOrder;
use super::digits::{digits, number};
use super::month::{is_weekday, month_in_any_language};

/// The years whose times, counted in nanoseconds since 1970, fit into 64 bits.
const YEARS: std::ops::RangeInclusive<i64> = 1677..=2262;

/// The characters that follow the year, the month and the day in a date: first in Korean, then in Chinese and
/// Japanese.
const IDEOGRAPHS: [[&str; 3]; 2] = [["년", "월", "일"], ["年", "月", "日"]];

/// A parsed date whose order of day, month and year may still be unknown.
#[derive(Clone, Copy, Debug)]
pub enum Date {
    /// Year, month and day of a date that begins with a four-digit year.
    YearFirst([i64; 3]),
    /// Year, month and day of a date with a month's name.
    Named([i64; 3]),
    /// The three numbers of a date that ends with the year. If the last number has only two digits, the first
    /// number may be the year instead.
    YearLast { numbers: [i64; 3], two_digits: bool, points: bool },
}

impl Date {
    /// Returns the number of days since 1970-01-01; `None` if the date does not exist or its year is not in
    /// [`YEARS`].
    #[inline]
    pub fn day(self, order: DateOrder) -> Option<i64> {
        let [year, month, day] = match self {
            Self::YearFirst(date) | Self::Named(date) => date,
            Self::YearLast { numbers: [a, b, c], two_digits: true, .. } => match order {
                DateOrder::Mdy => [century(c), a, b],
                DateOrder::Dmy => [century(c), b, a],
                DateOrder::Ymd => [century(a), b, c],
            },
            Self::YearLast { numbers: [a, b, year], .. } => match order {
                DateOrder::Mdy => [year, a, b],
                DateOrder::Dmy => [year, b, a],
                DateOrder::Ymd => return self.day(self.order_usual()),
            },
        };
        days_since_1970(year, month, day)
    }

    /// Returns the order of day, month and year that is usual for the notation of this date.
    pub fn order_usual(self) -> DateOrder {
        match self {
            Self::YearFirst(_) | Self::Named(_) => DateOrder::Ymd,
            Self::YearLast { points: true, .. } => DateOrder::Dmy,
            Self::YearLast { .. } => DateOrder::Mdy,
        }
    }

    /// Returns whether the numbers form a valid date in a given order of day, month and year.
    pub fn is_in(self, order: DateOrder) -> bool {
        let ends_with_year = matches!(self, Self::YearLast { two_digits: false, .. });
        !(ends_with_year && order == DateOrder::Ymd) && self.day(order).is_some()
    }
}

/// Parses the date at the beginning of a text. Returns the date, and the text after the date.
#[inline]
pub fn leading(text: &[u8]) -> Option<(Date, &[u8])> {
    if let [y1, y2, y3, y4, sign, m1, m2, again, d1, d2, after @ ..] = text
        && sign == again
        && is_sign(*sign)
        && let (Some(month), Some(day)) = (two(*m1, *m2), two(*d1, *d2))
    {
        let year = 100 * two(*y1, *y2)? + two(*y3, *y4)?;
        return Some((Date::YearFirst([year, month, day]), after));
    }
    other(text)
}

/// Parses a date in one of the less common notations that [`leading`] accepts.
fn other(text: &[u8]) -> Option<(Date, &[u8])> {
    match digits(text) {
        8 => {
            let (date, after) = (number(&text[..8]), &text[8..]);
            Some((Date::YearFirst([date / 10_000, date / 100 % 100, date % 100]), after))
        }
        4 => year_first(number(&text[..4]), &text[4..]),
        len @ (1 | 2) => day_or_month_first(number(&text[..len]), &text[len..]),
        0 => month_name_first(text),
        _ => None,
    }
}

/// Parses the rest of a date after its four-digit year, in notations such as `2024/1/3`, `2024- 01- 03`,
/// `2024-Jan-03` and `2024년 1월 3일`.
fn year_first(year: i64, text: &[u8]) -> Option<(Date, &[u8])> {
    for [of_year, of_month, of_day] in IDEOGRAPHS {
        if let Some(text) = text.strip_prefix(of_year.as_bytes()) {
            let (month, text) = one_or_two_digits(text.trim_ascii_start())?;
            let (day, text) = one_or_two_digits(text.strip_prefix(of_month.as_bytes())?.trim_ascii_start())?;
            return Some((Date::YearFirst([year, month, day]), text.strip_prefix(of_day.as_bytes())?));
        }
    }
    if let [sign, after @ ..] = text
        && is_sign(*sign)
        && let Some((month, [again, after @ ..])) = one_or_two_digits(after.trim_ascii_start())
    {
        let (day, after) = one_or_two_digits(after.trim_ascii_start())?;
        return (again == sign).then_some((Date::YearFirst([year, month, day]), after));
    }
    let (month, text) = month_name(between(text))?;
    let (day, after) = one_or_two_digits(between(text))?;
    Some((Date::Named([year, month, day]), after))
}

/// Parses the rest of a date after its first number, in notations such as `1/3/2024`, `03.01.24`,
/// `3-Jan-2024` and `3 Januar 2024`.
fn day_or_month_first(first: i64, text: &[u8]) -> Option<(Date, &[u8])> {
    if let [sign, after @ ..] = text
        && is_sign(*sign)
        && let Some((second, [again, after @ ..])) = one_or_two_digits(after)
    {
        let len = digits(after);
        let date = Date::YearLast {
            numbers: [first, second, number(&after[..len])],
            two_digits: len == 2,
            points: *sign == b'.',
        };
        return (again == sign && matches!(len, 2 | 4)).then_some((date, &after[len..]));
    }
    let (month, text) = month_name(between(text))?;
    let after = between(text);
    let year = &after[..digits(after)];
    // After a blank, two digits may be an hour instead of a year.
    let blank = text.first().is_some_and(u8::is_ascii_whitespace);
    let year = match year.len() {
        4 => number(year),
        2 if !blank => century(number(year)),
        _ => return None,
    };
    Some((Date::Named([year, month, first]), &after[digits(after)..]))
}

/// Parses a date that begins with a month or a weekday, such as `January 3, 2024`, `Wed, 03 Jan 2024` or
/// `Wed Jan 03 2024`.
fn month_name_first(text: &[u8]) -> Option<(Date, &[u8])> {
    let name = word(text);
    let text = if is_weekday(name) { between(&text[name.len()..]) } else { text };
    if let Some((day, after)) = one_or_two_digits(text) {
        return day_or_month_first(day, after).filter(|(date, _)| matches!(date, Date::Named(_)));
    }
    let (month, text) = month_name(text)?;
    let (day, text) = one_or_two_digits(between(text))?;
    let text = between(text);
    (digits(text) == 4).then(|| (Date::Named([number(&text[..4]), month, day]), &text[4..]))
}

fn month_name(text: &[u8]) -> Option<(i64, &[u8])> {
    let name = word(text);
    month_in_any_language(name).map(|month| (month, &text[name.len()..]))
}

/// Returns the letters at the beginning of a text, including non-ASCII letters.
fn word(text: &[u8]) -> &[u8] {
    let len = text.iter().take_while(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
    &text[..len]
}

/// Skips the blanks and signs that separate the name of a month from the rest of a date, and the word between both in
/// Spanish and Portuguese: `3 de enero de 2024`.
fn between(text: &[u8]) -> &[u8] {
    let signs = text.iter().take_while(|byte| matches!(byte, b' ' | b'-' | b'/' | b'.' | b','));
    let text = &text[signs.count()..];
    text.strip_prefix(b"de ").unwrap_or(text)
}

fn is_sign(byte: u8) -> bool {
    matches!(byte, b'-' | b'/' | b'.')
}

fn one_or_two_digits(text: &[u8]) -> Option<(i64, &[u8])> {
    let len = digits(text);
    matches!(len, 1 | 2).then(|| (number(&text[..len]), &text[len..]))
}

/// Converts two ASCII digits to a number. Returns `None` if one of the bytes is not a digit.
#[inline]
pub fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
}

/// Converts a two-digit year to the year from 1950 to 2049 that ends with the same two digits.
fn century(year: i64) -> i64 {
    if year < 50 { 2000 + year } else { 1900 + year }
}

/// Returns the number of days since 1970-01-01; `None` if the date does not exist or its year is not in
/// [`YEARS`].
#[inline]
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let last = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !YEARS.contains(&year) || !(1..=last).contains(&day) {
        return None;
    }
    // The year is shifted to begin in March. So the leap day is its last day, and months have 30.6 days on
    // average. <https://howardhinnant.github.io/date_algorithms.html>
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    Some(year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469)
}

#[cfg(test)]
mod tests {
    use super::DateOrder::{Dmy, Mdy, Ymd};
    use super::*;
    use crate::feed::replay::time::{OrdersLeft, date, order_usual, orders};
    use crate::market::Time;

    fn day(cell: &str, order: DateOrder) -> String {
        let text = |nanos| Time::from_nanos(nanos).to_string();
        date(cell.as_bytes(), order).map_or("none".to_owned(), |nanos| text(nanos).replace("T00:00:00Z", ""))
    }

    #[test]
    fn dates_are_read_in_the_order_of_their_numbers() {
        for (cell, order, date) in [
            ("2024-01-03", Dmy, "2024-01-03"),
            ("2024/1/3", Mdy, "2024-01-03"),
            ("2024.01.03", Dmy, "2024-01-03"),
            ("03.01.2024", Dmy, "2024-01-03"),
            ("03.01.2024", Ymd, "2024-01-03"),
            ("03.01.2024", Mdy, "2024-03-01"),
            ("1/3/2024", Mdy, "2024-01-03"),
            ("1/3/2024", Ymd, "2024-01-03"),
            ("1-3-2024", Ymd, "2024-01-03"),
            ("1/3/2024", Dmy, "2024-03-01"),
            ("01/03/24", Mdy, "2024-01-03"),
            ("03.01.24", Dmy, "2024-01-03"),
            ("24-01-03", Ymd, "2024-01-03"),
            ("01/03/50", Mdy, "1950-01-03"),
            ("01/03/49", Mdy, "2049-01-03"),
            ("1/3/2024 12:00:00 AM", Mdy, "2024-01-03"),
            ("2024-01-03 00:00:00", Mdy, "2024-01-03"),
            ("02/29/2024", Mdy, "2024-02-29"),
            ("13/01/2024", Mdy, "none"),
            ("01/13/2024", Dmy, "none"),
            ("01/03.2024", Mdy, "none"),
            ("1/3/024", Mdy, "none"),
            ("1/3/20245", Mdy, "none"),
            ("2024-01-03 14:30", Mdy, "none"),
            ("1704240000", Mdy, "none"),
            ("", Mdy, "none"),
        ] {
            assert_eq!(day(cell, order), date, "{cell} {order:?}");
        }
    }

    #[test]
    fn dates_with_words_are_read() {
        for cell in [
            "3-Jan-2024",
            "03-JAN-24",
            "03JAN2024",
            "03/Jan/2024",
            "3 January 2024",
            "Jan 3 2024",
            "Jan 03, 2024",
            "January 3, 2024",
            "Jan. 3, 2024",
            "Wed Jan 03 2024",
            "Wed, 03 Jan 2024",
            "Wednesday, January 3, 2024",
            "2024-Jan-03",
            "2024- 01- 03",
            "2024. 1. 3",
            "2024년 1월 3일",
            "2024년01월03일",
            "2024年1月3日",
            "3. Jan 2024",
            "3. Januar 2024",
            "3 janv. 2024",
            "3 de enero de 2024",
            "3 января 2024",
            "3 sty 2024",
        ] {
            assert_eq!(day(cell, Ymd), "2024-01-03", "{cell}");
        }
        assert_eq!(day("3. März 2024", Mdy), "2024-03-03");
        assert_eq!(day("3 paź 2024", Mdy), "2024-10-03");
        for cell in
            ["3 Jan 24", "Jan 3 24", "Jan 2024", "3-Foo-2024", "Wed Wed Jan 3 2024", "Wed, 03.01.2024"]
        {
            assert_eq!(day(cell, Mdy), "none", "{cell}");
        }
    }

    #[test]
    fn a_date_may_be_valid_in_several_orders() {
        for (cell, expected) in [
            ("24-01-31", &[Dmy, Ymd][..]),
            ("12-01-24 14:30", &[Mdy, Dmy, Ymd]),
            ("12-31-24", &[Mdy]),
            ("13.01.24", &[Dmy, Ymd]),
            ("01/02/2024", &[Mdy, Dmy]),
            ("13/01/2024", &[Dmy]),
            ("2024-01-31", &[Mdy, Dmy, Ymd]),
            ("3-Jan-2024", &[Mdy, Dmy, Ymd]),
            ("2024-02-30", &[]),
            ("32/13/2024", &[]),
            ("noon", &[]),
        ] {
            assert_eq!(orders(cell.as_bytes()).collect::<Vec<_>>(), expected, "{cell}");
        }
    }

    #[test]
    fn a_date_proves_an_order_if_it_is_valid_in_no_other_order() {
        for (cell, order) in [
            ("13/01/2024", Some(Dmy)),
            ("13.01.70 14:30", Some(Dmy)),
            ("01/13/2024", Some(Mdy)),
            ("1-31-24", Some(Mdy)),
            ("99/12/31", Some(Ymd)),
            ("99-13-12", None),
            ("2024-01-02", None),
            ("20240102 143000", None),
            ("01/02/2024", None),
            ("01/02/03", None),
            ("24-01-02", None),
            ("24-01-31", None),
            ("24/01/31 14:30", None),
            ("13.01.24 14:30", None),
            ("24-02-30", Some(Dmy)),
            ("24-01-32", Some(Dmy)),
            ("24-31-01", None),
            ("3-Jan-2024", None),
            ("32/13/2024", None),
            ("1704292200", None),
            ("189.53", None),
            ("", None),
        ] {
            assert_eq!(OrdersLeft::default().observe(cell.as_bytes()), order, "{cell}");
        }
    }

    #[test]
    fn the_form_of_a_date_tells_its_usual_order() {
        for (cell, order) in [
            ("01/02/03", Some(Mdy)),
            ("1-2-2024 14:30", Some(Mdy)),
            ("01.02.03", Some(Dmy)),
            ("24.01.31", Some(Dmy)),
            ("24-01-31", Some(Mdy)),
            ("24/01/02", Some(Mdy)),
            ("12/01/24", Some(Mdy)),
            ("24/13/01", Some(Mdy)),
            ("13/01/2024", Some(Mdy)),
            ("2024-01-02", Some(Ymd)),
            ("noon", None),
        ] {
            assert_eq!(order_usual(cell.as_bytes()), order, "{cell}");
        }
    }

    #[test]
    fn several_dates_together_may_prove_an_order() {
        let shown = |cells: &[&str]| {
            let mut left = OrdersLeft::default();
            cells.iter().find_map(|cell| left.observe(cell.as_bytes()))
        };

        assert_eq!(shown(&["24-01-31", "12-11-32"]), Some(DateOrder::Dmy));
        assert_eq!(shown(&["24-01-31", "24-02-01"]), None);
        assert_eq!(shown(&["01/02/2024", "13/02/2024"]), Some(DateOrder::Dmy));
        assert_eq!(shown(&["01/02/2024", "", "x", "02/01/2024"]), None);
    }
}

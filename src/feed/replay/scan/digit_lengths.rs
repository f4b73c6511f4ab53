//! The readings of a file's times, for each length that its longest time of day may have.
//!
//! Leading zeros may be missing in times of day in digits: `1500` means 15:00:00 if there are times with six digits, and
//! 00:15:00 if there are times with more. Only all rows together tell how long the longest time of day is.

use super::super::cells::Cells;
use super::super::layout::TimeOfDayForm;
use super::super::reason::RejectedRow;
use super::super::time::Stamp;
use super::reading::Read;
use super::readings::{Known, Readings};
use crate::market::{Symbol, Time};

/// The largest numbers of digits of the notations, from minutes to nanoseconds. Up to two digits are read like texts.
const LENGTHS: [usize; 6] = [2, 4, 6, 9, 12, 15];

/// After this many rows of several days, no longer time of day is expected.
const SETTLED_AFTER: u64 = 4096;

/// A day in nanoseconds.
const DAY: i64 = 86_400 * 1_000_000_000;

/// The readings for each length that is still possible.
pub struct DigitLengths {
    /// The column with the times of day, if they may be digits.
    column: Option<usize>,
    /// The number of digits of the longest time of day so far.
    longest: usize,
    /// The number of rows, and the day of the first one.
    rows: u64,
    first_day: Option<i64>,
    has_several_days: bool,
    /// The least and the greatest time of day of at most four digits, as a number.
    span: Option<(u32, u32)>,
    /// The possible lengths with their readings, the shortest first. So the first one fits all rows so far.
    possible: Vec<(usize, Readings)>,
}

impl DigitLengths {
    pub fn new(known: Known<'_>) -> Self {
        let known = known.with_notation();
        let column = match known.times.columns.time_of_day() {
            Some((column, TimeOfDayForm::Text)) => Some(column),
            _ => None,
        };
        let lengths = if column.is_some() { &LENGTHS[..] } else { &LENGTHS[..1] };
        let possible = lengths.iter().map(|length| (*length, Readings::new(known, *length)));
        Self {
            column,
            longest: 0,
            rows: 0,
            first_day: None,
            has_several_days: false,
            span: None,
            possible: possible.collect(),
        }
    }

    /// Returns how many cells of a row must be read to include all columns of the time.
    pub fn width(&self) -> usize {
        self.shortest().width()
    }

    /// Reads the time of the next row. Returns the time in the likeliest reading, as it is written in the
    /// file.
    pub fn observe(&mut self, row: &Cells<'_>, symbol: &Symbol) -> Result<Stamp, RejectedRow> {
        self.observe_length(row);
        let [(_, shortest), longer @ ..] = &mut self.possible[..] else { unreachable!("there is a length") };
        for (_, readings) in longer.iter_mut() {
            // The row is rejected if no time can be read in the reading that is returned.
            let _ = readings.observe(row, symbol);
        }
        let stamp = shortest.observe(row, symbol)?;
        if !longer.is_empty() {
            self.settle(stamp);
        }
        Ok(stamp)
    }

    /// Drops all but the shortest length after enough rows.
    fn settle(&mut self, stamp: Stamp) {
        self.rows += 1;
        let day = stamp.nanos().div_euclid(DAY);
        self.has_several_days |= *self.first_day.get_or_insert(day) != day;
        if self.has_several_days && self.rows > SETTLED_AFTER {
            self.possible.truncate(1);
        }
    }

    /// Returns the last time in the likeliest reading, in UTC; `None` if no time was read.
    pub fn last_time(&self) -> Option<Time> {
        self.shortest().last_time()
    }

    /// Returns the reading that all rows together make the likeliest.
    pub fn decide(mut self) -> Read {
        let may_be_seconds = self.may_be_seconds();
        let (_, readings) = self.possible.swap_remove(0);
        let read = readings.decide(self.longest);
        let is_digits = matches!(read.times.columns.time_of_day(), Some((_, TimeOfDayForm::Digits(4))));
        let seconds = (is_digits && may_be_seconds).then_some(TimeOfDayForm::Digits(6));
        Read { other_form: seconds.or(read.other_form), ..read }
    }

    /// Returns whether times of at most four digits may be minutes and seconds of the first hour, without the zeros before
    /// them: they are of one day, begin in the first hour, and end before the last one.
    fn may_be_seconds(&self) -> bool {
        let is_part_of_day = self.span.is_some_and(|(least, most)| least < 100 && most < 2300);
        self.possible.len() > 1 && !self.has_several_days && is_part_of_day
    }

    fn shortest(&self) -> &Readings {
        &self.possible[0].1
    }

    /// Drops the lengths that a row rules out.
    fn observe_length(&mut self, row: &Cells<'_>) {
        let Some(cell) = self.column.and_then(|column| row.get(column)) else { return };
        let whole = cell.trim_ascii().split(|byte| *byte == b'.').next().unwrap_or_default();
        if whole.len() <= 4
            && let Some(number) = str::from_utf8(whole).ok().and_then(|text| text.parse().ok())
        {
            let (least, most) = self.span.unwrap_or((number, number));
            self.span = Some((least.min(number), most.max(number)));
        }
        if whole.len() <= self.longest {
            return;
        }
        if !whole.iter().all(u8::is_ascii_digit) {
            if self.longest == 0 {
                // The first time of day is a text, so all are read as texts.
                self.column = None;
                self.possible.truncate(1);
            }
            return;
        }
        // A number of more digits is no time of day.
        if self.possible.iter().any(|(length, _)| whole.len() <= *length) {
            self.longest = whole.len();
            self.possible.retain(|(length, _)| whole.len() <= *length);
        }
        // Where leading zeros are written, all times of day have one length.
        if whole.len() > 2 && whole[0] == b'0' {
            self.possible.truncate(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::super::super::cells::Splitter;
    use super::super::super::extent::TimeRange;
    use super::super::super::layout::{DateOrders, TimeColumns, Times};
    use super::super::super::time::{DateOrder, MidnightUnit};
    use super::super::reading::Order;
    use super::*;

    fn known(columns: TimeColumns) -> Known<'static> {
        static ORDERS: LazyLock<DateOrders> = LazyLock::new(|| DateOrders {
            left: vec![DateOrder::Ymd],
            is_first_likely: false,
            have_points: false,
        });
        Known {
            times: Times { columns, millis: None, zone: None, date_order: DateOrder::Ymd, evening: None },
            date_orders: &ORDERS,
            zone: None,
            notation: None,
            range: TimeRange::default(),
            is_unit_certain: true,
        }
    }

    /// Reads lines of one time of day each.
    fn times_of_day(lines: &[String]) -> Read {
        let columns = TimeColumns::TimeOfDay { time_of_day: 0, form: TimeOfDayForm::Text, day: 0 };
        let (mut lengths, mut splitter) = (DigitLengths::new(known(columns)), Splitter::new(b','));
        for line in lines {
            let _ = lengths.observe(&splitter.split(line.as_bytes(), usize::MAX), &"A".parse().unwrap());
        }
        lengths.decide()
    }

    fn form(lines: &[String]) -> (TimeOfDayForm, bool) {
        let read = times_of_day(lines);
        (read.times.columns.time_of_day().unwrap().1, read.other_form.is_some())
    }

    #[test]
    fn all_times_of_day_tell_digits_and_counts_apart() {
        let of_day = |step: usize, unit: u64| {
            let times = (34_200..57_600_u64).step_by(step).map(|second| second * unit);
            times.map(|time| time.to_string()).collect::<Vec<_>>()
        };
        let digits = |count: u64, after: &str| {
            let seconds = (0..count).map(|minute| (minute / 60, minute % 60));
            seconds.map(|(hour, minute)| format!("{hour}{minute:02}{after}")).collect::<Vec<_>>()
        };
        let counted = |unit| (TimeOfDayForm::Counted(unit), false);

        assert_eq!(form(&of_day(1, 1)), counted(MidnightUnit::Seconds));
        assert_eq!(form(&of_day(7, 1000)), counted(MidnightUnit::Milliseconds));
        assert_eq!(form(&of_day(7, 1_000_000)), counted(MidnightUnit::Microseconds));
        assert_eq!(form(&of_day(7, 1_000_000_000)), counted(MidnightUnit::Nanoseconds));
        let minutes: Vec<_> = (570..960).map(|minute: u64| minute.to_string()).collect();
        assert_eq!(form(&minutes), counted(MidnightUnit::Minutes));
        assert_eq!(form(&digits(1440, "")), (TimeOfDayForm::Digits(4), false));
        assert_eq!(form(&digits(1440, "00")), (TimeOfDayForm::Digits(6), false));
        assert_eq!(form(&digits(500, "15123")), (TimeOfDayForm::Digits(9), false));
    }

    #[test]
    fn few_times_of_day_that_fit_both_are_assumed_to_be_of_the_usual_length() {
        let lines = |first: u64, count: u64, step: u64| {
            (0..count).map(|row| (first + row * step).to_string()).collect::<Vec<_>>()
        };

        assert_eq!(form(&lines(34_200, 20, 1)), (TimeOfDayForm::Digits(6), true));
        assert_eq!(
            form(&lines(34_200_123, 20, 1)),
            (TimeOfDayForm::Counted(MidnightUnit::Milliseconds), true)
        );
        assert_eq!(
            form(&lines(34_200_012, 20, 1)),
            (TimeOfDayForm::Counted(MidnightUnit::Milliseconds), true)
        );
        // In 16 minutes, some of a count's seconds would be above 59.
        assert_eq!(form(&lines(10_000, 16, 100)), (TimeOfDayForm::Digits(6), true));
        assert_eq!(form(&lines(10_000, 17, 100)), (TimeOfDayForm::Digits(6), false));
    }

    #[test]
    fn up_to_one_row_in_a_hundred_may_be_unreadable() {
        let with_bad = |bad: usize, rows: usize| {
            let mut lines: Vec<String> = (0..rows).map(|row| (34_200 + row % 60).to_string()).collect();
            lines[..bad].fill("34277".to_owned());
            form(&lines)
        };

        assert_eq!(with_bad(2, 200).0, TimeOfDayForm::Digits(6));
        assert_eq!(with_bad(2, 199).0, TimeOfDayForm::Counted(MidnightUnit::Seconds));
    }

    #[test]
    fn text_before_digits_makes_all_times_of_day_texts() {
        let lines = ["09:30:00", "93001", ""].map(str::to_owned);

        assert_eq!(form(&lines), (TimeOfDayForm::Text, false));
    }

    #[test]
    fn rows_before_a_longer_time_of_day_are_read_with_its_length() {
        let read = times_of_day(&["0", "100", "1500", "101500"].map(str::to_owned));

        assert_eq!(read.times.columns.time_of_day().unwrap().1, TimeOfDayForm::Digits(6));
        let (first, last) = read.span.unwrap();
        assert_eq!([first, last].map(Time::as_nanos), [0, 36_900_000_000_000]);
        assert_eq!(read.order, Order::Ascending);
    }

    #[test]
    fn after_enough_rows_of_several_days_no_longer_time_of_day_is_expected() {
        let longest_after = |rows: u32, days: i64| {
            let columns = TimeColumns::Two { date: 0, time_of_day: 1, form: TimeOfDayForm::Text };
            let (mut lengths, mut splitter) = (DigitLengths::new(known(columns)), Splitter::new(b','));
            let mut observe = |day: i64, time: &str| {
                let line = format!("2024-01-{:02},{time}", 1 + day);
                let _ = lengths.observe(&splitter.split(line.as_bytes(), usize::MAX), &"A".parse().unwrap());
            };
            for row in 0..rows {
                observe(i64::from(row) * days / i64::from(rows), "93000");
            }
            observe(days, "93000123");
            lengths.decide().times.columns.time_of_day().unwrap().1
        };

        assert_eq!(longest_after(4097, 2), TimeOfDayForm::Digits(6));
        assert_eq!(longest_after(4096, 2), TimeOfDayForm::Counted(MidnightUnit::Milliseconds));
        assert_eq!(longest_after(4097, 1), TimeOfDayForm::Counted(MidnightUnit::Milliseconds));
    }

    #[test]
    fn digits_of_the_first_hours_may_be_minutes_and_seconds() {
        let may_be = |lines: &[&str]| {
            times_of_day(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()).other_form
                == Some(TimeOfDayForm::Digits(6))
        };

        assert!(may_be(&["5", "14", "100", "1630"]));
        assert!(may_be(&["59", "2259"]));
        assert!(!may_be(&["59", "2300"]));
        assert!(may_be(&["0", "130"]));
        assert!(!may_be(&["100", "1630"]));
        assert!(!may_be(&["0005", "1630"]));
        assert!(!may_be(&["5", "14", "101630"]));
    }

    #[test]
    fn where_leading_zeros_are_written_all_times_of_day_have_one_length() {
        let lines: Vec<String> = (0..16).map(|minute| format!("09{minute:02}00")).collect();

        assert_eq!(form(&[&lines[..], &["093000123".to_owned()]].concat()).0, TimeOfDayForm::Digits(6));
        let lines = ["0", "00", "93000", "093000123"].map(str::to_owned);
        assert_eq!(form(&lines).0, TimeOfDayForm::Digits(9));
    }
}

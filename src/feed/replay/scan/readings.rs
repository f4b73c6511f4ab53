//! All readings of a file's times that are still possible: the orders of day and month, and the notations of
//! the times of day, in which the times could be meant. All rows decide which reading is right.

use super::super::cells::Cells;
use super::super::extent::TimeRange;
use super::super::layout::{DateOrders, TimeColumns, TimeOfDayForm, Times};
use super::super::reason::RejectedRow;
use super::super::time::{DigitNotation, MidnightUnit, Stamp};
use super::super::zone::Zone;
use super::reading::{Read, Reading};
use crate::market::{Symbol, Time};

/// A reading is right only if at most one in this many rows has no readable time.
const FAULTS_ONE_IN: u64 = 100;

/// Digits are certainly hours, minutes and seconds if they are valid in at least this many minutes. Of a count
/// since midnight, four in ten would have a number of seconds above 59.
const CERTAIN_MINUTES: u64 = 16;

/// After this many rows, and after each further such number of rows, readings that do not fit are dropped.
const CHECKED_AFTER: u64 = 4096;

/// What is known of the times of a file before all rows are read.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub times: Times,
    pub date_orders: &'a DateOrders,
    /// The configured zone.
    pub zone: Option<&'a Zone>,
    /// The configured notation of times of day in digits.
    pub notation: Option<DigitNotation>,
    /// The time range of the rows that are counted.
    pub range: TimeRange,
    /// Whether the header or the path proves in which unit the times of day are counted.
    pub is_unit_certain: bool,
}

/// All readings that are still possible, the most likely first.
pub struct Readings {
    all: Vec<Reading>,
    /// The column with the times of day, if they may be digits.
    digits: Option<usize>,
    /// The largest number of digits of a time of day for which the readings are made.
    longest: usize,
    is_first_order_likely: bool,
    /// Whether two readings gave different times for a row.
    differ: bool,
    /// The number of rows so far.
    rows: u64,
}

impl Readings {
    /// Creates the readings of a file. `longest` is the number of digits of the longest time of day in the
    /// file, as far as it is known; 0 if it is not known, or if the times of day are no digits.
    pub fn new(known: Known<'_>, longest: usize) -> Self {
        let Known { mut times, date_orders, notation, is_unit_certain, .. } = known;
        if let Some(notation) = notation {
            let form = notation.unit().map_or(TimeOfDayForm::Text, TimeOfDayForm::Counted);
            times.columns = times.columns.with_form(form);
        }
        let time_of_day = times.columns.time_of_day();
        let mut forms = match time_of_day {
            Some((_, TimeOfDayForm::Text)) => forms(longest),
            // Without a header, few rows that count seconds look like rows that count milliseconds.
            Some((_, millis @ TimeOfDayForm::Counted(MidnightUnit::Milliseconds)))
                if notation.is_none() && !is_unit_certain =>
            {
                vec![TimeOfDayForm::Counted(MidnightUnit::Seconds), millis]
            }
            _ => Vec::new(),
        };
        forms.truncate(if notation.is_some() { 1 } else { 2 });
        let with_form = |form| times.columns.with_form(form);
        let mut columns: Vec<TimeColumns> = forms.into_iter().map(with_form).collect();
        if columns.is_empty() {
            columns.push(times.columns);
        }
        let orders = &date_orders.left;
        let all = columns.into_iter().flat_map(|columns| orders.iter().map(move |order| (columns, *order)));
        let all = all.map(|(columns, date_order)| {
            Reading::new(Times { columns, date_order, ..times }, known.zone, known.range)
        });
        Self {
            all: all.collect(),
            digits: time_of_day.filter(|(_, form)| *form == TimeOfDayForm::Text).map(|(column, _)| column),
            longest,
            is_first_order_likely: date_orders.is_first_likely,
            differ: false,
            rows: 0,
        }
    }

    /// Returns how many cells of a row must be read to include all columns of the time.
    pub fn width(&self) -> usize {
        self.all[0].times.width()
    }

    /// Returns the number of digits of a row's time of day, if it is longer than all before. The readings
    /// must then begin again, with this number.
    pub fn longer(&mut self, row: &Cells<'_>) -> Option<usize> {
        let cell = row.get(self.digits?)?.trim_ascii();
        let whole = cell.split(|byte| *byte == b'.').next().unwrap_or_default();
        if cell.is_empty() || whole.len() <= self.longest {
            return None;
        }
        if !whole.is_empty() && whole.iter().all(u8::is_ascii_digit) {
            return Some(whole.len());
        }
        if self.longest == 0 {
            // The first time of day is a text, so all are read as texts.
            self.digits = None;
        }
        None
    }

    /// Reads the time of the next row. Returns the time in the likeliest reading, as it is written in the
    /// file.
    pub fn observe(&mut self, row: &Cells<'_>, symbol: &Symbol) -> Result<Stamp, RejectedRow> {
        self.rows += 1;
        let [first, others @ ..] = &mut self.all[..] else { unreachable!("there is a reading") };
        let stamp = first.observe(row, symbol);
        if others.is_empty() {
            return stamp;
        }
        first.compare(stamp.as_ref().ok().copied());
        let mut likeliest = stamp.as_ref().ok().copied();
        for other in others {
            let stamp = other.observe(row, symbol).ok();
            other.compare(stamp);
            self.differ |= stamp.is_some() && likeliest.is_some() && stamp != likeliest;
            likeliest = likeliest.or(stamp);
        }
        if self.rows.is_multiple_of(CHECKED_AFTER) {
            self.drop_unfit();
        }
        likeliest.map_or(stamp, Ok)
    }

    /// Returns the last time in the likeliest reading, in UTC; `None` if no time was read.
    pub fn last_time(&self) -> Option<Time> {
        self.all[0].last_time()
    }

    /// Drops the readings in which too many rows have no readable time.
    fn drop_unfit(&mut self) {
        let least = self.all.iter().map(|reading| reading.unreadable).min().unwrap_or(0);
        let rows = self.rows;
        self.all.retain(|reading| (reading.unreadable - least) * FAULTS_ONE_IN <= rows);
    }

    /// Returns the reading that all rows together make the likeliest.
    ///
    /// - Hours, minutes and seconds in digits are preferred to a count since midnight, if nearly all rows
    ///   allow them, and a count of seconds to a count of milliseconds.
    /// - Of the orders of day and month, the order that most rows allow is preferred. If all rows allow several
    ///   orders, the dates probably lie close together.
    pub fn decide(mut self) -> Read {
        self.drop_unfit();
        let form = |reading: &Reading| reading.times.columns.time_of_day().map(|(_, form)| form);
        let mut forms: Vec<_> = self.all.iter().map(form).collect();
        forms.dedup();
        let are_certain = self.digits.is_some() && self.all[0].minutes >= CERTAIN_MINUTES;
        // Only before 10 o'clock, a leading zero is missing in digits. So a count is more likely.
        let lacks_a_digit = self.digits.is_some() && matches!(self.longest, 7..=8 | 10..=11 | 13..=14);
        let (chosen, other_form) = match forms[..] {
            [digits, _] if are_certain => (digits, None),
            [digits, count] if lacks_a_digit => (count, digits),
            [likeliest, other] => (likeliest, other),
            _ => (forms[0], None),
        };
        let mut orders: Vec<&Reading> = self.all.iter().filter(|reading| form(reading) == chosen).collect();
        let fewest = orders.iter().map(|reading| reading.unreadable).min();
        orders.retain(|reading| Some(reading.unreadable) == fewest);
        let is_date_order_assumed = orders.len() > 1 && self.differ;
        let closest = orders.iter().copied().min_by_key(|reading| reading.apart);
        let reading = if self.is_first_order_likely { orders[0] } else { closest.unwrap_or(orders[0]) };
        reading.read(is_date_order_assumed, other_form)
    }
}

/// Returns the notations of times of day whose longest one has this many digits. Leading zeros may be missing.
/// Each number of digits may be hours, minutes, seconds and a fraction, or a count since midnight.
fn forms(longest: usize) -> Vec<TimeOfDayForm> {
    let (digits, unit) = match longest {
        3..=4 => (4, MidnightUnit::Minutes),
        5..=6 => (6, MidnightUnit::Seconds),
        7..=9 => (9, MidnightUnit::Milliseconds),
        10..=12 => (12, MidnightUnit::Microseconds),
        13..=15 => (15, MidnightUnit::Nanoseconds),
        _ => return Vec::new(),
    };
    vec![TimeOfDayForm::Digits(digits), TimeOfDayForm::Counted(unit)]
}

#[cfg(test)]
mod tests {
    use super::super::super::cells::Splitter;
    use super::super::super::time::DateOrder;
    use super::*;

    fn times(columns: TimeColumns, date_order: DateOrder) -> Times {
        Times { columns, millis: None, zone: None, date_order, evening: None }
    }

    /// Reads lines of a date and a time of day, or of a complete time.
    fn read(times: Times, orders: &[DateOrder], lines: &[String]) -> Read {
        let date_orders = &DateOrders { left: orders.to_vec(), is_first_likely: false };
        let (mut splitter, symbol) = (Splitter::new(b','), "A".parse().unwrap());
        let mut longest = 0;
        'again: loop {
            let range = TimeRange::default();
            let known =
                Known { times, date_orders, zone: None, notation: None, range, is_unit_certain: true };
            let mut readings = Readings::new(known, longest);
            for line in lines {
                let row = splitter.split(line.as_bytes(), usize::MAX);
                if let Some(digits) = readings.longer(&row) {
                    longest = digits;
                    continue 'again;
                }
                let _ = readings.observe(&row, &symbol);
            }
            return readings.decide();
        }
    }

    fn dates(lines: &[&str]) -> Read {
        let times = times(TimeColumns::One(0), DateOrder::Mdy);
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        read(times, &[DateOrder::Mdy, DateOrder::Dmy], &lines)
    }

    fn times_of_day(lines: &[String]) -> Read {
        let columns = TimeColumns::TimeOfDay { time_of_day: 0, form: TimeOfDayForm::Text, day: 0 };
        read(times(columns, DateOrder::Ymd), &[DateOrder::Ymd], lines)
    }

    fn form(lines: &[String]) -> (TimeOfDayForm, bool) {
        let read = times_of_day(lines);
        (read.times.columns.time_of_day().unwrap().1, read.other_form.is_some())
    }

    #[test]
    fn the_order_in_which_most_dates_are_valid_is_right() {
        let read = dates(&["01/02/2024", "13/02/2024", "14/02/2024", "02/15/2024"]);

        assert_eq!((read.times.date_order, read.is_date_order_assumed), (DateOrder::Dmy, false));
    }

    #[test]
    fn of_ambiguous_dates_those_that_lie_closest_together_are_assumed() {
        for (lines, order, is_assumed) in [
            (&["01/02/2024", "02/02/2024", "05/02/2024"][..], DateOrder::Dmy, true),
            (&["01/02/2024", "01/03/2024", "01/04/2024"], DateOrder::Mdy, true),
            (&["01/02/2024"], DateOrder::Mdy, true),
            (&["01/01/2024", "02/02/2024"], DateOrder::Mdy, false),
        ] {
            let read = dates(lines);

            assert_eq!((read.times.date_order, read.is_date_order_assumed), (order, is_assumed), "{lines:?}");
        }
    }

    #[test]
    fn readings_that_do_not_fit_are_dropped_and_the_others_go_on() {
        let rows = usize::try_from(CHECKED_AFTER).unwrap();
        let mut lines = vec!["2024-01-01"; rows];
        lines.extend(["01/02/2024", "02/02/2024", "03/02/2024"]);
        assert_eq!(dates(&lines).times.date_order, DateOrder::Dmy);

        let mut lines = vec!["01/02/2024"; rows * 99 / 100 - 1];
        lines.resize(rows, "13/02/2024");
        assert_eq!(dates(&lines).times.date_order, DateOrder::Dmy);
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
}

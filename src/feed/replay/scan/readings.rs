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
    is_first_order_likely: bool,
    is_first_order_certain: bool,
    /// Whether two readings gave different times for a row.
    differ: bool,
    /// The number of rows so far.
    rows: u64,
}

impl Known<'_> {
    /// Returns the same with the configured notation of times of day as that of the columns.
    pub fn with_notation(mut self) -> Self {
        if let Some(notation) = self.notation {
            let form = notation.unit().map_or(TimeOfDayForm::Text, TimeOfDayForm::Counted);
            self.times.columns = self.times.columns.with_form(form);
        }
        self
    }
}

impl Readings {
    /// Creates the readings of a file. `longest` is the largest number of digits of a time of day, if the times
    /// of day are digits.
    pub fn new(known: Known<'_>, longest: usize) -> Self {
        let Known { times, date_orders, notation, is_unit_certain, .. } = known;
        let mut forms = match times.columns.time_of_day() {
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
            is_first_order_likely: date_orders.is_first_likely,
            is_first_order_certain: date_orders.have_points,
            differ: false,
            rows: 0,
        }
    }

    /// Returns how many cells of a row must be read to include all columns of the time.
    pub fn width(&self) -> usize {
        self.all[0].times.width()
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
    ///
    /// `longest` is the number of digits of the longest time of day.
    pub fn decide(mut self, longest: usize) -> Read {
        self.drop_unfit();
        let form = |reading: &Reading| reading.times.columns.time_of_day().map(|(_, form)| form);
        let mut forms: Vec<_> = self.all.iter().map(form).collect();
        forms.dedup();
        let are_digits = matches!(forms[0], Some(TimeOfDayForm::Digits(_)));
        let are_certain = are_digits && self.all[0].minutes >= CERTAIN_MINUTES;
        // Only before 10 o'clock, a leading zero is missing in digits. So a count is more likely.
        let lacks_a_digit = are_digits && matches!(longest, 7..=8 | 10..=11 | 13..=14);
        let (chosen, other_form) = match forms[..] {
            [digits, _] if are_certain => (digits, None),
            [digits, count] if lacks_a_digit => (count, digits),
            [likeliest, other] => (likeliest, other),
            _ => (forms[0], None),
        };
        let mut orders: Vec<&Reading> = self.all.iter().filter(|reading| form(reading) == chosen).collect();
        let fewest = orders.iter().map(|reading| reading.unreadable).min();
        orders.retain(|reading| Some(reading.unreadable) == fewest);
        let is_date_order_assumed = orders.len() > 1 && self.differ && !self.is_first_order_certain;
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

    /// Reads lines of one date each.
    fn dates(lines: &[&str]) -> Read {
        let columns = TimeColumns::One(0);
        let known = Known {
            times: Times { columns, millis: None, zone: None, date_order: DateOrder::Mdy, evening: None },
            date_orders: &DateOrders {
                left: vec![DateOrder::Mdy, DateOrder::Dmy],
                is_first_likely: false,
                have_points: false,
            },
            zone: None,
            notation: None,
            range: TimeRange::default(),
            is_unit_certain: true,
        };
        let (mut readings, mut splitter) = (Readings::new(known, 0), Splitter::new(b','));
        for line in lines {
            let _ = readings.observe(&splitter.split(line.as_bytes(), usize::MAX), &"A".parse().unwrap());
        }
        readings.decide(0)
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
}

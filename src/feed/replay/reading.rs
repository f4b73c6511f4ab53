//! The readings of a file's times: the orders of day and month, and the notations of the times of day, in
//! which the times could be meant. All rows decide which reading is right.

use super::cells::Cells;
use super::extent::{Extent, TimeRange};
use super::layout::{DateOrders, TimeColumns, TimeOfDayForm, Times};
use super::reason::RejectedRow;
use super::time::{DigitNotation, MidnightUnit, Stamp};
use super::zone::{Zone, Zones};
use crate::feed::printable::excerpt;
use crate::market::{Symbol, Time};

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// A reading is right only if at most one in this many rows has no readable time.
const FAULTS_ONE_IN: u64 = 100;

/// Digits are certainly hours, minutes and seconds if they are valid in at least this many minutes. Of a count
/// since midnight, four in ten would have a number of seconds above 59.
const CERTAIN_MINUTES: u64 = 16;

/// A session whose first row is at this hour or later may have begun on the evening before its date.
const EARLIEST_EVENING: i64 = 16 * 60 * 60 * SECOND;

/// An hour in nanoseconds.
const HOUR: i64 = 60 * 60 * SECOND;

/// A day in nanoseconds.
const DAY: i64 = 24 * HOUR;

/// After this many rows, and after each further such number of rows, readings that do not fit are dropped.
const CHECKED_AFTER: u64 = 4096;

/// The order of the times in a file, from the first row to the last row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
    Unsorted,
}

impl Order {
    /// Returns the name of the order in logs and in the output of `inspect`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
            Self::Unsorted => "unsorted",
        }
    }
}

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

/// The precision of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// The time is a midnight.
    Day,
    /// The time has a time of day.
    Second,
    /// The time has a fraction of a second.
    Fraction,
}

impl Precision {
    const fn of(nanos: i64) -> Self {
        if nanos % SECOND != 0 {
            Self::Fraction
        } else if nanos % DAY != 0 {
            Self::Second
        } else {
            Self::Day
        }
    }
}

/// All readings that are still possible, the most likely first.
pub struct Readings {
    all: Vec<Reading>,
    /// Readings in which the session of a date begins on the evening before.
    evenings: Vec<Reading>,
    /// The column with the times of day, if they may be digits.
    digits: Option<usize>,
    /// The largest number of digits of a time of day for which the readings are made.
    longest: usize,
    is_first_order_likely: bool,
    zone: Option<Zone>,
    range: TimeRange,
    /// Whether two readings gave different times for a row.
    differ: bool,
    /// The number of rows so far.
    rows: u64,
}

/// One reading of the times of a file.
pub struct Reading {
    pub times: Times,
    /// When clocks go back, an hour of local time occurs twice. The direction of the rows tells the two hours
    /// apart. The direction is not known yet, so both directions are tried: forward and backward.
    runs: [Run; 2],
    readable: u64,
    unreadable: u64,
    /// The sum of the times between each row and the next row.
    apart: u128,
    /// The number of times that a row is in another minute than the row before.
    minutes: u64,
    last: Option<i64>,
    has_local_times: bool,
    precision: Precision,
    /// The first name of a zone that is not known.
    unknown_zone: Option<String>,
}

/// The reading of all rows of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub times: Times,
    pub order: Order,
    /// The earliest and the latest time; `None` if no row has a readable time.
    pub span: Option<(Time, Time)>,
    /// The extent of the rows in the configured time range; `None` if there are no such rows.
    pub extent: Option<Extent>,
    /// Whether at least one time in the file has neither a zone nor an offset from UTC.
    pub has_local_times: bool,
    /// The precision of the most precise time.
    pub precision: Precision,
    /// The zones that rows name.
    pub zone_names: Vec<String>,
    /// A name of a zone that is not known, such as `EST`, which stands for several zones; `None` if all names
    /// of zones are known.
    pub unknown_zone: Option<String>,
    /// The number of rows whose local time occurs twice, because the zone's clocks went back.
    pub repeated: u64,
    /// The number of rows whose local time does not exist, because the zone's clocks went forward.
    pub moved: u64,
    /// Whether another order of day, month and year would give other days, and fits as well.
    pub is_date_order_assumed: bool,
    /// Another notation of the times of day that fits as well; `None` if there is none.
    pub other_form: Option<TimeOfDayForm>,
}

/// One attempt to convert the times of a file to UTC. The attempt assumes one direction: either the rows run
/// forward in time, or they run backward.
#[derive(Clone)]
struct Run {
    zones: Zones,
    range: TimeRange,
    before: Option<Time>,
    span: Option<(Time, Time)>,
    extent: Option<Extent>,
    rises: bool,
    falls: bool,
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
            evenings: Vec::new(),
            digits: time_of_day.filter(|(_, form)| *form == TimeOfDayForm::Text).map(|(column, _)| column),
            longest,
            is_first_order_likely: date_orders.is_first_likely,
            zone: known.zone.cloned(),
            range: known.range,
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
        if self.evenings.is_empty() && self.all.iter().all(|reading| reading.readable == 0) {
            self.add_evenings(row);
        }
        for evening in &mut self.evenings {
            drop(evening.observe(row, symbol));
        }
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

    /// If the first time is in the evening, adds readings in which the evening is the one before the date.
    fn add_evenings(&mut self, row: &Cells<'_>) {
        let evening_of = |times: Times| {
            times.columns.time_of_day()?;
            let of_day = times.stamp(row).ok()?.nanos().rem_euclid(DAY);
            let evening = Some(of_day - of_day % HOUR);
            (of_day >= EARLIEST_EVENING).then_some(Times { evening, ..times })
        };
        let evenings = self.all.iter().filter_map(|reading| evening_of(reading.times));
        self.evenings = evenings.map(|times| Reading::new(times, self.zone.as_ref(), self.range)).collect();
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
    /// - If the times rise only when the session begins on the evening before the date, it begins there.
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
        let evening = self.evenings.iter().find(|evening| {
            Times { evening: None, ..evening.times } == reading.times && evening.order() == Order::Ascending
        });
        let reading = evening.filter(|_| reading.order() == Order::Unsorted).unwrap_or(reading);
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

impl Reading {
    fn new(times: Times, zone: Option<&Zone>, range: TimeRange) -> Self {
        Self {
            times,
            runs: [false, true].map(|is_backwards| Run::new(Zones::new(zone, is_backwards), range)),
            readable: 0,
            unreadable: 0,
            apart: 0,
            minutes: 0,
            last: None,
            has_local_times: false,
            precision: Precision::Day,
            unknown_zone: None,
        }
    }

    fn observe(&mut self, row: &Cells<'_>, symbol: &Symbol) -> Result<Stamp, RejectedRow> {
        let read = self.times.stamp(row).and_then(|stamp| {
            let name = || self.times.zone_name(row);
            let mut runs = self.runs.iter_mut();
            if runs.all(|run| run.observe(stamp, name, symbol).is_some()) {
                return Ok(stamp);
            }
            if matches!(stamp, Stamp::Named(_)) {
                self.unknown_zone.get_or_insert_with(|| excerpt(name()));
            }
            Err(self.times.bad(row))
        });
        let Ok(stamp) = read else {
            self.unreadable += 1;
            return read;
        };
        self.readable += 1;
        self.has_local_times |= matches!(stamp, Stamp::Local(_));
        self.precision = self.precision.max(Precision::of(stamp.nanos()));
        Ok(stamp)
    }

    /// Compares the time of a row with the row before.
    fn compare(&mut self, stamp: Option<Stamp>) {
        let Some(stamp) = stamp else { return };
        let nanos = stamp.nanos();
        let last = self.last.replace(nanos).unwrap_or(nanos);
        self.apart += u128::from(nanos.abs_diff(last));
        self.minutes += u64::from(nanos / (60 * SECOND) != last / (60 * SECOND));
    }

    fn order(&self) -> Order {
        match &self.runs {
            [forward, _] if !forward.falls => Order::Ascending,
            [_, backward] if !backward.rises => Order::Descending,
            _ => Order::Unsorted,
        }
    }

    fn read(&self, is_date_order_assumed: bool, other_form: Option<TimeOfDayForm>) -> Read {
        let order = self.order();
        let [forward, backward] = &self.runs;
        let run = if order == Order::Descending { backward } else { forward };
        Read {
            times: self.times,
            order,
            span: run.span,
            extent: run.extent,
            has_local_times: self.has_local_times,
            precision: self.precision,
            repeated: run.zones.repeated(),
            moved: run.zones.moved(),
            zone_names: run.zones.names().map(excerpt).collect(),
            unknown_zone: self.unknown_zone.clone(),
            is_date_order_assumed,
            other_form,
        }
    }
}

impl Run {
    fn new(zones: Zones, range: TimeRange) -> Self {
        Self { zones, range, before: None, span: None, extent: None, rises: false, falls: false }
    }

    /// Adds the time of the next row. Returns `None` if the time is outside the range of [`Time`].
    fn observe<'a>(&mut self, stamp: Stamp, zone_name: impl Fn() -> &'a [u8], symbol: &Symbol) -> Option<()> {
        let time = self.zones.resolve(stamp, zone_name, symbol)?;
        if let Some(before) = self.before {
            self.rises |= before < time;
            self.falls |= before > time;
        }
        self.before = Some(time);
        self.span = Some(self.span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        if self.range.has(time) {
            let row = Extent::of_row(time);
            self.extent = Some(self.extent.map_or(row, |extent| extent.and(row)));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::cells::Splitter;
    use super::super::time::DateOrder;
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
        let with_bad = |bad: usize| {
            let mut lines: Vec<String> = (0..200).map(|row| (34_200 + row % 60).to_string()).collect();
            lines[..bad].fill("34277".to_owned());
            form(&lines)
        };

        assert_eq!(with_bad(2).0, TimeOfDayForm::Digits(6));
        assert_eq!(with_bad(3).0, TimeOfDayForm::Counted(MidnightUnit::Seconds));
    }

    #[test]
    fn text_before_digits_makes_all_times_of_day_texts() {
        let lines = ["09:30:00", "93001", ""].map(str::to_owned);

        assert_eq!(form(&lines), (TimeOfDayForm::Text, false));
    }
}

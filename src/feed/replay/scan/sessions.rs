//! Recognizes sessions over midnight: files whose dates are those of sessions, which begin on the evening before.
//!
//! For each symbol, the times of day of a date then fall once, at midnight. All dates of all symbols together must
//! allow one hour from which on times are of the evening before.

use std::collections::HashMap;
use std::mem;

use super::super::container::Part;
use super::super::layout::Times;
use super::super::records::Records;
use super::super::row::SymbolReader;
use super::super::settings::Settings;
use super::super::sniff::Sniffed;
use crate::feed::error::FeedError;
use crate::market::Symbol;

/// An hour in nanoseconds.
const HOUR: i64 = 60 * 60 * 1_000_000_000;

/// A day in nanoseconds.
const DAY: i64 = 24 * HOUR;

/// A session begins at this hour of the evening before its date, or later.
const EARLIEST_HOUR: i64 = 16;

/// The largest number of symbols whose rows are compared.
const MAX_SYMBOLS: usize = 65_536;

/// What the times of day of all dates and symbols say about sessions over midnight.
#[derive(Debug)]
pub struct Sessions {
    /// The rows of each symbol's last date.
    last: HashMap<Symbol, Rows>,
    /// The hours, from 0 to 23, at which a session may begin.
    hours: [bool; 24],
    rises: bool,
    falls: bool,
    /// Whether the times of day of one symbol fall twice within a date.
    falls_twice: bool,
}

/// The rows of one symbol that have one date.
#[derive(Clone, Copy, Debug)]
struct Rows {
    day: i64,
    /// The first time of day since the last fall.
    first: i64,
    last: i64,
    has_fallen: bool,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { last: HashMap::new(), hours: [true; 24], rises: false, falls: false, falls_twice: false }
    }
}

impl Sessions {
    /// Reads the times of all rows of a file. `times` says how the times are read, and `symbol` is the symbol of
    /// all rows, or `None` if a column has it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read.
    pub fn of(
        part: &Part,
        settings: &Settings,
        sniffed: &Sniffed,
        symbol: Option<&Symbol>,
        times: Times,
    ) -> Result<Self, FeedError> {
        let layout = &sniffed.layout;
        let mut sessions = Self::default();
        let mut symbols = SymbolReader::from(symbol.cloned());
        let mut records = Records::open(part, settings, &sniffed.dialect)?;
        records.cut_at(times.width().max(layout.width_of_symbol()));
        while let Some(record) = records.next()? {
            let Ok(record) = record else { continue };
            if let (Ok(symbol), Ok(stamp)) = (symbols.read(layout, &record), times.stamp(&record)) {
                sessions.observe(&symbol, stamp.nanos());
            }
        }
        sessions.end();
        Ok(sessions)
    }

    /// Returns the time of day, in nanoseconds since midnight, from which on times are of the evening before their
    /// date; `None` if the times do not tell.
    pub fn evening(&self) -> Option<i64> {
        let hour = self.hours.iter().rposition(|is_possible| *is_possible)?;
        let hour = i64::try_from(hour).ok().filter(|hour| *hour >= EARLIEST_HOUR)?;
        (self.rises && self.falls).then_some(hour * HOUR)
    }

    /// Returns whether the times of day of one symbol both rise and fall within a date.
    pub const fn rise_and_fall(&self) -> bool {
        self.rises && self.falls
    }

    /// Returns whether the times of day of one symbol rise, fall once, and rise again within a date.
    pub const fn fall_once(&self) -> bool {
        self.rises && self.falls && !self.falls_twice
    }

    /// Adds the time of the next row, as it is written in the file.
    fn observe(&mut self, symbol: &Symbol, nanos: i64) {
        let (day, of_day) = (nanos.div_euclid(DAY), nanos.rem_euclid(DAY));
        let begun = Rows { day, first: of_day, last: of_day, has_fallen: false };
        let Some(rows) = self.last.get_mut(symbol) else {
            if self.last.len() < MAX_SYMBOLS {
                self.last.insert(symbol.clone(), begun);
            }
            return;
        };
        if rows.day != day {
            let ended = mem::replace(rows, begun);
            return self.end_of(ended);
        }
        if of_day >= rows.last {
            self.rises |= of_day > rows.last;
            rows.last = of_day;
            return;
        }
        self.falls = true;
        let before = mem::replace(rows, Rows { has_fallen: true, ..begun });
        self.falls_twice |= before.has_fallen;
        // The rows before a fall are those of the evening, so their date cannot fall twice.
        let is_evening = |hour: i64| !before.has_fallen && hour * HOUR <= before.first;
        self.allow(is_evening);
    }

    /// Adds the last date of each symbol.
    fn end(&mut self) {
        for (_, rows) in mem::take(&mut self.last) {
            self.end_of(rows);
        }
    }

    /// Adds the rows after the last fall of a date: all of them are before the evening, or, if the date does not
    /// fall, all of them are of the evening.
    fn end_of(&mut self, rows: Rows) {
        self.allow(|hour| hour * HOUR > rows.last || !rows.has_fallen && hour * HOUR <= rows.first);
    }

    fn allow(&mut self, is_possible: impl Fn(i64) -> bool) {
        for (possible, hour) in self.hours.iter_mut().zip(0..) {
            *possible &= is_possible(hour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the hour at which sessions begin. A row is a symbol, a day, and a time of day in minutes.
    fn evening(rows: &[(&str, i64, i64)]) -> Option<i64> {
        let mut sessions = Sessions::default();
        for (symbol, day, minute) in rows {
            sessions.observe(&symbol.parse().unwrap(), day * DAY + minute * HOUR / 60);
        }
        sessions.end();
        sessions.evening().map(|evening| evening / HOUR)
    }

    /// Returns the minute of the day at which an hour begins.
    const fn at(hour: i64) -> i64 {
        hour * 60
    }

    #[test]
    fn a_session_begins_at_four_or_later_on_the_evening_before() {
        assert_eq!(evening(&[("A", 1, at(16)), ("A", 1, at(17)), ("A", 1, at(9))]), Some(16));
        assert_eq!(evening(&[("A", 1, at(16) - 1), ("A", 1, at(17)), ("A", 1, at(9))]), None);
        assert_eq!(evening(&[("A", 1, at(18) + 30), ("A", 1, at(23)), ("A", 1, at(0))]), Some(18));
    }

    #[test]
    fn the_times_of_a_date_rise_and_fall_once() {
        assert_eq!(evening(&[("A", 1, at(18)), ("A", 1, at(9))]), None);
        assert_eq!(evening(&[("A", 1, at(16)), ("A", 1, at(17))]), None);
        assert_eq!(evening(&[("A", 1, at(18)), ("A", 1, at(9)), ("A", 1, at(8)), ("A", 1, at(10))]), None);
        assert_eq!(evening(&[("A", 1, at(18)), ("A", 1, at(9)), ("A", 1, at(18))]), None);
    }

    #[test]
    fn sessions_are_known_for_each_symbol_one_after_the_other() {
        let of = |symbol: &'static str| [18, 23, 0, 15].map(|hour| (symbol, 1, at(hour)));

        assert_eq!(evening(&[of("A"), of("B")].concat()), Some(18));
        let mixed: Vec<_> = of("A").into_iter().zip(of("B")).flat_map(|(a, b)| [a, b]).collect();
        assert_eq!(evening(&mixed), Some(18));
    }

    #[test]
    fn a_first_and_a_last_day_may_be_parts_of_sessions() {
        let partial = [(1, 9), (1, 15), (2, 18), (2, 23), (2, 0), (2, 15), (3, 18), (3, 23)];
        let partial = partial.map(|(day, hour)| ("A", day, at(hour)));
        assert_eq!(evening(&partial), Some(18));

        let whole =
            [(1, 0), (1, 9), (1, 23), (2, 18), (2, 23), (2, 0)].map(|(day, hour)| ("A", day, at(hour)));
        assert_eq!(evening(&whole), None);
    }

    #[test]
    fn symbols_up_to_the_limit_are_compared() {
        let evening_of_last = |symbols: usize| {
            let names: Vec<String> = (0..symbols).map(|number| format!("S{number}")).collect();
            let mut rows: Vec<_> = names.iter().map(|name| (name.as_str(), 1, at(18))).collect();
            let last = names.last().unwrap();
            rows.extend([(last.as_str(), 1, at(19)), (last.as_str(), 1, at(9))]);
            evening(&rows)
        };

        assert_eq!(evening_of_last(65_536), Some(18));
        assert_eq!(evening_of_last(65_537), None);
    }
}

//! Recognizes sessions over midnight: files whose dates are those of sessions, which begin on the evening before.
//!
//! For each symbol, the times of day of a date then fall once, at midnight. All dates of all symbols together must
//! allow one hour from which on times are of the evening before.

use foldhash::{HashMap, HashMapExt};

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
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The rows of each symbol's last date.
    last: Vec<Rows>,
    /// The index of each symbol in `last`.
    indices: HashMap<Symbol, usize>,
    before: Option<RowBefore>,
    /// The hours at which a session may begin, as bits.
    hours: u32,
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

/// The last row.
#[derive(Clone, Debug)]
struct RowBefore {
    symbol: Symbol,
    /// The index of the symbol's rows.
    index: usize,
    /// The time of the row, as it is written in the file.
    nanos: i64,
    /// The end of the hour of this time.
    end_of_hour: i64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            last: Vec::new(),
            indices: HashMap::new(),
            before: None,
            hours: hours_from(EARLIEST_HOUR) & hours_up_to(23),
            rises: false,
            falls: false,
            falls_twice: false,
        }
    }
}

/// Returns the hours from one on, as bits.
const fn hours_from(hour: i64) -> u32 {
    !0 << hour
}

/// Returns the hours up to one, as bits.
const fn hours_up_to(hour: i64) -> u32 {
    !(!0 << (hour + 1))
}

impl Sessions {
    /// Returns the times of day, in nanoseconds since midnight, from which on times may be of the evening before
    /// their date.
    pub fn evenings(&self) -> impl DoubleEndedIterator<Item = i64> + use<> {
        self.evenings_up_to(DAY - 1)
    }

    /// Returns those of the [`evenings`](Self::evenings) that are not after a time.
    pub fn evenings_up_to(&self, nanos: i64) -> impl DoubleEndedIterator<Item = i64> + use<> {
        let hours = self.hours & hours_up_to(nanos.rem_euclid(DAY) / HOUR);
        (EARLIEST_HOUR..24).filter(move |hour| hours & 1 << hour != 0).map(|hour| hour * HOUR)
    }

    /// Returns the time of day, in nanoseconds since midnight, from which on times are of the evening before their
    /// date; `None` if the times do not tell.
    pub fn evening(&self) -> Option<i64> {
        self.evenings().next_back().filter(|_| self.rise_and_fall())
    }

    /// Returns whether the times of day of one symbol both rise and fall within a date.
    pub const fn rise_and_fall(&self) -> bool {
        self.rises && self.falls
    }

    /// Returns whether the times of day of one symbol rise, fall once, and rise again within a date.
    pub const fn fall_once(&self) -> bool {
        self.rises && self.falls && !self.falls_twice
    }

    /// Rules sessions over midnight out.
    pub const fn rule_out(&mut self) {
        self.hours = 0;
    }

    /// Adds the time of the next row, as it is written in the file.
    pub fn observe(&mut self, symbol: &Symbol, nanos: i64) {
        // For speed, rows of one symbol and one hour that rise are not looked at one by one.
        if let Some(before) = &mut self.before
            && (before.nanos..before.end_of_hour).contains(&nanos)
            && before.symbol == *symbol
        {
            self.rises |= before.nanos < nanos;
            before.nanos = nanos;
        } else {
            self.observe_elsewhere(symbol, nanos);
        }
    }

    fn observe_elsewhere(&mut self, symbol: &Symbol, nanos: i64) {
        if let Some(before) = &self.before {
            self.last[before.index].last = before.nanos.rem_euclid(DAY);
        }
        let (day, of_day) = (nanos.div_euclid(DAY), nanos.rem_euclid(DAY));
        let begun = Rows { day, first: of_day, last: of_day, has_fallen: false };
        let Some(index) = self.index_of(symbol, begun) else {
            self.before = None;
            return;
        };
        let end_of_hour = nanos.saturating_add(HOUR - nanos.rem_euclid(HOUR));
        self.before = Some(RowBefore { symbol: symbol.clone(), index, nanos, end_of_hour });
        let rows = &mut self.last[index];
        if rows.day != day {
            *rows = begun;
            return;
        }
        if of_day >= rows.last {
            self.rises |= of_day > rows.last;
            rows.last = of_day;
        } else {
            self.falls = true;
            self.falls_twice |= rows.has_fallen;
            // The rows before a fall are those of the evening, so their date cannot fall twice.
            self.hours &= if rows.has_fallen { 0 } else { hours_up_to(rows.first / HOUR) };
            *rows = Rows { has_fallen: true, ..begun };
        }
        // The rows after the last fall of a date are all before the evening, or, if the date does not fall, they may
        // all be of the evening.
        let of_evening = if rows.has_fallen { 0 } else { hours_up_to(rows.first / HOUR) };
        self.hours &= hours_from(rows.last / HOUR + 1) | of_evening;
    }

    /// Returns the index of a symbol's last date. The first row of a symbol begins it.
    fn index_of(&mut self, symbol: &Symbol, begun: Rows) -> Option<usize> {
        if let Some(before) = self.before.as_ref().filter(|before| before.symbol == *symbol) {
            return Some(before.index);
        }
        if let Some(index) = self.indices.get(symbol) {
            return Some(*index);
        }
        if self.last.len() >= MAX_SYMBOLS {
            return None;
        }
        self.indices.insert(symbol.clone(), self.last.len());
        self.last.push(begun);
        Some(self.last.len() - 1)
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
    fn the_first_and_the_last_time_have_an_hour() {
        let mut sessions = Sessions::default();
        for nanos in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            sessions.observe(&"A".parse().unwrap(), nanos);
        }

        assert!(!sessions.falls);
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

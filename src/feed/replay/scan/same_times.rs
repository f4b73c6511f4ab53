//! Recognizes numbers that are read as times of day, and are the same on each date: they may be codes of instruments.

/// A day in nanoseconds.
const DAY: i64 = 86_400 * 1_000_000_000;

/// Bars of one length begin at whole multiples of five minutes, unless there are many of them in a day.
const STEP: i64 = 5 * 60 * 1_000_000_000;

/// At most so many instruments are expected in a file without a column of symbols.
const MAX_TIMES: usize = 64;

/// The times of day of each date.
#[derive(Debug, Default)]
pub struct SameTimes {
    first: Vec<i64>,
    day: Option<i64>,
    /// The number of rows of the current date.
    rows: usize,
    days: u64,
    differ: bool,
}

impl SameTimes {
    /// Adds the time of the next row, as it is written in the file.
    pub fn observe(&mut self, nanos: i64) {
        if self.differ {
            return;
        }
        let (day, of_day) = (nanos.div_euclid(DAY), nanos.rem_euclid(DAY));
        if self.day != Some(day) {
            self.differ |= self.days > 0 && self.rows != self.first.len();
            (self.day, self.rows) = (Some(day), 0);
            self.days += 1;
        }
        if self.days == 1 && self.first.len() < MAX_TIMES {
            self.first.push(of_day);
        }
        self.differ |= self.first.get(self.rows) != Some(&of_day);
        self.rows += 1;
    }

    /// Returns whether several dates have the same times, and some are no multiples of five minutes. A date with one
    /// row needs no time of day but midnight.
    pub fn may_be_codes(&self) -> bool {
        let are_odd =
            self.first.iter().any(|time| time % STEP != 0) || self.first.len() == 1 && self.first != [0];
        self.days > 1 && !self.differ && self.rows == self.first.len() && are_odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_be_codes(days: &[&[i64]]) -> bool {
        let mut same = SameTimes::default();
        for (day, minutes) in (0..).zip(days) {
            minutes.iter().for_each(|minute| same.observe(day * DAY + minute * STEP / 5));
        }
        same.may_be_codes()
    }

    #[test]
    fn the_same_odd_times_on_each_date_may_be_codes() {
        assert!(may_be_codes(&[&[661, 1410], &[661, 1410]]));
        assert!(may_be_codes(&[&[660], &[660]]));
        assert!(!may_be_codes(&[&[0], &[0]]));
        assert!(!may_be_codes(&[&[660, 1410], &[660, 1410]]));
        assert!(!may_be_codes(&[&[661, 1410]]));
        assert!(!may_be_codes(&[&[661, 1410], &[661, 1411]]));
        assert!(!may_be_codes(&[&[661, 1410], &[661]]));
        assert!(!may_be_codes(&[&[661], &[661, 1410]]));
    }

    #[test]
    fn bars_of_a_minute_are_more_than_codes() {
        let minutes: Vec<i64> = (570..570 + 64).collect();
        assert!(may_be_codes(&[&minutes, &minutes]));
        let minutes: Vec<i64> = (570..570 + 65).collect();
        assert!(!may_be_codes(&[&minutes, &minutes]));
    }
}

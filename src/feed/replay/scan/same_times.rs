//! Recognizes numbers that are read as times of day, and are the same on each date: they may be codes of instruments.

/// A day in nanoseconds.
const DAY: i64 = 86_400 * 1_000_000_000;

/// A minute in nanoseconds.
const MINUTE: i64 = 60 * 1_000_000_000;

/// Bars of one length begin at whole multiples of five minutes, unless there are many of them in a day.
const STEP: i64 = 5 * MINUTE;

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

    /// Returns whether several dates have the same times, and some are no multiples of five minutes. Three times and more
    /// that follow each other by the same minutes are those of bars.
    pub fn may_be_codes(&self) -> bool {
        let are_odd = self.first.iter().any(|time| time % STEP != 0);
        self.days > 1 && !self.differ && self.rows == self.first.len() && are_odd && !self.are_bars()
    }

    fn are_bars(&self) -> bool {
        let mut steps = self.first.windows(2).map(|times| times[1] - times[0]);
        let step = steps.next().filter(|step| *step > 0 && step % MINUTE == 0);
        self.first.len() > 2 && step.is_some_and(|step| steps.all(|other| other == step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_be_codes(days: &[&[i64]]) -> bool {
        let mut same = SameTimes::default();
        for (day, minutes) in (0..).zip(days) {
            minutes.iter().for_each(|minute| same.observe(day * DAY + minute * MINUTE));
        }
        same.may_be_codes()
    }

    #[test]
    fn the_same_odd_times_on_each_date_may_be_codes() {
        assert!(may_be_codes(&[&[661, 1410], &[661, 1410]]));
        assert!(may_be_codes(&[&[661], &[661]]));
        assert!(!may_be_codes(&[&[660], &[660]]));
        assert!(!may_be_codes(&[&[571, 572, 573], &[571, 572, 573]]));
        assert!(may_be_codes(&[&[571, 572, 574], &[571, 572, 574]]));
        assert!(may_be_codes(&[&[573, 572, 571], &[573, 572, 571]]));
        assert!(!may_be_codes(&[&[660, 1410], &[660, 1410]]));
        assert!(!may_be_codes(&[&[661, 1410]]));
        assert!(!may_be_codes(&[&[661, 1410], &[661, 1411]]));
        assert!(!may_be_codes(&[&[661, 1410], &[661]]));
        assert!(!may_be_codes(&[&[661], &[661, 1410]]));
    }

    #[test]
    fn bars_of_a_minute_are_more_than_codes() {
        let minutes = |count: i64| (0..count).map(|row| 570 + row * row % 97).collect::<Vec<i64>>();
        assert!(may_be_codes(&[&minutes(64), &minutes(64)]));
        assert!(!may_be_codes(&[&minutes(65), &minutes(65)]));
    }
}

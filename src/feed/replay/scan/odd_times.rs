//! Finds times that may be no times: numbers that may be ids, and times far from the one before.

use super::super::cells::Cells;
use super::super::layout::TimeColumns;
use super::super::time::Stamp;

/// Two times of one symbol with more than this between them, from row to row, are not both right: ten years, in
/// nanoseconds.
const FAR: u64 = 3653 * 86_400 * 1_000_000_000;

/// A second, a millisecond, a microsecond and a nanosecond in nanoseconds.
const UNITS: [i64; 4] = [1_000_000_000, 1_000_000, 1000, 1];

/// After so many rows, numbers that rise by one are more likely ids than times.
const LEAST_RISES: u64 = 2;

/// Looks at the times of a file from row to row.
#[derive(Clone, Debug, Default)]
pub struct OddTimes {
    last: Option<i64>,
    /// Whether the first time is a number of one column that counts from 1970.
    pub are_counts: bool,
    /// The number of times that rose from the row before by one unit of a count from 1970.
    rises_by_one: u64,
    others: u64,
    pub jump: Option<TimeJump>,
}

/// Two times of one symbol that are far from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeJump {
    /// The line number of the second time.
    pub line: u64,
    /// Both times as they are written, in nanoseconds since 1970.
    pub before: i64,
    pub time: i64,
}

impl OddTimes {
    /// Adds the time of a row. `is_new` says whether the row before has another symbol.
    pub fn observe(&mut self, columns: TimeColumns, row: &Cells<'_>, stamp: Stamp, is_new: bool, line: u64) {
        let time = stamp.nanos();
        if let Some(before) = self.last {
            let is_one = UNITS.contains(&time.saturating_sub(before));
            *(if is_one { &mut self.rises_by_one } else { &mut self.others }) += 1;
        }
        match self.last {
            None => self.are_counts = is_count(columns, row, stamp),
            Some(before) if !is_new && self.jump.is_none() && time.abs_diff(before) > FAR => {
                self.jump = Some(TimeJump { line, before, time });
            }
            Some(_) => {}
        }
        self.last = Some(time);
    }

    /// Returns whether the times rise by one from row to row, as ids do.
    pub const fn rise_by_one(&self) -> bool {
        self.are_counts && self.rises_by_one >= LEAST_RISES && self.others == 0
    }
}

fn is_count(columns: TimeColumns, row: &Cells<'_>, stamp: Stamp) -> bool {
    let TimeColumns::One(column) = columns else { return false };
    let is_number = |cell: &[u8]| cell.trim_ascii().iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    matches!(stamp, Stamp::Utc(_)) && row.get(column).is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::super::super::cells::Splitter;
    use super::super::super::time::{DateOrder, stamp};
    use super::*;

    fn observed(cells: &[&str]) -> OddTimes {
        let mut odd = OddTimes::default();
        for (line, cell) in (1..).zip(cells) {
            let stamp = stamp(cell.as_bytes(), DateOrder::Ymd).unwrap();
            let mut splitter = Splitter::new(b',');
            odd.observe(TimeColumns::One(0), &splitter.split(cell.as_bytes(), 1), stamp, false, line);
        }
        odd
    }

    #[test]
    fn only_numbers_from_1970_on_are_counts() {
        for (cell, is_count) in [
            ("1704292200", true),
            ("1704292200.5", true),
            ("1704292200000", true),
            ("20240103", false),
            ("2024-01-03T14:30:00Z", false),
        ] {
            assert_eq!(observed(&[cell]).are_counts, is_count, "{cell}");
        }
    }

    #[test]
    fn counts_may_rise_by_one() {
        let rise = |cells: &[&str]| observed(cells).rise_by_one();

        assert!(rise(&["1704292200", "1704292201", "1704292202"]));
        assert!(rise(&["1704292200123", "1704292200124", "1704292200125"]));
        assert!(!rise(&["1704292200", "1704292201"]));
        assert!(!rise(&["1704292200", "1704292201", "1704292203"]));
        assert!(!rise(&["2024-01-03T14:30:00Z", "2024-01-03T14:30:01Z", "2024-01-03T14:30:02Z"]));
    }

    #[test]
    fn two_times_more_than_ten_years_apart_are_far() {
        assert_eq!(observed(&["2010-01-03", "2020-01-03", "2010-01-03"]).jump, None);

        let jump = observed(&["2010-01-02", "2020-01-04", "1970-01-01"]).jump.unwrap();

        assert_eq!(jump.line, 2);
    }
}

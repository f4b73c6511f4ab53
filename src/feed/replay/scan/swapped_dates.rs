//! Recognizes dates of which a program exchanged day and month where both are at most 12: the dates are in order only
//! if these are exchanged again.

use jiff::civil;

/// A day in nanoseconds.
const DAY: i64 = 86_400 * 1_000_000_000;

/// So many dates that would be exchanged, and as many others, are enough.
const ENOUGH: u64 = 3;

/// The dates of a file, each as it is read and with day and month exchanged.
#[derive(Debug, Default)]
pub struct SwappedDates {
    read: Sequence,
    exchanged: Sequence,
    /// The number of dates that would be another date.
    both: u64,
    others: u64,
    /// Whether a time is no midnight.
    has_times_of_day: bool,
    last: Option<i64>,
}

/// The order of a sequence of days.
#[derive(Debug, Default)]
struct Sequence {
    last: Option<i64>,
    rises: bool,
    falls: bool,
}

impl Sequence {
    fn observe(&mut self, day: i64) {
        let last = self.last.replace(day).unwrap_or(day);
        self.rises |= day > last;
        self.falls |= day < last;
    }

    const fn is_in_order(&self) -> bool {
        !(self.rises && self.falls)
    }
}

impl SwappedDates {
    /// Adds the time of the next row, as it is written in the file.
    pub fn observe(&mut self, nanos: i64) {
        self.has_times_of_day |= nanos % DAY != 0;
        if self.has_times_of_day || !self.exchanged.is_in_order() || self.last == Some(nanos) {
            return;
        }
        self.last = Some(nanos);
        let day = nanos.div_euclid(DAY);
        let date =
            i32::try_from(day).ok().and_then(|day| EPOCH.checked_add(jiff::Span::new().days(day)).ok());
        let Some(date) = date else { return };
        let exchanged =
            civil::Date::new(date.year(), date.day(), date.month()).ok().filter(|other| *other != date);
        *(if exchanged.is_some() { &mut self.both } else { &mut self.others }) += 1;
        self.read.observe(day);
        self.exchanged.observe(exchanged.map_or(day, days_since_1970));
    }

    /// Returns whether the dates are in order only with day and month exchanged.
    pub const fn are_exchanged(&self) -> bool {
        let are_enough = self.both >= ENOUGH && self.others >= ENOUGH;
        are_enough && !self.has_times_of_day && !self.read.is_in_order() && self.exchanged.is_in_order()
    }
}

const EPOCH: civil::Date = civil::date(1970, 1, 1);

fn days_since_1970(date: civil::Date) -> i64 {
    (date - EPOCH).get_days().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_exchanged(dates: &[(i16, i8, i8)]) -> bool {
        let mut dates_seen = SwappedDates::default();
        for (year, month, day) in dates {
            dates_seen.observe(days_since_1970(civil::date(*year, *month, *day)) * DAY);
        }
        dates_seen.are_exchanged()
    }

    #[test]
    fn dates_in_order_only_with_day_and_month_exchanged_were_exchanged() {
        // The 2nd to the 4th, and the 15th to the 17th of January.
        let swapped = [(2024, 2, 1), (2024, 3, 1), (2024, 4, 1), (2024, 1, 15), (2024, 1, 16), (2024, 1, 17)];
        let (mut falling, mut few) = (swapped, swapped.to_vec());
        falling.reverse();
        few.remove(0);

        assert!(are_exchanged(&swapped));
        assert!(are_exchanged(&falling));
        assert!(!are_exchanged(&few));
        assert!(!are_exchanged(&swapped[..5]));
        assert!(!are_exchanged(&[
            (2024, 1, 2),
            (2024, 1, 3),
            (2024, 1, 4),
            (2024, 1, 15),
            (2024, 1, 16),
            (2024, 1, 17)
        ]));
    }

    #[test]
    fn times_of_day_were_not_exchanged() {
        let mut dates = SwappedDates::default();
        for (month, day) in [(2, 1), (3, 1), (4, 1), (1, 15), (1, 16), (1, 17)] {
            dates.observe(days_since_1970(civil::date(2024, month, day)) * DAY);
        }
        dates.observe(days_since_1970(civil::date(2024, 1, 18)) * DAY + 1);

        assert!(!dates.are_exchanged());
    }
}

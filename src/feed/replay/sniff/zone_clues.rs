//! What the first lines of a file say about the zone of its local times, apart from the times: a line before the
//! rows, or a column of times in UTC beside the times.

use super::super::layout::Record;
use super::super::time::{self, DateOrder, Stamp};
use super::super::zone::Zone;
use super::suspicion::is_word_of_a_zone;
use super::unused_columns::UnusedColumn;

/// A quarter of an hour in nanoseconds. All offsets from UTC are multiples of it.
const QUARTER: i64 = 15 * 60 * 1_000_000_000;

/// The largest offset of a zone from UTC, in quarters of an hour.
const LARGEST_OFFSET: i64 = 14 * 4;

/// Returns a warning for a line before the rows that may say the zone of the times. `number` is its line number.
pub fn in_a_line(number: u64, line: &str) -> Option<String> {
    let small = line.to_lowercase();
    let words = || {
        line.split(|c: char| !(c.is_alphanumeric() || "/_+-:".contains(c))).filter(|word| !word.is_empty())
    };
    let is_zone = |word: &str| word.contains('/') && word.parse::<Zone>().is_ok();
    // In small letters, `et` is a word of French.
    let is_abbreviation = |word: &str| {
        is_word_of_a_zone(&word.to_lowercase()) && (word.len() > 4 || word == word.to_uppercase())
    };
    let is_named =
        ["timezone", "time zone", "time-zone", "time_zone", "utc offset", "local time", "zeitzone"]
            .iter()
            .any(|name| small.contains(name))
            || words().any(|word| word.eq_ignore_ascii_case("tz") || is_zone(word) || is_abbreviation(word));
    let is_offset = |word: &str| word.starts_with(['+', '-']) && word.parse::<Zone>().is_ok();
    let is_utc = words().any(|word| ["UTC", "GMT"].contains(&word))
        && !words().any(|word| is_zone(word) || is_offset(word));
    let line = line.trim();
    (is_named && !is_utc)
        .then(|| format!("line {number} says `{line}`, and the times are read as UTC (set it by --tz)"))
}

/// Returns a warning for a column of times in UTC, such as Unix times. The column must differ from the times of the
/// rows by an offset from UTC. `times` are the times of the rows, as they are written.
pub fn in_a_column(column: &UnusedColumn, rows: &[Record], times: &[Option<Stamp>]) -> Option<String> {
    let quarters = |(row, time): (&Record, &Option<Stamp>)| {
        let Some(Stamp::Local(local)) = time else { return None };
        let cell = row.get(column.index)?.trim_ascii();
        let Some(Stamp::Utc(utc)) = time::stamp(cell, DateOrder::Ymd) else {
            return None;
        };
        let apart = utc.as_nanos().checked_sub(*local)?;
        (apart % QUARTER == 0).then_some(apart / QUARTER)
    };
    let mut offsets = rows.iter().zip(times).map(quarters);
    let first = offsets.next()??;
    let is_offset =
        |offset: Option<i64>| offset.is_some_and(|offset| offset != 0 && offset.abs() <= LARGEST_OFFSET);
    (is_offset(Some(first)) && offsets.all(is_offset)).then(|| {
        let UnusedColumn { name, example, .. } = column;
        let (hours, minutes) = (first.abs() / 4, first.abs() % 4 * 15);
        let direction = if first > 0 { "after" } else { "before" };
        format!(
            "column `{name}` ({example}) is a time in UTC {hours}:{minutes:02} hours {direction} the time that is read, which \
             may be a local one (set its zone by --tz, or read the column by --map time={})",
            column.in_a_map()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_say_the_zone() {
        for line in [
            "# timezone: America/New_York",
            "Time Zone = EST",
            "# all times in US/Eastern",
            "# tz CET",
            "# Eastern",
            "exchange: NYSE (ET)",
            "# UTC offset -5",
        ] {
            assert!(in_a_line(1, line).is_some(), "{line}");
        }
        for line in ["# timezone: UTC", "# made by a/b", "# prix et volumes", "# KO", "time,price"] {
            assert_eq!(in_a_line(1, line), None, "{line}");
        }
    }

    #[test]
    fn a_time_in_utc_beside_the_times_tells_their_offset() {
        let clue = |hour: i64, minute: i64, second: i64| {
            let column = UnusedColumn {
                index: 0,
                name: "unix".to_owned(),
                example: String::new(),
                holds_words: false,
                tells_prices_apart: false,
            };
            let apart = (hour * 60 + minute) * 60 + second;
            let row = vec![(1_704_292_200 + apart).to_string().into_bytes()];
            in_a_column(&column, &[row], &[Some(Stamp::Local(1_704_292_200_000_000_000))])
        };

        let clue_of_five = clue(5, 0, 0).unwrap();
        assert!(clue_of_five.contains("5:00 hours after"), "{clue_of_five}");
        assert!(clue(-5, -30, 0).unwrap().contains("5:30 hours before"));
        assert!(clue(0, 15, 0).is_some() && clue(14, 0, 0).is_some() && clue(-14, 0, 0).is_some());
        for (hour, minute, second) in [(0, 0, 0), (0, 14, 0), (5, 0, 1), (14, 15, 0), (-14, -15, 0)] {
            assert_eq!(clue(hour, minute, second), None, "{hour}:{minute}:{second}");
        }
    }
}

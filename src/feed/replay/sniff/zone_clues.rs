//! What the first lines of a file say about the zone of its local times, apart from the times: a line before the
//! rows, or a column of times in UTC beside the times.

use super::super::layout::Record;
use super::super::time::{self, DateOrder, Stamp};
use super::super::zone::Zone;
use super::suspicion::is_word_of_a_zone;
use super::unused_columns::UnusedColumn;

/// A quarter of an hour in nanoseconds. All offsets from UTC are multiples of it.
const QUARTER: i64 = 15 * 60 * 1_000_000_000;

/// A day in nanoseconds.
const DAY: i64 = 96 * QUARTER;

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
    let is_named = [
        "timezone",
        "time zone",
        "time-zone",
        "time_zone",
        "utc offset",
        "local time",
        "local exchange",
        "exchange time",
        "market time",
        "zeitzone",
    ]
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

/// Returns a warning for a column of times in UTC: Unix times, or times in a column whose name says UTC. They may be
/// times of day. The column must differ from the times of the
/// rows by an offset from UTC. `times` are the times of the rows, as they are written.
pub fn in_a_column(column: &UnusedColumn, rows: &[Record], times: &[Option<Stamp>]) -> Option<String> {
    let name = column.name.to_lowercase();
    let says_utc = name.contains("utc") || name.contains("gmt");
    let quarters = |(row, time): (&Record, &Option<Stamp>)| {
        let Some(Stamp::Local(local)) = time else { return None };
        let cell = row.get(column.index)?.trim_ascii();
        let apart = match time::stamp(cell, DateOrder::Ymd) {
            Some(Stamp::Utc(utc)) => utc.as_nanos().checked_sub(*local)?,
            Some(stamp @ Stamp::Local(_)) if says_utc => stamp.nanos().checked_sub(*local)?,
            None if says_utc && cell.contains(&b':') => {
                let apart = time::time_of_day(cell)? - local.rem_euclid(DAY);
                // The shorter way around the clock.
                (apart + DAY / 2).rem_euclid(DAY) - DAY / 2
            }
            _ => return None,
        };
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
    use super::super::unused_columns::Words;
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
            "# times are local exchange times",
            "# in exchange time",
        ] {
            assert!(in_a_line(1, line).is_some(), "{line}");
        }
        for line in ["# timezone: UTC", "# made by a/b", "# prix et volumes", "# KO", "time,price"] {
            assert_eq!(in_a_line(1, line), None, "{line}");
        }
    }

    #[test]
    fn a_column_whose_name_says_utc_may_have_times_of_day() {
        let clue = |name: &str, cell: &str| {
            let column = UnusedColumn {
                index: 0,
                name: name.to_owned(),
                example: cell.to_owned(),
                words: Words::None,
                tells_prices_apart: false,
                varies: false,
            };
            // 2024-01-03 14:30:00
            let local = Some(Stamp::Local(1_704_292_200_000_000_000));
            in_a_column(&column, &[vec![cell.into()]], &[local])
        };

        assert!(clue("utc_time", "19:30:00").unwrap().contains("5:00 hours after"));
        assert!(clue("Time (GMT)", "05:30:00").unwrap().contains("9:00 hours before"));
        assert!(clue("ts_utc", "2024-01-03 13:30:00").unwrap().contains("1:00 hours before"));
        for (name, cell) in
            [("utc_time", "14:30:00"), ("utc_time", "19:31:00"), ("sent", "19:30:00"), ("utc_time", "1930")]
        {
            assert_eq!(clue(name, cell), None, "{name} {cell}");
        }
    }

    #[test]
    fn a_time_in_utc_beside_the_times_tells_their_offset() {
        let clue = |hour: i64, minute: i64, second: i64| {
            let column = UnusedColumn {
                index: 0,
                name: "unix".to_owned(),
                example: String::new(),
                words: Words::None,
                tells_prices_apart: false,
                varies: false,
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

//! The resolver, which converts local times to UTC, even around clock changes.

use std::collections::HashSet;
use std::ops::Range;

use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::market::{Symbol, Time};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;

/// When clocks go back, an hour of local time occurs twice. A step back of at least this length, from one row
/// to the next, separates the two occurrences. A smaller step back means that a row is out of order.
const STEP: i64 = 60 * SECOND;

/// Converts the local times of one file to UTC, in the order of its rows.
///
/// When clocks go back, an hour of local time occurs twice: this hour is a repeated hour. The order of the
/// rows shows to which occurrence of a repeated hour a row belongs. The first row in a repeated hour belongs
/// to the first occurrence. If the time of a row is a minute or more before the time of the previous row,
/// this row begins the second occurrence. The next step back of a minute or more begins the first occurrence
/// again, because rows of another symbol may follow.
///
/// A file of hourly bars has two rows of each symbol with the same time in a repeated hour. So while all rows in
/// a repeated hour have the same time, the second row of a symbol belongs to the second occurrence. This rule
/// for equal times applies only if the row before the hour is whole hours away. It does not apply if earlier
/// rows of one symbol had equal times, because trades often share a time.
///
/// In a file with the latest row at the top, times fall from row to row. So the topmost row of a repeated
/// hour belongs to the hour's second occurrence. In such a file, a step forward in time separates the two
/// occurrences of the hour.
///
/// When clocks go forward, an hour of local time does not exist. A local time in this missing hour is moved
/// forward by the length of the gap.
#[derive(Clone, Debug)]
pub struct Resolver {
    zone: TimeZone,
    backwards: bool,
    stretch: Stretch,
    /// The local time of the previous row.
    last: i64,
    /// The symbol of the first row with the time `last`.
    first_symbol: Option<Symbol>,
    /// Whether two rows of one symbol had the same time, outside an hour that occurs twice. Also true if no
    /// hour occurs twice in the zone.
    shares_times: bool,
    repeated: u64,
    moved: u64,
}

/// A range of local times, with their offset or offsets from UTC. Times and offsets are in nanoseconds.
#[derive(Clone, Debug)]
enum Stretch {
    /// A range in which each time occurs once.
    Plain { local: Range<i64>, offset: i64 },
    /// A range in which each time occurs twice. `hourly` has the symbols of the rows so far, as long as all of
    /// these rows have the same time.
    Twice { local: Range<i64>, offsets: [i64; 2], occurrence: usize, hourly: Option<HashSet<Symbol>> },
}

impl Stretch {
    /// The empty range.
    const NONE: Self = Self::Plain { local: 0..0, offset: 0 };
}

impl Resolver {
    /// `backwards` means that the latest row of the file comes first.
    pub fn new(zone: TimeZone, backwards: bool) -> Self {
        let shares_times = zone.to_fixed_offset().is_ok();
        Self {
            zone,
            backwards,
            stretch: Stretch::NONE,
            last: 0,
            first_symbol: None,
            shares_times,
            repeated: 0,
            moved: 0,
        }
    }

    /// Converts the local time of a row to UTC. `local` is in nanoseconds since 1970-01-01T00:00 local time.
    /// Returns `None` if the result is outside the range of [`Time`].
    pub fn resolve(&mut self, local: i64, symbol: &Symbol) -> Option<Time> {
        match &mut self.stretch {
            Stretch::Plain { local: stretch, offset } if stretch.contains(&local) => {
                let offset = *offset;
                if !self.shares_times {
                    self.compare_with_last(local, symbol);
                }
                self.last = local;
                moment(local, offset)
            }
            Stretch::Twice { local: stretch, offsets, occurrence, hourly } if stretch.contains(&local) => {
                let step = if self.backwards { self.last - local } else { local - self.last };
                let first = usize::from(self.backwards);
                if step <= -STEP {
                    *occurrence = 1 - *occurrence;
                }
                let own = match hourly {
                    Some(symbols) if step == 0 => {
                        let is_second = !symbols.insert(symbol.clone());
                        if is_second {
                            *occurrence = 1 - first;
                        }
                        if is_second { 1 - first } else { first }
                    }
                    _ => {
                        *hourly = None;
                        *occurrence
                    }
                };
                self.last = local;
                self.repeated += 1;
                moment(local, offsets[own])
            }
            _ => self.resolve_elsewhere(local, symbol),
        }
    }

    /// Returns the number of rows whose local time occurs twice, because the clocks went back.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Returns the number of rows whose local time does not exist and was therefore moved forward.
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// Finds out whether rows of one symbol share their times.
    fn compare_with_last(&mut self, local: i64, symbol: &Symbol) {
        if local == self.last {
            self.shares_times = self.first_symbol.as_ref() == Some(symbol);
        } else {
            self.first_symbol = Some(symbol.clone());
        }
    }

    /// Converts a local time to UTC if the time is outside the current range. The range around this time
    /// becomes the current range.
    #[cold]
    fn resolve_elsewhere(&mut self, local: i64, symbol: &Symbol) -> Option<Time> {
        let is_hourly = self.first_symbol.is_none() || local.wrapping_sub(self.last) % HOUR == 0;
        self.last = local;
        self.first_symbol = Some(symbol.clone());
        let civil = Offset::UTC.to_datetime(timestamp(local));
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                let offset = nanos(offset);
                self.stretch = Stretch::Plain { local: self.plain_around(local, offset), offset };
                moment(local, offset)
            }
            AmbiguousOffset::Fold { before, after } => {
                let offsets = [nanos(before), nanos(after)];
                let turn = self.turn_behind(local, offsets[0]);
                let stretch = turn.saturating_add(offsets[1])..turn.saturating_add(offsets[0]);
                let occurrence = usize::from(self.backwards);
                let hourly = (is_hourly && !self.shares_times).then(|| HashSet::from([symbol.clone()]));
                self.stretch = Stretch::Twice { local: stretch, offsets, occurrence, hourly };
                self.repeated += 1;
                moment(local, offsets[occurrence])
            }
            AmbiguousOffset::Gap { before, .. } => {
                self.stretch = Stretch::NONE;
                self.moved += 1;
                moment(local, nanos(before))
            }
        }
    }

    /// Returns the range of local times around `local` that have the given offset from UTC and occur only
    /// once.
    fn plain_around(&self, local: i64, offset: i64) -> Range<i64> {
        let second = second_of(local.saturating_sub(offset));
        let last = self.zone.preceding(second + SignedDuration::from_secs(1)).next();
        let next = self.zone.following(second).next();
        let start = last.map_or(i64::MIN, |last| {
            let before = nanos(self.zone.to_offset(last.timestamp() - SignedDuration::from_secs(1)));
            saturated(last.timestamp()).saturating_add(offset.max(before))
        });
        let end = next.map_or(i64::MAX, |next| {
            saturated(next.timestamp()).saturating_add(offset.min(nanos(next.offset())))
        });
        start..end
    }

    /// Returns the moment at which the clocks go back, so that the local time `local` occurs twice. The
    /// moment is in nanoseconds since 1970.
    ///
    /// `before` is the offset from UTC before that moment.
    fn turn_behind(&self, local: i64, before: i64) -> i64 {
        let second = second_of(local.saturating_sub(before));
        let turn =
            self.zone.following(second).next().expect("a time happens twice because the clock goes back");
        saturated(turn.timestamp())
    }
}

fn moment(local: i64, offset: i64) -> Option<Time> {
    local.checked_sub(offset).map(Time::from_nanos)
}

fn timestamp(nanos: i64) -> Timestamp {
    Time::from_nanos(nanos).into()
}

/// Rounds a moment down to a whole second, because clocks change at whole seconds.
fn second_of(nanos: i64) -> Timestamp {
    Timestamp::from_second(nanos.div_euclid(SECOND)).expect("64 bits of nanoseconds lie within jiff's range")
}

/// Returns a timestamp as nanoseconds since 1970, limited to the range of 64 bits.
fn saturated(timestamp: Timestamp) -> i64 {
    let nanos = timestamp.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

fn nanos(offset: Offset) -> i64 {
    i64::from(offset.seconds()) * SECOND
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::Zone;
    use super::*;

    const BERLIN: &str = "Europe/Berlin";

    fn symbol(name: &str) -> Symbol {
        name.parse().unwrap()
    }

    fn local(text: &str) -> i64 {
        format!("{text}Z").parse::<Time>().unwrap().as_nanos()
    }

    /// Converts local times on one day to UTC. Returns the moments in UTC, the number of times that occur
    /// twice, and the number of times that were moved forward.
    fn resolved(zone: &str, backwards: bool, day: &str, times_of_day: &[&str]) -> (Vec<String>, u64, u64) {
        let mut resolver = zone.parse::<Zone>().unwrap().resolver(backwards);
        let moments = times_of_day
            .iter()
            .map(|time_of_day| resolver.resolve(local(&format!("{day}T{time_of_day}")), &symbol("A")));
        let moments = moments.map(|moment| moment.unwrap().to_string()[11..].to_owned()).collect();
        (moments, resolver.repeated(), resolver.moved())
    }

    #[test]
    fn times_in_a_skipped_hour_are_moved_forward() {
        let times_of_day = ["01:59:59", "02:00:00", "02:30:00", "03:00:00", "03:30:00"];
        let moments =
            ["00:59:59Z", "01:00:00Z", "01:30:00Z", "01:00:00Z", "01:30:00Z"].map(str::to_owned).to_vec();

        assert_eq!(resolved(BERLIN, false, "2024-03-31", &times_of_day), (moments.clone(), 0, 2));
        assert_eq!(resolved(BERLIN, true, "2024-03-31", &times_of_day), (moments, 0, 2));
    }

    #[test]
    fn the_order_of_the_rows_tells_the_occurrences_of_an_hour_apart() {
        for (times_of_day, moments, repeated) in [
            (
                &[
                    "01:59:59", "02:00:00", "02:30:00", "02:30:00", "02:59:59", "02:00:00", "02:45:00",
                    "03:00:00",
                ][..],
                &[
                    "23:59:59Z",
                    "00:00:00Z",
                    "00:30:00Z",
                    "00:30:00Z",
                    "00:59:59Z",
                    "01:00:00Z",
                    "01:45:00Z",
                    "02:00:00Z",
                ][..],
                6,
            ),
            // Rows of another symbol follow directly, or after rows outside the hour.
            (
                &["02:10:00", "02:50:00", "02:20:00", "02:05:00"],
                &["00:10:00Z", "00:50:00Z", "01:20:00Z", "00:05:00Z"],
                4,
            ),
            (
                &["02:50:00", "02:20:00", "03:00:00", "02:10:00", "02:30:00"],
                &["00:50:00Z", "01:20:00Z", "02:00:00Z", "00:10:00Z", "00:30:00Z"],
                4,
            ),
        ] {
            let moments = moments.iter().map(|moment| (*moment).to_owned()).collect();
            assert_eq!(resolved(BERLIN, false, "2024-10-27", times_of_day), (moments, repeated, 0));
        }
    }

    #[test]
    fn a_file_that_runs_backwards_begins_with_the_second_occurrence() {
        let times_of_day =
            ["03:00:00", "02:50:00", "02:10:00", "02:10:00", "02:50:00", "02:10:00", "01:59:00", "02:50:00"];
        let moments = [
            "02:00:00Z",
            "01:50:00Z",
            "01:10:00Z",
            "01:10:00Z",
            "00:50:00Z",
            "00:10:00Z",
            "23:59:00Z",
            "01:50:00Z",
        ];
        let moments = moments.map(str::to_owned).to_vec();

        assert_eq!(resolved(BERLIN, true, "2024-10-27", &times_of_day), (moments, 6, 0));
    }

    #[test]
    fn two_equal_times_are_the_two_occurrences_unless_other_times_are_equal() {
        let resolve =
            |backwards, times_of_day: &[&str]| resolved(BERLIN, backwards, "2024-10-27", times_of_day).0;
        let hourly = ["00:00:00", "01:00:00", "02:00:00", "02:00:00", "03:00:00"];
        let moments = ["22:00:00Z", "23:00:00Z", "00:00:00Z", "01:00:00Z", "02:00:00Z"];
        assert_eq!(resolve(false, &hourly), moments);

        let (mut hourly, mut moments) = (hourly, moments);
        hourly.reverse();
        moments.reverse();
        assert_eq!(resolve(true, &hourly), moments);

        for (times_of_day, moments) in [
            // Trades share their times, so equal times are in one occurrence.
            (
                ["01:59:00", "01:59:00", "02:10:00", "02:10:00", "02:05:00", "02:05:00"],
                ["23:59:00Z", "23:59:00Z", "00:10:00Z", "00:10:00Z", "01:05:00Z", "01:05:00Z"],
            ),
            // A third equal time cannot be in a third occurrence.
            (
                ["01:10:00", "02:10:00", "02:10:00", "02:10:00", "02:20:00", "03:00:00"],
                ["23:10:00Z", "00:10:00Z", "01:10:00Z", "01:10:00Z", "01:20:00Z", "02:00:00Z"],
            ),
            // The time before the hour is not whole hours away, so the file has no hourly bars.
            (
                ["01:50:00", "02:00:00", "02:00:00", "02:05:00", "02:00:00", "02:06:00"],
                ["23:50:00Z", "00:00:00Z", "00:00:00Z", "00:05:00Z", "01:00:00Z", "01:06:00Z"],
            ),
            // A file with several times in the hour has no hourly bars.
            (
                ["01:59:00", "02:10:00", "02:20:00", "02:20:00", "02:10:00", "03:00:00"],
                ["23:59:00Z", "00:10:00Z", "00:20:00Z", "00:20:00Z", "01:10:00Z", "02:00:00Z"],
            ),
        ] {
            assert_eq!(resolve(false, &times_of_day), moments);
        }
    }

    #[test]
    fn hourly_bars_of_several_symbols_have_both_occurrences_each() {
        let resolve = |rows: &[(&str, &str)]| {
            let mut resolver = BERLIN.parse::<Zone>().unwrap().resolver(false);
            let mut moment = |(name, time_of_day): &(&str, &str)| {
                let moment = resolver.resolve(local(&format!("2024-10-27T{time_of_day}:00")), &symbol(name));
                format!("{name} {}", &moment.unwrap().to_string()[11..16])
            };
            rows.iter().map(&mut moment).collect::<Vec<_>>()
        };

        let by_hour = [
            ("A", "01:00"),
            ("B", "01:00"),
            ("A", "02:00"),
            ("B", "02:00"),
            ("A", "02:00"),
            ("B", "02:00"),
            ("A", "03:00"),
        ];
        let moments = ["A 23:00", "B 23:00", "A 00:00", "B 00:00", "A 01:00", "B 01:00", "A 02:00"];
        assert_eq!(resolve(&by_hour), moments);

        let by_time_and_symbol =
            [("A", "02:00"), ("A", "02:00"), ("B", "02:00"), ("B", "02:00"), ("A", "03:00")];
        assert_eq!(resolve(&by_time_and_symbol), ["A 00:00", "A 01:00", "B 00:00", "B 01:00", "A 02:00"]);
    }

    #[test]
    fn rows_that_are_slightly_out_of_order_stay_in_their_hour() {
        let resolve =
            |backwards, times_of_day: &[&str]| resolved(BERLIN, backwards, "2024-10-27", times_of_day).0;

        assert_eq!(
            resolve(false, &["02:30:00", "02:29:00.000000001", "02:30:00", "02:29:00"]),
            ["00:30:00Z", "00:29:00.000000001Z", "00:30:00Z", "01:29:00Z"]
        );
        assert_eq!(
            resolve(true, &["02:30:00", "02:30:59.999999999", "02:30:00", "02:31:00"]),
            ["01:30:00Z", "01:30:59.999999999Z", "01:30:00Z", "00:31:00Z"]
        );
    }

    #[test]
    fn after_any_other_time_a_repeated_hour_begins_with_the_first_occurrence() {
        let mut resolver = BERLIN.parse::<Zone>().unwrap().resolver(false);
        let mut resolve = |text: &str| resolver.resolve(local(text), &symbol("A")).unwrap().to_string();

        assert_eq!(resolve("2023-10-29T02:50:00"), "2023-10-29T00:50:00Z");
        assert_eq!(resolve("2024-10-27T02:10:00"), "2024-10-27T00:10:00Z");
        assert_eq!(resolve("2023-10-29T02:10:00"), "2023-10-29T00:10:00Z");
        assert_eq!(resolve("2024-03-31T02:30:00"), "2024-03-31T01:30:00Z");
        assert_eq!(resolve("2023-10-29T02:05:00"), "2023-10-29T00:05:00Z");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_local_time_is_resolved_with_an_offset_of_its_zone(
            name in select(vec![
                "UTC", BERLIN, "America/New_York", "Asia/Seoul", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca",
                "+05:30",
            ]),
            backwards in any::<bool>(),
            locals in vec(prop_oneof![
                any::<i64>(),
                // Times around clock changes, at quarters of an hour. Many of them do not exist or occur
                // twice.
                (0..6_i64, -40..40_i64).prop_map(|(turn, quarters)| {
                    let turns = ["2024-03-31T02:00:00", "2024-10-27T02:00:00", "2024-11-03T01:00:00",
                        "2024-03-10T02:00:00", "2024-04-07T02:00:00", "2011-12-30T00:00:00"];
                    local(turns[usize::try_from(turn).unwrap()]) + quarters * 900 * SECOND
                }),
            ], 1..40),
        ) {
            let zone: Zone = name.parse().unwrap();
            let mut resolver = zone.resolver(backwards);
            let (mut repeated, mut moved) = (0, 0);
            for local in locals {
                let civil = Offset::UTC.to_datetime(timestamp(local));
                let moment = resolver.resolve(local, &symbol("A")).map(Time::as_nanos);
                let at = |offset| local.checked_sub(nanos(offset));
                match resolver.zone.to_ambiguous_timestamp(civil).offset() {
                    AmbiguousOffset::Unambiguous { offset } => prop_assert_eq!(moment, at(offset)),
                    AmbiguousOffset::Gap { before, .. } => {
                        moved += 1;
                        prop_assert_eq!(moment, at(before));
                    }
                    AmbiguousOffset::Fold { before, after } => {
                        repeated += 1;
                        prop_assert!(moment == at(before) || moment == at(after));
                    }
                }
            }
            prop_assert_eq!((resolver.repeated(), resolver.moved()), (repeated, moved));
        }
    }
}

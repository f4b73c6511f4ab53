//! One reading of a file's times: one order of day and month, and one notation of the times of day.

use super::super::cells::Cells;
use super::super::extent::{Extent, TimeRange};
use super::super::layout::{TimeOfDayForm, Times};
use super::super::reason::RejectedRow;
use super::super::time::Stamp;
use super::super::zone::{Zone, Zones};
use crate::feed::printable::excerpt;
use crate::market::{Symbol, Time};

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// A minute in nanoseconds.
const MINUTE: i64 = 60 * SECOND;

/// A day in nanoseconds.
const DAY: i64 = 86_400 * SECOND;

/// One reading of the times of a file.
pub struct Reading {
    pub times: Times,
    /// When clocks go back, an hour of local time occurs twice. The direction of the rows tells the two hours
    /// apart. The direction is not known yet, so both directions are tried: forward and backward.
    runs: [Run; 2],
    /// The number of rows with a readable time.
    pub readable: u64,
    pub unreadable: u64,
    /// The sum of the times between each row and the next row.
    pub apart: u128,
    /// The number of times that a row is in another minute than the row before.
    pub minutes: u64,
    last: Option<i64>,
    has_local_times: bool,
    has_named_times: bool,
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

impl Reading {
    /// Creates a reading. `zone` is the configured zone, and `range` the time range of the rows that are counted.
    pub fn new(times: Times, zone: Option<&Zone>, range: TimeRange) -> Self {
        Self {
            times,
            runs: [false, true].map(|is_backwards| Run::new(Zones::new(zone, is_backwards), range)),
            readable: 0,
            unreadable: 0,
            apart: 0,
            minutes: 0,
            last: None,
            has_local_times: false,
            has_named_times: false,
            precision: Precision::Day,
            unknown_zone: None,
        }
    }

    /// Reads the time of the next row.
    pub fn observe(&mut self, row: &Cells<'_>, symbol: &Symbol) -> Result<Stamp, RejectedRow> {
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
        self.has_named_times |= matches!(stamp, Stamp::Named(_));
        self.precision = self.precision.max(Precision::of(stamp.nanos()));
        Ok(stamp)
    }

    /// Returns the last time that was read, in UTC; `None` if no time was read.
    pub fn last_time(&self) -> Option<Time> {
        self.runs[0].before
    }

    /// Compares the time of a row with the row before.
    pub fn compare(&mut self, stamp: Option<Stamp>) {
        let Some(stamp) = stamp else { return };
        let nanos = stamp.nanos();
        let last = self.last.replace(nanos).unwrap_or(nanos);
        self.apart += u128::from(nanos.abs_diff(last));
        self.minutes += u64::from(nanos / MINUTE != last / MINUTE);
    }

    /// Returns the order of all times.
    pub fn order(&self) -> Order {
        match &self.runs {
            [forward, _] if !forward.falls => Order::Ascending,
            [_, backward] if !backward.rises => Order::Descending,
            _ => Order::Unsorted,
        }
    }

    /// Returns what this reading found.
    pub fn read(&self, is_date_order_assumed: bool, other_form: Option<TimeOfDayForm>) -> Read {
        let order = self.order();
        let [forward, backward] = &self.runs;
        let run = if order == Order::Descending { backward } else { forward };
        Read {
            times: self.times,
            order,
            span: run.span,
            extent: run.extent,
            // A name that stands for no zone of its own stands for the configured zone.
            has_local_times: self.has_local_times
                || self.has_named_times && run.zones.names().next().is_none(),
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

//! One reading of a file's times: one order of day and month, and one notation of the times of day.

use std::iter;

use super::super::cells::Cells;
use super::super::extent::{Extent, TimeRange};
use super::super::layout::{TimeOfDayForm, Times};
use super::super::reason::RejectedRow;
use super::super::time::Stamp;
use super::super::zone::{Zone, Zones};
use super::sessions::Sessions;
use crate::feed::printable::excerpt;
use crate::market::{Symbol, Time};

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// A minute in nanoseconds.
const MINUTE: i64 = 60 * SECOND;

/// A day in nanoseconds.
const DAY: i64 = 86_400 * SECOND;

/// One reading of the times of a file.
#[derive(Clone)]
pub struct Reading {
    pub times: Times,
    /// When clocks go back, an hour of local time occurs twice. The direction of the rows tells the two hours
    /// apart. The direction is not known yet, so both directions are tried.
    forward: Run,
    /// `None` as long as clocks never go back in any zone of the rows.
    backward: Option<Run>,
    sessions: Sessions,
    /// The same reading, for each evening at which sessions over midnight may begin. It differs from the first time on
    /// that is of such an evening.
    evenings: Vec<Self>,
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
    /// Whether the times of day of one symbol rise and fall within a date, and no sessions over midnight explain it.
    pub rises_and_falls: bool,
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
            backward: zone.is_some().then(|| Run::new(Zones::new(zone, true), range)),
            forward: Run::new(Zones::new(zone, false), range),
            sessions: Sessions::default(),
            evenings: Vec::new(),
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
            if self.times.evening.is_none() {
                self.observe_sessions(row, symbol, stamp);
            }
            let name = || self.times.zone_name(row);
            let is_named = matches!(stamp, Stamp::Named(_));
            if is_named && self.backward.is_none() {
                self.backward = Some(self.forward.backward());
            }
            let mut runs = iter::once(&mut self.forward).chain(&mut self.backward);
            if runs.all(|run| run.observe(stamp, name, symbol).is_some()) {
                return Ok(stamp);
            }
            if is_named {
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

    /// Adds the time of the next row to the sessions over midnight.
    fn observe_sessions(&mut self, row: &Cells<'_>, symbol: &Symbol, stamp: Stamp) {
        let (Stamp::Local(nanos) | Stamp::Named(nanos)) = stamp else { return self.sessions.rule_out() };
        self.sessions.observe(symbol, nanos);
        let has_time_of_day = self.times.columns.time_of_day().is_some();
        if has_time_of_day
            && (!self.evenings.is_empty() || self.sessions.evenings_up_to(nanos).next().is_some())
        {
            self.observe_evenings(row, symbol, nanos);
        }
    }

    /// Adds the next row to the readings with sessions over midnight.
    #[cold]
    fn observe_evenings(&mut self, row: &Cells<'_>, symbol: &Symbol, nanos: i64) {
        let is_possible =
            |reading: &Self| self.sessions.evenings().any(|evening| reading.times.evening == Some(evening));
        self.evenings.retain(is_possible);
        for evening in self.sessions.evenings_up_to(nanos) {
            if !self.evenings.iter().any(|reading| reading.times.evening == Some(evening)) {
                let times = Times { evening: Some(evening), ..self.times };
                let (sessions, evenings) = (Sessions::default(), Vec::new());
                self.evenings.push(Self { times, sessions, evenings, ..self.clone() });
            }
        }
        for reading in &mut self.evenings {
            let _ = reading.observe(row, symbol);
        }
    }

    /// Returns the last time that was read, in UTC; `None` if no time was read.
    pub fn last_time(&self) -> Option<Time> {
        self.forward.before
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
        if !self.forward.falls {
            Order::Ascending
        } else if !self.backward().rises {
            Order::Descending
        } else {
            Order::Unsorted
        }
    }

    fn backward(&self) -> &Run {
        self.backward.as_ref().unwrap_or(&self.forward)
    }

    /// Returns what this reading found.
    pub fn read(&self, is_date_order_assumed: bool, other_form: Option<TimeOfDayForm>) -> Read {
        let order = self.order();
        let run = if order == Order::Descending { self.backward() } else { &self.forward };
        // A name that stands for no zone of its own stands for the configured zone.
        let has_local_times =
            self.has_local_times || self.has_named_times && run.zones.names().next().is_none();
        let is_unsorted = order == Order::Unsorted && has_local_times;
        let evening = self.sessions.evening().filter(|_| is_unsorted);
        let of_evening = |reading: &&Self| evening.is_some() && reading.times.evening == evening;
        if let Some(reading) = self.evenings.iter().find(of_evening) {
            return reading.read(is_date_order_assumed, other_form);
        }
        Read {
            times: self.times,
            order,
            span: run.span,
            extent: run.extent,
            has_local_times,
            rises_and_falls: is_unsorted
                && match self.times.columns.time_of_day() {
                    Some(_) => self.sessions.rise_and_fall(),
                    // A whole time may be right although a session seems to have another date. Rows in any order fall
                    // often.
                    None => self.sessions.fall_once(),
                },
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

    /// Returns the run of the same rows, read backward. No row has named a zone yet.
    fn backward(&self) -> Self {
        Self { zones: Zones::new(None, true), ..self.clone() }
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

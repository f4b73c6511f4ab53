//! The plan of a file or an archive member: its layout, symbol, time order and time zone. The plan is made
//! before the first row is replayed.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::{info, warn};

use super::container::Part;
use super::contradictions::Contradictions;
use super::events::{Events, Rows, sorted};
use super::extent::Extent;
use super::layout::{Layout, Role, TimeColumns, TimeOfDayForm};
use super::merged_instruments::Merged;
use super::path;
use super::records::Records;
use super::rejected_rows::{RejectedRows, ReportedUpTo};
use super::row::{Reason, RejectedRow, RowReader};
use super::scan::{Order, Scan, date_order, scan, set_time_of_day_form};
use super::settings::Settings;
use super::sniff::{Sniffed, sniff};
use super::suspicion::Suspicion;
use super::time::MidnightUnit;
use super::zone::Zone;
use crate::feed::error::FeedError;
use crate::feed::printable::printable;
use crate::feed::reject_counters::RejectCounters;
use crate::market::{Symbol, Time};

/// A file of fewer seconds of one day, read as milliseconds since midnight, may be a file of seconds.
const SECONDS_IN_MILLIS: u64 = 87;

/// To test the layout, this many rows at the start of a file are converted to events.
const TRIED_ROWS: u64 = 100;

/// A file, or a member of an archive, that was checked and can be replayed. The plan does not keep the file
/// open.
#[derive(Clone, Debug)]
pub struct Plan {
    pub part: Part,
    pub sniffed: Sniffed,
    layout: Arc<Layout>,
    /// The symbol of all rows; `None` if a column has the symbol of each row.
    symbol: Option<Symbol>,
    pub scan: Scan,
    settings: Arc<Settings>,
    reported: ReportedUpTo,
}

impl Plan {
    /// Recognizes the layout of a file or archive member, reads all times in it, and tries to convert the
    /// first rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the content is not market data, or if most of the first rows are rejected. Returns
    /// an error if the rows are not in time order, and there are more than `sort_rows` rows.
    pub fn open(part: Part, settings: &Arc<Settings>) -> Result<Self, FeedError> {
        let mut sniffed = sniff(&part, settings)?;
        let symbol = match (sniffed.layout.has_name_column(), &settings.symbol) {
            (true, _) => None,
            (false, Some(symbol)) => Some(symbol.clone()),
            (false, None) => {
                let path = part.virtual_path();
                let symbol = if let Some(symbol) = &sniffed.symbol {
                    Symbol::from_name(symbol).ok()
                } else if sniffed.layout.has_period_in_name {
                    path::symbol_with_period(&path, sniffed.minutes_between_rows)
                } else {
                    path::symbol(&path)
                };
                Some(symbol.ok_or_else(|| FeedError::NoSymbol { path: part.to_string().into() })?)
            }
        };
        if sniffed.is_date_order_open {
            let shown = date_order(&part, settings, &sniffed)?;
            sniffed.is_date_order_assumed = shown.is_none();
            sniffed.layout.date_order = shown.unwrap_or(sniffed.layout.date_order);
        }
        set_time_of_day_form(&part, settings, &mut sniffed)?;
        let layout = Arc::new(sniffed.layout.clone());
        let scan = scan(&part, settings, &sniffed, symbol.clone())?;
        let plan = Self {
            part,
            sniffed,
            layout,
            symbol,
            scan,
            settings: Arc::clone(settings),
            reported: ReportedUpTo::default(),
        };
        plan.check_instruments()?;
        plan.check_bars()?;
        plan.try_rows()?;
        let Scan { rows, order, .. } = plan.scan;
        if order != Order::Ascending && rows > settings.sort_rows as u64 {
            let path = plan.part.to_string().into();
            return Err(FeedError::TooLongToSort { path, rows, limit: settings.sort_rows });
        }
        plan.log();
        Ok(plan)
    }

    /// Returns an error if one symbol stands for several instruments, unless the configuration says which
    /// symbol the rows have.
    fn check_instruments(&self) -> Result<(), FeedError> {
        let Settings { symbol, map, .. } = &*self.settings;
        let is_mapped = map.as_ref().is_some_and(|map| map.has_any(&[Role::Symbol]));
        let is_given = is_mapped || symbol.is_some() && !self.layout.has_name_column();
        match &self.scan.merged {
            Some((line, Merged { symbol, column, values })) if !is_given => {
                Err(FeedError::SeveralInstruments {
                    path: self.part.to_string().into(),
                    line: *line,
                    symbol: symbol.clone(),
                    column: column.clone(),
                    values: values.clone().into(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Returns an error if many bars contradict themselves, unless the configuration says which column is which.
    fn check_bars(&self) -> Result<(), FeedError> {
        let prices = [Role::Open, Role::High, Role::Low, Role::Close];
        let is_given = self.settings.map.as_ref().is_some_and(|map| map.has_any(&prices));
        match &self.scan.contradictions {
            found @ Contradictions { bars, bad, first: Some((line, prices)), .. }
                if found.are_many() && !is_given =>
            {
                Err(FeedError::Contradictions {
                    path: self.part.to_string().into(),
                    line: *line,
                    bars: *bars,
                    bad: *bad,
                    found: prices.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Returns warnings if the day of the times comes from a folder, if the times of day begin again, or if their
    /// unit is in doubt.
    fn warnings_about_the_day(&self) -> impl Iterator<Item = String> {
        let path = self.part.virtual_path();
        let name = path.rsplit('/').next().unwrap_or(&path);
        let day = match self.layout.time {
            TimeColumns::TimeOfDay { day, .. } | TimeColumns::Day(day) => Some(Time::from_nanos(day)),
            TimeColumns::One(_) | TimeColumns::Two { .. } => None,
        };
        let is_of_name =
            |day: &Time| [path::day(name), path::short_day(name)].contains(&Some(day.as_nanos()));
        let of_folder = day.filter(|day| !is_of_name(day)).map(|day| {
            let day = day.to_string();
            let day = day.split('T').next().unwrap_or_default();
            format!("the times have no date, so the day {day} in the name of a folder is assumed")
        });
        let again = day
            .filter(|_| self.scan.order == Order::Unsorted)
            .map(|_| "the times of day fall and rise, but all are read as times of one day".to_owned());
        let is_counted = matches!(
            self.layout.time,
            TimeColumns::TimeOfDay { form: TimeOfDayForm::Counted(MidnightUnit::Milliseconds), .. }
        );
        let is_short = self.scan.span.is_some_and(|(first, last)| {
            last.as_nanos().abs_diff(first.as_nanos()) < SECONDS_IN_MILLIS * 1_000_000_000
        });
        let may_be_seconds = (is_counted && is_short && self.scan.rows > 1)
            .then(|| "the times are read as milliseconds since midnight, and could be seconds".to_owned());
        of_folder.into_iter().chain(again).chain(may_be_seconds)
    }

    /// Returns a warning for each unused column that may hold something that the layout lacks, and warnings about
    /// an assumed day and assumed columns.
    pub fn warnings(&self) -> Vec<String> {
        let Settings { symbol, zone, .. } = &*self.settings;
        let Sniffed { layout, unused, assumed, .. } = &self.sniffed;
        let is_open = |suspicion: &Suspicion| match suspicion {
            Suspicion::Instrument | Suspicion::Contract => !layout.has_name_column() && symbol.is_none(),
            Suspicion::Size(_) | Suspicion::BarPrice(_) => true,
            Suspicion::PartOfTime => !self.scan.has_fractions,
            Suspicion::Zone => self.scan.has_local_times && zone.is_none(),
        };
        let suspected = unused
            .iter()
            .filter_map(|column| Some((column, Suspicion::of(column, unused, layout).filter(is_open)?)));
        let warnings = suspected.map(|(column, suspicion)| suspicion.warning(column));
        warnings.chain(self.warnings_about_the_day()).chain(assumed.clone()).collect()
    }

    /// Returns the symbol that was found in the file's name; `None` if the symbol has another source.
    pub fn symbol_in_name(&self) -> Option<&Symbol> {
        self.symbol.as_ref().filter(|_| self.settings.symbol.is_none() && self.sniffed.symbol.is_none())
    }

    /// Logs the recognized layout and time order. Also logs what was assumed about the time zone and the
    /// dates. If a packed file is damaged, also logs how.
    fn log(&self) {
        let Scan { rows, order, has_local_times, damage, .. } = &self.scan;
        let (layout, symbol) = (self.layout.name, self.symbol.as_ref().map(Symbol::as_str));
        info!(file = %self.part, layout, rows, order = order.name(), symbol, "opened");
        if *has_local_times && self.settings.zone.is_none() {
            info!(file = %self.part, "its times have no zone, so UTC is assumed (--tz sets another)");
        }
        let says_a_zone = |name: &&String| name.contains('(');
        let names =
            self.layout.uses().filter(|(role, _)| matches!(role, Role::Time | Role::Date | Role::TimeOfDay));
        let mut names = names.filter_map(|(_, column)| self.sniffed.names.get(column));
        if let (true, None, Some(column)) = (*has_local_times, &self.settings.zone, names.find(says_a_zone)) {
            warn!(file = %self.part, column, "the column's name may give the zone of its times (set it by --tz)");
        }
        if self.sniffed.is_date_order_assumed {
            let read = self.layout.date_order;
            warn!(file = %self.part, ?read, "no date shows whether day or month comes first (set it by --date-order)");
        }
        for warning in self.warnings() {
            warn!(file = %self.part, "{}", printable(&warning));
        }
        if let Some(damage) = damage {
            warn!(file = %self.part, %damage, "the packed file is damaged, and the rows before the damage are used");
        }
    }

    /// Returns the count of all rows, and the time range of the file, limited to the settings `from` and
    /// `to`. Returns `None` if the limited range is empty.
    pub fn extent(&self) -> Option<Extent> {
        let (first, last) = self.scan.span?;
        let first = self.settings.from.map_or(first, |from| from.max(first));
        let last = self.settings.to.map_or(last, |to| to.min(last));
        (first <= last).then_some(Extent { first, last, rows: self.scan.rows })
    }

    /// Returns the text that the command `inspect` prints for the time zone.
    pub fn zone(&self) -> String {
        match (&self.settings.zone, self.scan.has_local_times) {
            (_, false) => "UTC".to_owned(),
            (None, true) => "UTC (assumed)".to_owned(),
            (Some(zone), true) => zone.to_string(),
        }
    }

    /// Returns the events of the file, in time order.
    pub fn events(&self) -> Result<Events, FeedError> {
        let mut rows = self.rows()?;
        match self.scan.order {
            Order::Ascending => {
                rows.ends_with_time = true;
                Ok(Events::Streamed(Box::new(rows)))
            }
            order => sorted(rows, order).map(Events::Sorted),
        }
    }

    /// Returns the events of the file, in the order of the rows.
    pub fn rows(&self) -> Result<Rows, FeedError> {
        let mut records = Records::open(&self.part, &self.settings, &self.sniffed)?;
        records.cut_at(self.layout.cells());
        let zone = self.settings.zone.clone().unwrap_or_else(Zone::utc);
        let resolver = zone.resolver(self.scan.order == Order::Descending);
        Ok(Rows {
            records,
            reader: RowReader::new(Arc::clone(&self.layout), self.symbol.clone(), resolver),
            second_event: None,
            rejected: RejectedRows::new(
                self.part.to_string(),
                self.settings.reject_counters.clone(),
                self.reported.clone(),
            ),
            is_strict: self.settings.is_strict,
            from: self.settings.from,
            to: self.settings.to,
            ends_with_time: false,
        })
    }

    /// Returns an error if most of the first rows are rejected, or if no row becomes an event.
    fn try_rows(&self) -> Result<(), FeedError> {
        let rejected = RejectedRows::new(String::new(), RejectCounters::default(), ReportedUpTo::all());
        let mut rows = Rows { from: None, to: None, rejected, ..self.rows()? };
        let (mut tried, mut bad, mut good, mut first_bad) = (0, 0, 0, None);
        while good == 0 || tried < TRIED_ROWS {
            match rows.next_row()? {
                None => break,
                Some(Ok(_)) => good += 1,
                Some(Err(RejectedRow { reason: Reason::Missing | Reason::Filtered, .. })) => {}
                Some(Err(row)) => {
                    bad += u64::from(tried < TRIED_ROWS);
                    first_bad.get_or_insert((rows.line(), row));
                }
            }
            tried += 1;
        }
        let path = || PathBuf::from(self.part.to_string());
        match first_bad {
            Some((line, row)) if bad * 2 > tried.min(TRIED_ROWS) || good == 0 => {
                let RejectedRow { reason, found } = row;
                Err(FeedError::MostlyBad {
                    path: path(),
                    bad,
                    tried: tried.min(TRIED_ROWS),
                    line,
                    reason: reason.name(),
                    found,
                })
            }
            None if good == 0 => Err(FeedError::NoEvents { path: path(), rows: tried }),
            _ => Ok(()),
        }
    }
}

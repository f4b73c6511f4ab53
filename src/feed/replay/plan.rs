//! The plan of a text: all that is decided before its first row is read, and then its events in time order.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::Arc;
use std::vec;

use tracing::{info, warn};

use super::container::{Damage, Part};
use super::extent::Extent;
use super::layout::{Layout, Role};
use super::path;
use super::records::Records;
use super::rejected_rows::{RejectedRows, ReportedUpTo};
use super::row::{Reason, RejectedRow, Row, RowReader};
use super::scan::{Order, Scan, date_order, scan, set_time_of_day_form};
use super::settings::Settings;
use super::sniff::{Sniffed, sniff};
use super::zone::Zone;
use crate::feed::error::FeedError;
use crate::feed::reject_counters::RejectCounters;
use crate::market::{Event, Payload, Symbol, Time};

/// Of so many rows at the start, most have to be good.
const TRIED_ROWS: u64 = 100;

/// A text that can be replayed, checked but not held open.
#[derive(Clone, Debug)]
pub struct Plan {
    pub part: Part,
    pub sniffed: Sniffed,
    layout: Arc<Layout>,
    /// The symbol of all rows, where no column says it.
    symbol: Option<Symbol>,
    pub scan: Scan,
    settings: Arc<Settings>,
    reported: ReportedUpTo,
}

/// The events of a text, in time order.
pub enum Events {
    /// The text is in order: one row after the other, in constant memory.
    Streamed(Box<Rows>),
    /// The text is not, and has been sorted.
    Sorted(vec::IntoIter<Event>),
}

/// The events of a text in its own order.
pub struct Rows {
    records: Records,
    reader: RowReader,
    /// The second event of the row read last.
    then: Option<Event>,
    rejected: RejectedRows,
    is_strict: bool,
    /// The wanted time: from here
    from: Option<Time>,
    /// to before here.
    to: Option<Time>,
    /// Whether nothing that is wanted comes after the first row past its end.
    ends_with_time: bool,
}

impl Plan {
    /// Sniffs a text, scans its times, and tries its first rows.
    ///
    /// # Errors
    ///
    /// It is no market data, most of its first rows cannot be used, or it is out of order and too long to be sorted.
    pub fn open(part: Part, settings: &Arc<Settings>) -> Result<Self, FeedError> {
        let mut sniffed = sniff(&part, settings)?;
        let symbol = match (sniffed.layout.symbol, &settings.symbol) {
            (Some(_), _) => None,
            (None, Some(symbol)) => Some(symbol.clone()),
            (None, None) => {
                let read =
                    if sniffed.layout.has_period_in_name { path::symbol_with_period } else { path::symbol };
                let symbol = read(&part.virtual_path());
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
        let scan = scan(&part, settings, &sniffed)?;
        let plan = Self {
            part,
            sniffed,
            layout,
            symbol,
            scan,
            settings: Arc::clone(settings),
            reported: ReportedUpTo::default(),
        };
        plan.try_rows()?;
        let Scan { rows, order, .. } = plan.scan;
        if order != Order::Ascending && rows > settings.sort_rows as u64 {
            let path = plan.part.to_string().into();
            return Err(FeedError::TooLongToSort { path, rows, limit: settings.sort_rows });
        }
        plan.tell();
        Ok(plan)
    }

    /// Logs what was understood, and what was assumed.
    fn tell(&self) {
        let Scan { rows, order, has_local_times, damage, .. } = &self.scan;
        let (layout, symbol) = (self.layout.name, self.symbol.as_ref().map(Symbol::as_str));
        info!(file = %self.part, layout, rows, order = order.name(), symbol, "opened");
        if *has_local_times && self.settings.zone.is_none() {
            info!(file = %self.part, "its times have no zone and are taken for UTC (--tz says otherwise)");
        }
        let says_a_zone = |name: &&String| name.contains('(');
        let names =
            self.layout.uses().filter(|(role, _)| matches!(role, Role::Time | Role::Date | Role::TimeOfDay));
        let mut names = names.filter_map(|(_, column)| self.sniffed.names.get(column));
        if let (true, None, Some(column)) = (*has_local_times, &self.settings.zone, names.find(says_a_zone)) {
            warn!(file = %self.part, column, "it may say whose clock its times are of (--tz says)");
        }
        if self.sniffed.is_date_order_assumed {
            let read = self.layout.date_order;
            warn!(file = %self.part, ?read, "no date shows whether day or month comes first (--date-order says)");
        }
        if let Some(damage) = damage {
            warn!(file = %self.part, %damage, "it is packed, and what came before the damage is used");
        }
    }

    /// What lies in the text, within the span of time that is asked for; `None` where no row has a time there.
    pub fn extent(&self) -> Option<Extent> {
        let (first, last) = self.scan.span?;
        let first = self.settings.from.map_or(first, |from| from.max(first));
        let last = self.settings.to.map_or(last, |to| to.min(last));
        (first <= last).then_some(Extent { first, last, rows: self.scan.rows })
    }

    /// Whose clock its times are of.
    pub fn zone(&self) -> String {
        match (&self.settings.zone, self.scan.has_local_times) {
            (_, false) => "UTC".to_owned(),
            (None, true) => "UTC (assumed)".to_owned(),
            (Some(zone), true) => zone.to_string(),
        }
    }

    /// Its events in time order.
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

    /// Its events in its own order.
    pub fn rows(&self) -> Result<Rows, FeedError> {
        let records = Records::open(&self.part, &self.settings, &self.sniffed)?.cut_at(self.layout.cells());
        let zone = self.settings.zone.clone().unwrap_or_else(Zone::utc);
        let resolver = zone.resolver(self.scan.order == Order::Descending);
        Ok(Rows {
            records,
            reader: RowReader::new(Arc::clone(&self.layout), self.symbol.clone(), resolver),
            then: None,
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

    /// Refuses a text of which most of the first rows are bad, or all of them.
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

/// Sorts by time. Equal times keep the order of the file; of a file that runs backwards, they are turned round too.
fn sorted(mut rows: Rows, order: Order) -> Result<vec::IntoIter<Event>, FeedError> {
    let mut events = Vec::new();
    while let Some(event) = rows.next()? {
        events.push((rows.records.line(), event));
    }
    match order {
        Order::Descending => events.sort_by_key(|(line, event)| (event.time, Reverse(*line))),
        Order::Ascending | Order::Unsorted => events.sort_by_key(|(_, event)| event.time),
    }
    let events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
    Ok(events.into_iter())
}

impl Iterator for Events {
    type Item = Result<Event, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Streamed(rows) => rows.next().transpose(),
            Self::Sorted(events) => events.next().map(Ok),
        }
    }
}

impl Rows {
    /// The number of the line read last, from 1.
    pub fn line(&self) -> u64 {
        self.records.line()
    }

    /// What is wrong with what the text is packed in, as far as it has been read.
    pub fn damage(&self) -> &Damage {
        self.records.damage()
    }

    /// The rows that gave no event so far.
    pub fn rejected(&self) -> &RejectedRows {
        &self.rejected
    }

    /// The next event; `None` at the end of the text.
    pub fn next(&mut self) -> Result<Option<Event>, FeedError> {
        if let Some(then) = self.then.take() {
            return Ok(Some(then));
        }
        loop {
            let Some(read) = self.next_row()? else {
                self.rejected.sum_up();
                return Ok(None);
            };
            match read {
                Ok(Row { time, symbol, payload, then }) => {
                    let event = |symbol, payload: Payload| Event { symbol, time, payload };
                    self.then = then.map(|payload| event(symbol.clone(), payload));
                    return Ok(Some(event(symbol, payload)));
                }
                Err(row) if self.is_strict && row.reason != Reason::Filtered => {
                    let RejectedRow { reason, found } = row;
                    let path = PathBuf::from(self.rejected.name());
                    return Err(FeedError::BadRow {
                        path,
                        line: self.records.line(),
                        reason: reason.name(),
                        found,
                    });
                }
                Err(row) => self.rejected.add(self.records.line(), &row),
            }
        }
    }

    /// The next row, or why it gives no event.
    fn next_row(&mut self) -> Result<Option<Result<Row, RejectedRow>>, FeedError> {
        let Some(record) = self.records.next()? else { return Ok(None) };
        let row = record.and_then(|record| self.reader.read(&record));
        let Ok(Row { time, .. }) = row else { return Ok(Some(row)) };
        let is_past = self.to.is_some_and(|to| time >= to);
        if is_past && self.ends_with_time {
            return Ok(None);
        }
        if is_past || self.from.is_some_and(|from| time < from) {
            return Ok(Some(Err(RejectedRow { reason: Reason::Filtered, found: String::new() })));
        }
        Ok(Some(row))
    }
}

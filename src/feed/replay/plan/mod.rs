//! The plan of a file or an archive member: its layout, symbol, time order and time zone. The plan is made
//! before the first row is replayed.

mod symbols_in_names;
mod warnings;

use std::path::PathBuf;
use std::sync::Arc;

use tracing::{info, warn};

use super::container::Part;
use super::events::{Events, RejectedRows, ReportedUpTo, Rows, sorted};
use super::extent::TimeRange;
use super::layout::{Layout, Role};
use super::path;
use super::reason::{Reason, RejectedRow};
use super::records::Records;
use super::row::RowReader;
use super::scan::{Account, Contradictions, Merged, Order, Read, Scan, scan};
use super::settings::Settings;
use super::sniff::{Dialect, Sniffed, UnusedColumn, sniff};
use super::zone::Zones;
use crate::feed::error::FeedError;
use crate::feed::reject_counters::RejectCounters;
use crate::market::Symbol;

pub use symbols_in_names::SymbolsInNames;
pub use warnings::warnings;

/// To test the layout, this many rows at the start of a file are converted to events.
const TRIED_ROWS: u64 = 100;

/// A file, or a member of an archive, that was checked and can be replayed. The plan does not keep the file
/// open, and never changes.
#[derive(Clone, Debug)]
pub struct Plan {
    pub part: Part,
    pub dialect: Dialect,
    pub layout: Arc<Layout>,
    /// The column names in the header; empty if the file has no header.
    pub names: Vec<String>,
    /// The columns that no role uses.
    pub unused: Vec<UnusedColumn>,
    /// What was assumed of the columns.
    pub assumed: Vec<String>,
    /// What the first lines say about the zone of local times.
    pub zone_clues: Vec<String>,
    /// The shortest time between two of the first rows, in minutes; `None` if it is not known.
    pub minutes_between_rows: Option<i64>,
    /// The symbol of all rows; `None` if a column has the symbol of each row.
    pub symbol: Option<Symbol>,
    /// The symbol of all rows, if a line before the first row names it.
    symbol_in_file: Option<String>,
    pub scan: Scan,
    pub settings: Arc<Settings>,
    reported: ReportedUpTo,
}

impl Plan {
    /// Recognizes the layout of a file or archive member, reads all rows in it once, and tries to convert the
    /// first rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the content is not market data, or if most of the first rows are rejected. Returns
    /// an error if the rows are not in time order, and there are more than `sort_rows` rows.
    pub fn open(part: Part, settings: &Arc<Settings>) -> Result<Self, FeedError> {
        let sniffed = sniff(&part, settings)?;
        let symbol = symbol(&part, settings, &sniffed)?;
        let scan = scan(&part, settings, &sniffed, symbol.as_ref())?;
        let Sniffed { dialect, names, unused, assumed, zone_clues, minutes_between_rows, .. } = sniffed;
        let symbol_in_file = sniffed.symbol;
        let plan = Self {
            part,
            dialect,
            layout: Arc::clone(&scan.layout),
            names,
            unused,
            assumed,
            zone_clues,
            minutes_between_rows,
            symbol,
            symbol_in_file,
            scan,
            settings: Arc::clone(settings),
            reported: ReportedUpTo::default(),
        };
        plan.check_account()?;
        plan.check_instruments()?;
        plan.check_bars()?;
        plan.try_rows()?;
        let rows = plan.scan.rows;
        if plan.scan.times.order != Order::Ascending && rows > settings.sort_rows as u64 {
            let path = plan.part.to_string().into();
            return Err(FeedError::TooLongToSort { path, rows, limit: settings.sort_rows });
        }
        plan.log();
        Ok(plan)
    }

    /// Returns an error if some rows of an account's file are no trades.
    fn check_account(&self) -> Result<(), FeedError> {
        let unfit = |account: Account| FeedError::Unfit {
            path: self.part.to_string().into(),
            layout: "a table",
            looks_like: account.looks_like(),
        };
        self.scan.account.map(unfit).map_or(Ok(()), Err)
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

    /// Returns the symbol that was found in the file's name; `None` if the symbol has another source.
    pub fn symbol_in_name(&self) -> Option<&Symbol> {
        self.symbol.as_ref().filter(|_| self.settings.symbol.is_none() && self.symbol_in_file.is_none())
    }

    /// Logs the recognized layout and time order. Also logs what was assumed about the time zone and the
    /// dates. If a packed file is damaged, also logs how.
    fn log(&self) {
        let Scan { rows, times, damage, .. } = &self.scan;
        let Read { order, has_local_times, .. } = times;
        let (layout, symbol) = (self.layout.name, self.symbol.as_ref().map(Symbol::as_str));
        info!(file = %self.part, layout, rows, order = order.name(), symbol, "opened");
        if *has_local_times && self.settings.zone.is_none() {
            info!(file = %self.part, "its times have no zone, so UTC is assumed (--tz sets another)");
        }
        if times.is_date_order_assumed {
            let read = times.times.date_order;
            warn!(file = %self.part, ?read, "no date shows whether day or month comes first (set it by --date-order)");
        }
        if let Some(damage) = damage {
            warn!(file = %self.part, %damage, "the packed file is damaged, and the rows before the damage are used");
        }
    }

    /// Returns the text that the command `inspect` prints for the time zone.
    pub fn zone(&self) -> String {
        let Read { has_local_times, zone_names, .. } = &self.scan.times;
        match (&self.settings.zone, has_local_times) {
            _ if !zone_names.is_empty() => zone_names.join(", "),
            (_, false) => "UTC".to_owned(),
            (None, true) => "UTC (assumed)".to_owned(),
            (Some(zone), true) => zone.to_string(),
        }
    }

    /// Returns the events of the file, in time order.
    pub fn events(&self) -> Result<Events, FeedError> {
        let mut rows = self.rows()?;
        match self.scan.times.order {
            Order::Ascending => {
                rows.ends_with_time = true;
                Ok(Events::Streamed(Box::new(rows)))
            }
            order => sorted(rows, order).map(Events::Sorted),
        }
    }

    /// Returns the events of the file, in the order of the rows.
    pub fn rows(&self) -> Result<Rows, FeedError> {
        let mut records = Records::open(&self.part, &self.settings, &self.dialect)?;
        records.cut_at(self.layout.cells());
        let zones = Zones::new(self.settings.zone.as_ref(), self.scan.times.order == Order::Descending);
        Ok(Rows {
            records,
            reader: RowReader::new(Arc::clone(&self.layout), self.symbol.clone(), zones),
            second_event: None,
            rejected: RejectedRows::new(
                self.part.to_string(),
                self.settings.reject_counters.clone(),
                self.reported.clone(),
            ),
            is_strict: self.settings.is_strict,
            range: self.settings.range,
            ends_with_time: false,
        })
    }

    /// Returns an error if most of the first rows are rejected, or if no row becomes an event.
    fn try_rows(&self) -> Result<(), FeedError> {
        let rejected = RejectedRows::new(String::new(), RejectCounters::default(), ReportedUpTo::all());
        let mut rows = Rows { range: TimeRange::default(), rejected, ..self.rows()? };
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

/// Returns the symbol of all rows: the configured symbol, or the symbol in the file's name. Returns `None` if a
/// column has the symbol of each row.
fn symbol(part: &Part, settings: &Settings, sniffed: &Sniffed) -> Result<Option<Symbol>, FeedError> {
    if sniffed.layout.has_name_column() {
        return Ok(None);
    }
    if let Some(symbol) = &settings.symbol {
        return Ok(Some(symbol.clone()));
    }
    let path = part.virtual_path();
    let symbol = if let Some(symbol) = &sniffed.symbol {
        Symbol::from_name(symbol).ok()
    } else if sniffed.layout.has_period_in_name {
        path::symbol_with_period(&path, sniffed.minutes_between_rows)
    } else {
        path::symbol(&path).map(|symbol| with_month(symbol, &path, sniffed))
    };
    symbol.map(Some).ok_or_else(|| FeedError::NoSymbol { path: part.to_string().into() })
}

/// Returns the symbol with the month of its contract, if the file's name has one.
fn with_month(symbol: Symbol, path: &str, sniffed: &Sniffed) -> Symbol {
    let month = sniffed.first_time.and_then(|first| path::month_of_contract(path, first));
    let month = month.filter(|month| !symbol.as_str().contains(month));
    month.and_then(|month| format!("{symbol}_{month}").parse().ok()).unwrap_or(symbol)
}

//! A file: what its header and a first pass over its times tell, and then its events in time order.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::vec;

use csv::ByteRecord;
use tracing::{info, warn};

use super::Extent;
use super::layout::Layout;
use super::records::Records;
use super::row::{Reason, Skip};
use super::symbol;
use crate::feed::{FeedError, Input, Skipped};
use crate::market::{Data, Event, Symbol, Time};

/// So many skipped rows of a file are logged one by one; the rest are counted.
const LOGGED_SKIPS: u64 = 5;

/// A file that can be replayed, checked but not held open.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    layout: Layout,
    /// The symbol of all rows, where no column says it.
    symbol: Option<Symbol>,
    order: Order,
    extent: Option<Extent>,
    input: Input,
}

/// How the times of a file run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
    Unsorted,
}

/// The events of a file, in time order.
pub enum Events {
    /// The file is in order: one row after the other, in constant memory.
    Streamed(Box<Rows>),
    /// The file is not, and has been sorted.
    Sorted(vec::IntoIter<Event>),
}

/// The rows of a file in its own order.
pub struct Rows {
    source: Source,
    records: Records,
    /// The second event of the row read last.
    then: Option<Event>,
    /// The symbol read last: most often the next row's too.
    symbol: Option<Symbol>,
    skips: Skips,
}

/// The rows that gave no event, by reason.
struct Skips {
    path: PathBuf,
    counts: [u64; Reason::ALL.len()],
    skipped: Skipped,
    /// Told once, and not again in every lap.
    told: bool,
}

impl Source {
    /// Opens a file, reads its header, and passes over its time column.
    ///
    /// `symbol` is of use where the file has no column for it, `sort_rows` where it is not in time order.
    pub fn open(
        path: &Path,
        symbol: Option<&Symbol>,
        sort_rows: usize,
        input: &Input,
    ) -> Result<Self, FeedError> {
        let path = path.to_owned();
        let (mut records, layout) = Records::open(&path, input.line_bytes)?;
        let symbol = match (layout.symbol, symbol) {
            (Some(_), _) => None,
            (None, Some(symbol)) => Some(symbol.clone()),
            (None, None) => {
                Some(symbol::from_path(&path).ok_or_else(|| FeedError::NoSymbol { path: path.clone() })?)
            }
        };
        let Pass { rows, order, span } = pass_over_times(&mut records, &layout)?;
        if order != Order::Ascending && rows > sort_rows as u64 {
            return Err(FeedError::TooLongToSort { path, rows, limit: sort_rows });
        }
        info!(file = %path.display(), rows, ?order, symbol = ?symbol.as_ref().map(Symbol::as_str), "opened");
        let extent = span.map(|(first, last)| Extent { first, last, rows });
        Ok(Self { path, layout, symbol, order, extent, input: input.clone() })
    }

    /// What lies in the file; `None` where no row has a time.
    pub fn extent(&self) -> Option<Extent> {
        self.extent
    }

    /// The file's events in time order. Rows that cannot be used are logged, unless they have been told of.
    pub fn events(&self, is_told: bool) -> Result<Events, FeedError> {
        let (records, _) = Records::open(&self.path, self.input.line_bytes)?;
        let rows = Rows {
            source: self.clone(),
            records,
            then: None,
            symbol: None,
            skips: Skips {
                path: self.path.clone(),
                counts: [0; Reason::ALL.len()],
                skipped: self.input.skipped.clone(),
                told: is_told,
            },
        };
        match self.order {
            Order::Ascending => Ok(Events::Streamed(Box::new(rows))),
            order => sorted(rows, order).map(Events::Sorted),
        }
    }
}

/// What a pass over the times of a file finds.
struct Pass {
    rows: u64,
    order: Order,
    /// The earliest and the latest time.
    span: Option<(Time, Time)>,
}

/// How many rows there are and how their times run.
fn pass_over_times(records: &mut Records, layout: &Layout) -> Result<Pass, FeedError> {
    let (mut rows, mut rises, mut falls) = (0, false, false);
    let mut before: Option<Time> = None;
    let mut span: Option<(Time, Time)> = None;
    let mut first_bad = None;
    while let Some(record) = records.next()? {
        rows += 1;
        match record.and_then(|record| layout.time.read(record)) {
            Ok(time) => {
                rises |= before.is_some_and(|before| before < time);
                falls |= before.is_some_and(|before| before > time);
                before = Some(time);
                span = Some(span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
            }
            Err(Skip { found, .. }) => {
                first_bad.get_or_insert((records.line(), found));
            }
        }
    }
    if let (None, Some((line, found))) = (before, first_bad) {
        return Err(FeedError::NoTimes { path: records.path().to_owned(), line, found });
    }
    let order = match (rises, falls) {
        (_, false) => Order::Ascending,
        (false, true) => Order::Descending,
        (true, true) => Order::Unsorted,
    };
    Ok(Pass { rows, order, span })
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
    /// The next event; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<Event>, FeedError> {
        if let Some(then) = self.then.take() {
            return Ok(Some(then));
        }
        loop {
            let Some(record) = self.records.next()? else {
                self.skips.sum_up();
                return Ok(None);
            };
            let read = record.and_then(|record| {
                let row = self.source.layout.read(record)?;
                Ok((row, self.source.symbol_of(record, &mut self.symbol)?))
            });
            match read {
                Ok((row, symbol)) => {
                    let event = |symbol, data: Data| Event { symbol, time: row.time, data };
                    self.then = row.then.map(|data| event(symbol.clone(), data));
                    return Ok(Some(event(symbol, row.data)));
                }
                Err(skip) => self.skips.add(self.records.line(), &skip),
            }
        }
    }
}

impl Source {
    /// The symbol of a row; `last` is the one that the column had before.
    fn symbol_of(&self, row: &ByteRecord, last: &mut Option<Symbol>) -> Result<Symbol, Skip> {
        if let Some(symbol) = &self.symbol {
            return Ok(symbol.clone());
        }
        let cell = self.layout.symbol.and_then(|column| row.get(column)).unwrap_or_default();
        match last {
            Some(last) if last.as_str().as_bytes() == cell => Ok(last.clone()),
            last => {
                let name = std::str::from_utf8(cell).ok().and_then(|name| Symbol::from_name(name).ok());
                let symbol = name.ok_or_else(|| Skip::new(Reason::BadSymbol, cell))?;
                Ok(last.insert(symbol).clone())
            }
        }
    }
}

impl Skips {
    fn add(&mut self, line: u64, Skip { reason, found }: &Skip) {
        self.counts[reason.index()] += 1;
        self.skipped.add(reason.name());
        if !self.told && self.counts.iter().sum::<u64>() <= LOGGED_SKIPS {
            let place = format_args!("{}:{line}", self.path.display());
            warn!(%place, reason = reason.name(), ?found, "skipped a row");
        }
    }

    fn sum_up(&mut self) {
        let rows: u64 = self.counts.iter().sum();
        if rows > 0 && !self.told {
            let counted = Reason::ALL.iter().filter(|reason| self.counts[reason.index()] > 0);
            let reasons: Vec<String> =
                counted.map(|reason| format!("{} {}", self.counts[reason.index()], reason.name())).collect();
            warn!(file = %self.path.display(), rows, reasons = %reasons.join(", "), "rows were skipped");
        }
    }
}

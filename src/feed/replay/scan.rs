//! The scan: reads all times and symbols of a file once. Finds out whether the times rise or fall, and finds
//! the earliest and the latest time.

use super::container::Part;
use super::contradictions::Contradictions;
use super::extent::Extent;
use super::layout::TimeOfDayForm;
use super::merged_instruments::{Merged, MergedInstruments};
use super::named_symbols::NamedSymbols;
use super::records::Records;
use super::row::{RejectedRow, SymbolReader};
use super::settings::Settings;
use super::sniff::Sniffed;
use super::time::{self, DateOrder, MidnightUnit, OrdersLeft, Stamp};
use super::zone::{Resolver, Zone};
use crate::feed::error::FeedError;
use crate::market::{Symbol, Time};

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// The order of the times in a file, from the first row to the last row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
    Unsorted,
}

/// The result of a scan, i.e. of reading all times and symbols of a file once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    pub rows: u64,
    pub order: Order,
    /// The earliest and the latest time; `None` if the file has no rows.
    pub span: Option<(Time, Time)>,
    /// The extent of the rows between the settings `from` and `to`; `None` if there are no such rows.
    pub extent: Option<Extent>,
    /// The symbols of all rows with a readable time. A symbol is included even if its row is rejected later
    /// for another reason.
    pub symbols: NamedSymbols,
    /// Whether at least one time in the file has neither a zone nor an offset from UTC.
    pub has_local_times: bool,
    /// Whether at least one time in the file has a fraction of a second.
    pub has_fractions: bool,
    /// Two rows that prove that one symbol stands for several instruments, with the line number of the second
    /// row; `None` if there is no such pair.
    pub merged: Option<(u64, Merged)>,
    pub contradictions: Contradictions,
    /// The number of rows whose local time occurs twice, because the zone's clocks went back.
    pub repeated: u64,
    /// The number of rows whose local time does not exist, because the zone's clocks went forward.
    pub moved: u64,
    /// A description of the damage to the packed file; `None` if the file is intact.
    pub damage: Option<String>,
}

/// One attempt to convert the times of a file to UTC. The attempt assumes one direction: either the rows run
/// forward in time, or they run backward.
struct Run {
    resolver: Resolver,
    before: Option<Time>,
    span: Option<(Time, Time)>,
    extent: Option<Extent>,
    rises: bool,
    falls: bool,
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

/// Returns the order of day, month and year that the dates of a file prove; `None` if all dates are
/// ambiguous.
pub fn date_order(
    part: &Part,
    settings: &Settings,
    sniffed: &Sniffed,
) -> Result<Option<DateOrder>, FeedError> {
    let Some(column) = sniffed.layout.time.date_column() else { return Ok(None) };
    let mut records = Records::open(part, settings, sniffed)?;
    records.cut_at(column + 1);
    let mut left = OrdersLeft::default();
    while let Some(record) = records.next()? {
        if let Some(order) = record.ok().and_then(|row| left.observe(row.get(column)?)) {
            return Ok(Some(order));
        }
    }
    Ok(None)
}

/// Finds the notation of times of day that are written without colons.
///
/// All times of day in the file are read, because the notation of a single time is ambiguous. Many files drop
/// leading zeros, and some files count seconds or milliseconds since midnight.
pub fn set_time_of_day_form(
    part: &Part,
    settings: &Settings,
    sniffed: &mut Sniffed,
) -> Result<(), FeedError> {
    let Some((column, TimeOfDayForm::Text)) =
        sniffed.layout.time.time_of_day().map(|(column, form)| (column, *form))
    else {
        return Ok(());
    };
    let mut records = Records::open(part, settings, sniffed)?;
    records.cut_at(column + 1);
    let mut times_of_day = TimesOfDay::default();
    while let Some(record) = records.next()? {
        let Some(cell) = record.ok().and_then(|row| row.get(column)) else { continue };
        if !times_of_day.observe(cell.trim_ascii()) {
            return Ok(());
        }
    }
    if let (Some((_, form)), Some(found)) = (sniffed.layout.time.time_of_day(), times_of_day.form()) {
        *form = found;
    }
    Ok(())
}

/// Statistics of the times of day that consist of digits.
#[derive(Default)]
struct TimesOfDay {
    /// The largest number of digits in a cell.
    longest: usize,
    /// The number of cells whose digits are not valid hours, minutes and seconds.
    faults: u64,
    /// The largest value of a cell, read as a count of seconds or milliseconds since midnight.
    latest: u64,
    /// The number of cells that consist of digits.
    seen: u64,
}

impl TimesOfDay {
    /// Adds a cell. Returns false if the first non-empty cell is not a number. The times of day in the file
    /// must then be parsed as text.
    fn observe(&mut self, cell: &[u8]) -> bool {
        let whole = cell.split(|byte| *byte == b'.').next().unwrap_or_default();
        if cell.is_empty() {
            return true;
        }
        if whole.is_empty() || !whole.iter().all(u8::is_ascii_digit) {
            return self.seen > 0;
        }
        self.seen += 1;
        self.longest = self.longest.max(whole.len());
        self.faults += u64::from(time::time_of_day_of_digits(whole, 6).is_none());
        let count = whole
            .iter()
            .fold(0_u64, |count, digit| count.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        self.latest = self.latest.max(count);
        true
    }

    fn form(&self) -> Option<TimeOfDayForm> {
        // Up to one cell in a hundred may be invalid.
        let are_times_of_day = self.faults * 100 <= self.seen;
        match self.longest {
            3..=4 => Some(TimeOfDayForm::Digits(4)),
            5..=6 if are_times_of_day => Some(TimeOfDayForm::Digits(6)),
            5..=6 if self.latest <= 86_400 => Some(TimeOfDayForm::Counted(MidnightUnit::Seconds)),
            7..=8 if self.latest <= 86_400_000 => Some(TimeOfDayForm::Counted(MidnightUnit::Milliseconds)),
            // In a number with 12 digits for hours, minutes, seconds and microseconds, a leading zero is missing
            // only before 10 o'clock. So 11 digits more likely count microseconds.
            11 if self.latest <= 86_400_000_000 => Some(TimeOfDayForm::Counted(MidnightUnit::Microseconds)),
            longest @ (9 | 12 | 15) => Some(TimeOfDayForm::Digits(longest)),
            _ => None,
        }
    }
}

/// Reads all times and symbols of a file. Counts the rows, and finds the order of the times, the earliest
/// time and the latest time.
///
/// `symbol` is the symbol of all rows, or `None` if a column has the symbol of each row.
pub fn scan(
    part: &Part,
    settings: &Settings,
    sniffed: &Sniffed,
    symbol: Option<Symbol>,
) -> Result<Scan, FeedError> {
    let layout = &sniffed.layout;
    let mut compared = MergedInstruments::new(layout, &sniffed.unused);
    let width = layout.width_of_time().max(layout.width_of_symbol()).max(compared.width(layout));
    let width_of_judged = width.max(Contradictions::width(layout));
    let (mut merged, mut contradictions) = (None, Contradictions::default());
    let mut records = Records::open(part, settings, sniffed)?;
    let (mut symbols, mut symbol_reader) = (NamedSymbols::default(), SymbolReader::from(symbol));
    let zone = settings.zone.clone().unwrap_or_else(Zone::utc);
    // When clocks go back, an hour of local time occurs twice. The direction of the rows tells the two hours
    // apart. The direction is not known yet, so both directions are tried.
    let mut runs = [Run::new(zone.resolver(false)), Run::new(zone.resolver(true))];
    let (mut rows, mut has_local_times, mut has_fractions, mut first_bad) = (0, false, false, None);
    loop {
        // Most rows are split only as far as their time and their symbol.
        records.cut_at(if contradictions.judges_next() { width_of_judged } else { width });
        let Some(record) = records.next()? else { break };
        rows += 1;
        let is_compared = compared.has_columns() && merged.is_none();
        let mut contradicts = None;
        let observed = record.and_then(|record| {
            let stamp = layout.stamp(&record)?;
            has_local_times |= matches!(stamp, Stamp::Local(_));
            let nanos = stamp.nanos();
            has_fractions |= nanos % SECOND != 0;
            contradicts = contradictions.observe(layout, &record);
            let mut differs = None;
            // A row whose symbol cannot be read is rejected later.
            if (symbols.is_open() || is_compared)
                && let Ok(symbol) = symbol_reader.read(layout, &record)
            {
                symbols.insert(&symbol);
                let is_compared = is_compared && layout.is_selected(&record);
                differs = is_compared.then(|| compared.observe(nanos, &symbol, &record)).flatten();
            }
            let observed = runs.iter_mut().try_for_each(|run| run.observe(stamp, settings));
            observed.map(|()| differs).ok_or_else(|| layout.time.bad(&record))
        });
        if let Some(found) = contradicts {
            contradictions.first.get_or_insert((records.line(), found));
        }
        match observed {
            Ok(differs) => merged = merged.or(differs.map(|differs| (records.line(), differs))),
            Err(RejectedRow { found, .. }) => {
                first_bad.get_or_insert((records.line(), found));
            }
        }
    }
    let [forward, backward] = runs;
    if let (None, Some((line, found))) = (forward.span, first_bad) {
        return Err(FeedError::NoTimes { path: part.to_string().into(), line, found });
    }
    let (order, run) = match (forward, backward) {
        (run, _) if !run.falls => (Order::Ascending, run),
        (_, run) if !run.rises => (Order::Descending, run),
        (run, _) => (Order::Unsorted, run),
    };
    let (repeated, moved) = (run.resolver.repeated(), run.resolver.moved());
    let damage = records.damage().found().map(str::to_owned);
    Ok(Scan {
        rows,
        order,
        span: run.span,
        extent: run.extent,
        symbols,
        has_local_times,
        has_fractions,
        merged,
        contradictions,
        repeated,
        moved,
        damage,
    })
}

impl Run {
    fn new(resolver: Resolver) -> Self {
        Self { resolver, before: None, span: None, extent: None, rises: false, falls: false }
    }

    /// Adds the time of the next row. Returns `None` if the time is outside the range of [`Time`].
    fn observe(&mut self, stamp: Stamp, settings: &Settings) -> Option<()> {
        let time = match stamp {
            Stamp::Utc(time) => time,
            Stamp::Local(nanos) => self.resolver.resolve(nanos)?,
        };
        if let Some(before) = self.before {
            self.rises |= before < time;
            self.falls |= before > time;
        }
        self.before = Some(time);
        self.span = Some(self.span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        if settings.includes(time) {
            let row = Extent::of_row(time);
            self.extent = Some(self.extent.map_or(row, |extent| extent.and(row)));
        }
        Some(())
    }
}

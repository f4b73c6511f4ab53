//! The scan: reads all rows of a file once. Finds out how the times are to be read, whether the times rise or
//! fall, and what contradicts the layout.

use super::container::Part;
use super::contradictions::Contradictions;
use super::merged_instruments::{Merged, MergedInstruments};
use super::named_symbols::NamedSymbols;
use super::path;
use super::reading::{Known, Read, Readings};
use super::reason::RejectedRow;
use super::records::Records;
use super::row::SymbolReader;
use super::settings::Settings;
use super::sniff::Sniffed;
use crate::feed::error::FeedError;
use crate::market::Symbol;

/// The result of a scan, i.e. of reading all rows of a file once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    pub rows: u64,
    /// How the times are read, and their order.
    pub times: Read,
    /// The symbols of all rows with a readable time. A symbol is included even if its row is rejected later
    /// for another reason.
    pub symbols: NamedSymbols,
    /// Two rows that prove that one symbol stands for several instruments, with the line number of the second
    /// row; `None` if there is no such pair.
    pub merged: Option<(u64, Merged)>,
    pub contradictions: Contradictions,
    /// A description of the damage to the packed file; `None` if the file is intact.
    pub damage: Option<String>,
}

/// Scans a file.
///
/// `symbol` is the symbol of all rows, or `None` if a column has the symbol of each row.
///
/// # Errors
///
/// Returns an error if the file cannot be read, or if no row has a readable time.
pub fn scan(
    part: &Part,
    settings: &Settings,
    sniffed: &Sniffed,
    symbol: Option<&Symbol>,
) -> Result<Scan, FeedError> {
    let mut longest = 0;
    loop {
        match scan_once(part, settings, sniffed, symbol, longest)? {
            Attempt::Done(scan) => return Ok(*scan),
            Attempt::LongerTimeOfDay(digits) => longest = digits,
        }
    }
}

/// The result of one attempt to scan a file.
enum Attempt {
    Done(Box<Scan>),
    /// A time of day has this many digits. The rows before it must be read again, because leading zeros may
    /// be missing in them.
    LongerTimeOfDay(usize),
}

fn scan_once(
    part: &Part,
    settings: &Settings,
    sniffed: &Sniffed,
    symbol: Option<&Symbol>,
    longest: usize,
) -> Result<Attempt, FeedError> {
    let layout = &sniffed.layout;
    let known = Known {
        times: layout.times,
        date_orders: &sniffed.date_orders,
        zone: settings.zone.as_ref(),
        notation: settings.time_of_day,
        is_unit_certain: !sniffed.names.is_empty() || path::is_of_lean(&part.virtual_path()),
    };
    let mut readings = Readings::new(known, longest);
    let mut compared = MergedInstruments::new(layout, &sniffed.unused);
    let width = readings.width().max(layout.width_of_symbol()).max(compared.width(layout));
    let width_of_judged = width.max(Contradictions::width(layout));
    let (mut merged, mut contradictions) = (None, Contradictions::default());
    let (mut symbols, mut symbol_reader) = (NamedSymbols::default(), SymbolReader::from(symbol.cloned()));
    let (mut rows, mut first_bad) = (0, None);
    let mut records = Records::open(part, settings, &sniffed.dialect)?;
    loop {
        // Most rows are split only as far as their time and their symbol.
        records.cut_at(if contradictions.judges_next() { width_of_judged } else { width });
        let Some(record) = records.next()? else { break };
        rows += 1;
        let is_compared = compared.has_columns() && merged.is_none();
        let mut contradicts = None;
        let observed = match record {
            Err(bad) => Err(bad),
            Ok(record) => {
                if let Some(digits) = readings.longer(&record) {
                    return Ok(Attempt::LongerTimeOfDay(digits));
                }
                contradicts = contradictions.observe(layout, &record);
                symbol_reader.read(layout, &record).and_then(|symbol| {
                    let stamp = readings.observe(&record, &symbol)?;
                    symbols.insert(&symbol);
                    let is_compared = is_compared && layout.is_selected(&record);
                    let differs = is_compared.then(|| compared.observe(stamp.nanos(), &symbol, &record));
                    Ok(differs.flatten())
                })
            }
        };
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
    let times = readings.decide();
    if let (None, Some((line, found))) = (times.span, first_bad) {
        let path = part.to_string().into();
        return Err(match times.unknown_zone {
            Some(zone) => FeedError::UnknownZone { path, line, found, zone },
            None => FeedError::NoTimes { path, line, found },
        });
    }
    let damage = records.damage().found().map(str::to_owned);
    let scan = Scan { rows, times, symbols, merged, contradictions, damage };
    Ok(Attempt::Done(Box::new(scan)))
}

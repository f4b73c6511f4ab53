//! The scan: reads all rows of a file once. Finds out how the times are to be read, whether the times rise or
//! fall, and what contradicts the layout.

mod account;
mod contradictions;
mod digit_lengths;
mod judged_rows;
mod merged_instruments;
mod named_symbols;
mod number_evidence;
mod odd_ticks;
mod odd_times;
mod price_jumps;
mod reading;
mod readings;
mod repeated_times;
mod running_total;
mod same_times;
mod sessions;
mod swapped_dates;
mod thirty_seconds;
mod whole_prices;

use std::sync::Arc;

use super::cells::Cells;
use super::container::Part;
use super::layout::{Evidence, Layout, Role};
use super::path;
use super::reason::RejectedRow;
use super::records::Records;
use super::row::SymbolReader;
use super::settings::Settings;
use super::sniff::{KindColumn, Sniffed, means_volume};
use crate::feed::error::FeedError;
use crate::market::{Payload, Price, Symbol};
use account::AccountRows;
use digit_lengths::DigitLengths;
use judged_rows::JudgedRows;
use merged_instruments::MergedInstruments;
use number_evidence::NumberEvidence;
use price_jumps::PriceJumps;
use readings::Known;
use repeated_times::{RepeatedTimes, TimedRow};
use running_total::RunningTotal;
use same_times::SameTimes;
use swapped_dates::SwappedDates;
use thirty_seconds::ThirtySeconds;
use whole_prices::WholePrices;

pub use account::Account;
pub use contradictions::Contradictions;
pub use merged_instruments::Merged;
pub use named_symbols::NamedSymbols;
pub use odd_ticks::OddTicks;
pub use odd_times::{OddTimes, TimeJump};
pub use price_jumps::PriceJump;
pub use reading::{Order, Precision, Read};
pub use running_total::Likelihood;

/// A day in nanoseconds.
const DAY: i64 = 86_400 * 1_000_000_000;

/// The result of a scan, i.e. of reading all rows of a file once.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The layout, as the first lines and all rows together tell it.
    pub layout: Arc<Layout>,
    pub rows: u64,
    /// How the times are read, and their order.
    pub times: Read,
    /// A number whose comma or point may be the decimal sign or separate thousands; `None` if other numbers decide.
    pub ambiguous_number: Option<String>,
    /// How sure it is that the sizes of trades, or the volumes of bars, are the volume of the day so far.
    pub running_total: Likelihood,
    /// The line number of the first trade or bar whose price is 0.
    pub zero_price: Option<u64>,
    /// The first price that may stand for "no price", with its line number.
    pub sentinel: Option<(u64, Price)>,
    /// Two prices that differ by a power of ten.
    pub price_jump: Option<PriceJump>,
    /// A price with a point that may be in points and 32nds.
    pub price_in_32nds: Option<Price>,
    /// Whether no price has decimals.
    pub are_prices_whole: bool,
    /// A price that may be in smaller units, if all prices are great whole numbers.
    pub great_whole_price: Option<Price>,
    /// Trades and quotes that may be none.
    pub odd_ticks: OddTicks,
    /// Times that may be no times.
    pub odd_times: OddTimes,
    /// Whether the times of day may be codes, because each date has the same ones.
    pub may_times_be_codes: bool,
    /// Whether the dates are in order only with day and month exchanged.
    pub are_dates_exchanged: bool,
    /// The number of rows that have the same time and symbol as the row before.
    pub repeated_times: u64,
    /// The number of bars that have the same time and symbol as an earlier bar.
    pub repeated_bars: u64,
    /// The number of bars that were compared with earlier ones.
    pub compared_bars: u64,
    /// The symbols of all rows with a readable time. A symbol is included even if its row is rejected later
    /// for another reason.
    pub symbols: NamedSymbols,
    /// Two rows that prove that one symbol stands for several instruments, with the line number of the second
    /// row; `None` if there is no such pair.
    pub merged: Option<(u64, Merged)>,
    pub contradictions: Contradictions,
    /// What the rows of an account's file are beside trades; `None` if the file is no account's.
    pub account: Option<Account>,
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
    let layout = &sniffed.layout;
    let mut readings = DigitLengths::new(known(part, settings, sniffed));
    let mut compared = MergedInstruments::new(layout, &sniffed.unused);
    // A map or the rules of a layout say which rows are trades.
    let has_given_rows = settings.map.is_some() || layout.only.is_some();
    let kinds: &[KindColumn] = if has_given_rows { &[] } else { &sniffed.kinds };
    let mut account = AccountRows::new(layout, kinds);
    let width = readings.width().max(layout.width_of_symbol()).max(compared.width(layout));
    let width = width.max(account.width());
    let mut judge = Judge::new(layout, sniffed);
    let mut merged = None;
    let (mut symbols, mut symbol_reader) = (NamedSymbols::default(), SymbolReader::from(symbol.cloned()));
    let (mut rows, mut first_bad) = (0, None);
    let mut repeated = RepeatedTimes::new(layout);
    let mut odd_times = OddTimes::default();
    let mut same_times = SameTimes::default();
    let mut swapped_dates = SwappedDates::default();
    let mut records = Records::open(part, settings, &sniffed.dialect)?;
    loop {
        let (is_judged, is_number_open) = (judge.rows.next_is_judged(), judge.numbers.is_open());
        // Most rows are split only as far as their time and their symbol.
        records.cut_at(if is_judged || is_number_open { width.max(layout.width) } else { width });
        let Some((line, record)) = records.next_with_line()? else { break };
        rows += 1;
        judge.rows.advance();
        let observed = match record {
            Err(bad) => Err(bad),
            Ok(record) => symbol_reader.read(layout, &record).and_then(|symbol| {
                let stamp = readings.observe(&record, &symbol)?;
                Ok((record, symbol, stamp))
            }),
        };
        match observed {
            Ok((record, symbol, stamp)) => {
                let nanos = stamp.nanos();
                let is_new = repeated.is_new(&symbol);
                if is_new {
                    symbols.insert(&symbol);
                }
                same_times.observe(nanos);
                swapped_dates.observe(nanos);
                odd_times.observe(layout.times.columns, &record, stamp, is_new, line);
                account.observe(layout, &record);
                let is_selected = layout.is_selected(&record);
                if is_selected && compared.has_columns() && merged.is_none() {
                    let differs = compared.observe(nanos, &symbol, &record);
                    merged = differs.map(|differs| (line, differs));
                }
                let mut is_good = is_selected;
                if is_selected && is_judged {
                    is_good = judge.judge(layout, &record, &symbol, nanos, line);
                } else if is_number_open {
                    judge.numbers.observe(&record);
                }
                let time = readings.last_time();
                repeated.observe(TimedRow { nanos, time, symbol: &symbol, is_new, is_judged, is_good });
            }
            Err(RejectedRow { found, .. }) => {
                first_bad.get_or_insert((line, found));
            }
        }
    }
    let times = readings.decide();
    if let (None, Some((line, found))) = (times.span, first_bad) {
        return Err(no_times(part, times, line, found));
    }
    let running_total = judge.total.likelihood(judge.means_volume);
    let is_size_configured = settings.map.as_ref().is_some_and(|map| map.0.contains_key(&Role::Size));
    let layout = layout.decided(Evidence {
        times: times.times,
        decimal: settings.decimal.or(judge.numbers.decimal(sniffed.dialect.delimiter)),
        forbids_fixed_point: judge.numbers.forbids_fixed_point(),
        are_sizes_totals: running_total == Likelihood::Certain && !is_size_configured,
    });
    Ok(Scan {
        rows,
        times,
        ambiguous_number: judge.numbers.unexplained(layout.numbers.decimal),
        running_total,
        zero_price: judge.jumps.zero(),
        sentinel: judge.jumps.sentinel(),
        price_jump: judge.jumps.first(),
        price_in_32nds: judge.thirty_seconds.example(),
        are_prices_whole: judge.whole_prices.are_whole(),
        great_whole_price: judge.whole_prices.great(),
        odd_ticks: judge.odd_ticks,
        odd_times,
        may_times_be_codes: same_times.may_be_codes(),
        are_dates_exchanged: swapped_dates.are_exchanged(),
        repeated_times: repeated.rows,
        repeated_bars: repeated.bars.count,
        compared_bars: repeated.bars.compared,
        symbols,
        merged,
        contradictions: judge.contradictions,
        account: account.found(),
        damage: records.damage().found().map(str::to_owned),
        layout: Arc::new(layout),
    })
}

/// Returns what is known of the times before the first row.
fn known<'a>(part: &Part, settings: &'a Settings, sniffed: &'a Sniffed) -> Known<'a> {
    Known {
        times: sniffed.layout.times,
        date_orders: &sniffed.date_orders,
        zone: settings.zone.as_ref(),
        notation: settings.time_of_day,
        range: settings.range,
        is_unit_certain: !sniffed.names.is_empty() || path::is_of_lean(&part.virtual_path()),
    }
}

/// Returns the error for a file in which no row has a readable time. `found` is the text of the first time.
fn no_times(part: &Part, times: Read, line: u64, found: String) -> FeedError {
    let path = part.to_string().into();
    match times.unknown_zone {
        Some(zone) => FeedError::UnknownZone { path, line, found, zone },
        None if is_day_of_spreadsheet(&found) => FeedError::SpreadsheetDays { path, line, found },
        None => FeedError::NoTimes { path, line, found },
    }
}

/// Returns whether a text may be the number of a day from 1954 to 2064, as spreadsheets store it.
fn is_day_of_spreadsheet(text: &str) -> bool {
    let (day, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(fraction) && is_number(day) && day.len() == 5 && ("20000".."60000").contains(&day)
}

/// Judges whether the prices and sizes of a file are plausible.
struct Judge {
    rows: JudgedRows,
    numbers: NumberEvidence,
    contradictions: Contradictions,
    jumps: PriceJumps,
    total: RunningTotal,
    thirty_seconds: ThirtySeconds,
    whole_prices: WholePrices,
    odd_ticks: OddTicks,
    /// Whether the name of the column of sizes means a volume.
    means_volume: bool,
}

impl Judge {
    fn new(layout: &Layout, sniffed: &Sniffed) -> Self {
        let size = layout.uses().find(|(role, _)| *role == Role::Size);
        let size = size.and_then(|(_, size)| sniffed.names.get(size));
        Self {
            rows: JudgedRows::default(),
            numbers: NumberEvidence::new(layout, sniffed.dialect.delimiter),
            contradictions: Contradictions::default(),
            jumps: PriceJumps::default(),
            total: RunningTotal::default(),
            thirty_seconds: ThirtySeconds::default(),
            whole_prices: WholePrices::default(),
            odd_ticks: OddTicks::default(),
            means_volume: size.is_some_and(|name| means_volume(name)),
        }
    }

    /// Judges a row. Returns whether it gives an event.
    fn judge(&mut self, layout: &Layout, row: &Cells<'_>, symbol: &Symbol, nanos: i64, line: u64) -> bool {
        self.numbers.observe(row);
        let payload = layout.payload(row);
        self.contradictions.observe(&payload, line);
        let Ok((first, second)) = payload else { return false };
        self.jumps.observe(symbol, &first, line);
        for payload in [Some(first), second.map(Payload::Trade)].into_iter().flatten() {
            self.total.observe(symbol, nanos.div_euclid(DAY), &payload);
            self.thirty_seconds.observe(symbol, &payload);
            self.whole_prices.observe(&payload);
            self.odd_ticks.observe(&payload);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_of_a_spreadsheet_are_numbers_from_20000_to_59999() {
        for text in ["20000", "45293.39583", "59999"] {
            assert!(super::is_day_of_spreadsheet(text), "{text}");
        }
        for text in ["19999", "60000", "452930", "45293,5", "x"] {
            assert!(!super::is_day_of_spreadsheet(text), "{text}");
        }
    }
}

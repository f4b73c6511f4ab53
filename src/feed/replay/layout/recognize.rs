//! Recognizes the layout of a file from its first lines.

use std::iter;

use super::super::number::{DecimalSign, Numbers, PriceNotation};
use super::super::path;
use super::super::time::{self, DateOrder, Stamp};
use super::super::zone;
use super::columns::{Columns, Map};
use super::date_orders::{self, DateOrders, date_orders};
use super::entry::{Entry, NumberRule, RecognizedBy};
use super::given::Given;
use super::header_names::HeaderNames;
use super::layout_error::LayoutError;
use super::number_columns::{self, decimal_sign, number_rule, price_in_fractions};
use super::role::{self, Role, normal};
use super::row_kinds::only_trades;
use super::symbol_columns::symbol;
use super::table::LAYOUTS;
use super::time_columns::{self, TimeContext};
use super::{Layout, Record, TimeColumns, Times, header, headerless};
use super::{other_closes, other_times};

/// How many lines at the start of a file are searched for a header.
const HEADER_AMONG: usize = 20;

/// A recognized layout, and the positions of the header and the first row among a file's lines.
#[derive(Clone, Debug)]
pub struct Recognized {
    pub layout: Layout,
    /// The index of the header line; `None` if there is no header.
    pub header: Option<usize>,
    /// The index of the line that is the first row.
    pub first_row: usize,
    pub date_orders: DateOrders,
    /// What was assumed of the columns.
    pub assumed: Vec<String>,
    /// The symbol of all rows, if the header or a line below it has it.
    pub symbol: Option<String>,
}

impl Recognized {
    /// Adds the symbol that stands beside the names of columns. It counts if the file's name has none, and is said if
    /// the name has another.
    fn with_symbol_beside(mut self, symbol: Option<String>, path: &str) -> Self {
        let Some(symbol) = symbol.filter(|_| self.symbol.is_none()) else { return self };
        match path::symbol(path) {
            None => self.symbol = Some(symbol),
            Some(named) if named.as_str() == symbol => {}
            Some(named) => self.assumed.push(format!(
                "`{symbol}` stands beside the names of columns, and the symbol is `{named}`, as the file's name says (set it by --symbol)"
            )),
        }
        self
    }
}

/// Recognizes the layout of a file from its first lines. Configured columns override the column names in the
/// header.
pub fn recognize(lines: &[Record], given: Given<'_>) -> Result<Recognized, LayoutError> {
    match given.map {
        Some(map) => by_map(lines, map, given),
        None => by_content(lines, given),
    }
}

/// Recognizes the layout of a file for which no columns are configured: by the header, or by the kinds of
/// values in the rows.
fn by_content(lines: &[Record], given: Given<'_>) -> Result<Recognized, LayoutError> {
    let mut best_error = None;
    for (line, names) in headers(lines) {
        let entry = entry_of(&names.whole, &lines[line + 1..], given);
        let symbol = names.symbol.clone();
        let names = names.of_entry(entry);
        let found = by_header(lines, line, &names, entry, given);
        match found.map(|found| found.with_symbol_beside(symbol, given.path)) {
            // The configuration names another layout. A layout without an entry is named after its kind of
            // rows.
            Ok(found) if given.layout.is_some_and(|name| name != found.layout.name) => {
                let wanted = given.layout.unwrap_or_default();
                let other = LayoutError::OtherLayout(line, found.layout.name, wanted);
                best_error = Some(missing_column(wanted).unwrap_or(other));
            }
            Err(error) => {
                let is_better = |best: &LayoutError| {
                    matches!(best, LayoutError::NoPrice(_)) && !matches!(error, LayoutError::NoPrice(_))
                };
                best_error = best_error.filter(|best| !is_better(best)).or(Some(error));
            }
            found => return found,
        }
    }
    // These errors prove that the file has a header, so its rows are not compared with shapes.
    if let Some(
        error @ (LayoutError::NoTime(_)
        | LayoutError::NoDay
        | LayoutError::NoTimeOfDay(_)
        | LayoutError::DateOrder(..)
        | LayoutError::NoColumn(_)
        | LayoutError::OtherLayout(..)),
    ) = best_error
    {
        return Err(error);
    }
    let Some(first_row) = lines.iter().position(|record| record.len() > 1) else {
        return Err(best_error.unwrap_or(LayoutError::NoShape(0)));
    };
    // A line is a header, even without a price column, if it has few values and the same number of cells as
    // the next line.
    if let Some(LayoutError::NoPrice(line)) = best_error
        && lines.get(line + 1).is_some_and(|row| row.len() == lines[line].len())
    {
        return Err(LayoutError::NoPrice(line));
    }
    let chosen = match (headerless::choose(&lines[first_row..], first_row, given), best_error) {
        (Ok(chosen), _) => chosen,
        (Err(LayoutError::NoShape(line)), None) => {
            let missing = given.layout.and_then(missing_column);
            return Err(missing.unwrap_or(LayoutError::NoShape(line)));
        }
        (Err(_), Some(error)) | (Err(error), None) => return Err(error),
    };
    if let Some(why) = chosen.entry.rules.unfit {
        return Err(LayoutError::Unfit(chosen.entry.name, why));
    }
    let found = finish(lines, None, first_row, &chosen.columns, Some(chosen.entry), given)?;
    let assumed = found.assumed.into_iter().chain(chosen.assumed).collect();
    Ok(Recognized { assumed, ..found })
}

/// Returns the index and the normalized column names of each line that may be a header. A line may be a
/// header if at most a quarter of its cells are numbers or times.
fn headers(lines: &[Record]) -> impl Iterator<Item = (usize, HeaderNames)> {
    let may_be = |(_, record): &(usize, &Record)| {
        let values = record.iter().filter(|cell| is_value(cell)).count();
        record.len() > 1 && values * 4 <= record.len()
    };
    let among = lines.iter().enumerate().take(HEADER_AMONG);
    among.filter(may_be).map(|(line, record)| (line, HeaderNames::of(record)))
}

/// Returns the first known layout whose column names all occur in a header. `rows` are the lines below the header.
fn entry_of(names: &[String], rows: &[Record], given: Given<'_>) -> Option<&'static Entry> {
    LAYOUTS.iter().find(|entry| match entry.recognized_by {
        RecognizedBy::Header(wanted) => {
            let is_meant = given.layout.map_or_else(|| entry.is_of(given.path), |name| entry.name == name);
            let is_zero = |name| is_zero_in_all(names.iter().position(|other| other == name), rows);
            is_meant && header::fits(wanted, names) && entry.rules.zero.is_none_or(is_zero)
        }
        RecognizedBy::Shape(_) => false,
    })
}

/// Returns whether all cells of a column are zeros.
fn is_zero_in_all(column: Option<usize>, rows: &[Record]) -> bool {
    let is_zero = |row: &Record| {
        let price = column.and_then(|column| Numbers::default().price(row.get(column)?).ok().flatten());
        price.is_some_and(|price| price.0.is_zero())
    };
    !rows.is_empty() && rows.iter().all(is_zero)
}

/// Returns an error that reports the first column of a layout's header as missing; `None` if the layout has
/// no header.
fn missing_column(layout: &str) -> Option<LayoutError> {
    let entry = LAYOUTS.iter().find(|entry| entry.name == layout)?;
    match entry.recognized_by {
        RecognizedBy::Header(columns) => {
            let name = header::columns(columns).find(|column| !column.is_optional)?.names().next()?;
            Some(LayoutError::NoColumn(name.to_owned()))
        }
        RecognizedBy::Shape(_) => None,
    }
}

fn by_header(
    lines: &[Record],
    line: usize,
    names: &[String],
    entry: Option<&'static Entry>,
    given: Given<'_>,
) -> Result<Recognized, LayoutError> {
    if let Some((entry, why)) = entry.and_then(|entry| Some((entry, entry.rules.unfit?))) {
        return Err(LayoutError::Unfit(entry.name, why));
    }
    let first_row = first_row_behind(lines, line);
    let empty = names.iter().skip(1).rev().skip(1).filter(|name| name.is_empty()).count();
    let rows = lines.get(first_row..).unwrap_or_default();
    if empty > 0 && rows.first().is_some_and(|row| row.len() + empty == names.len()) {
        return Err(LayoutError::Unfit(
            "a table",
            "columns with several delimiters between them in the header",
        ));
    }
    let mut columns = Columns::of_header(names, entry);
    columns.symbol_by_its_cells(names, rows);
    if columns.values().is_none() {
        columns.close_by_name_of_file(names, given.path);
    }
    let symbol = symbol_below(lines.get(line + 1..first_row).unwrap_or_default());
    let found = finish(lines, Some(line), first_row, &columns, entry, given)
        .map(|found| Recognized { symbol, ..found });
    let is_one_short =
        |rows: &[Record]| !rows.is_empty() && rows.iter().all(|row| row.len() == names.len() + 1);
    if lines.get(first_row..).is_some_and(is_one_short) {
        // R leaves out the name of the first column, so each row has one cell more than the header.
        let names: Vec<String> = iter::once(String::new()).chain(names.iter().cloned()).collect();
        let columns = Columns::of_header(&names, entry);
        if lines[first_row..].iter().all(|row| time_columns::has_time(&columns, row)) {
            let most = Some(names.len());
            let shifted = finish(lines, Some(line), first_row, &columns, entry, given)?;
            return Ok(Recognized { layout: Layout { most, ..shifted.layout }, ..shifted });
        }
    }
    found
}

/// Returns the symbol in a line below the header, as yfinance writes it: `Ticker,KO,KO,KO`.
fn symbol_below(lines: &[Record]) -> Option<String> {
    let line = lines.iter().find(|line| line.first().is_some_and(|name| normal(name) == "ticker"))?;
    let symbol = line.get(1)?;
    let is_one = line[1..].iter().all(|cell| cell == symbol || cell.is_empty());
    is_one.then(|| String::from_utf8_lossy(symbol).trim().to_owned())
}

/// Returns the index of the first row after a header. Lines without a number or a time, such as a line of
/// units, are skipped.
fn first_row_behind(lines: &[Record], header: usize) -> usize {
    let has_values = |record: &Record| record.iter().any(|cell| is_value(cell));
    (header + 1..lines.len()).find(|line| has_values(&lines[*line])).unwrap_or(header + 1)
}

/// Recognizes the layout of a file by the columns in the configured map. If the file has a header, the
/// columns for all other roles are found by their names in the header.
fn by_map(lines: &[Record], map: &Map, given: Given<'_>) -> Result<Recognized, LayoutError> {
    let mut unnamed = None;
    for (line, names) in headers(lines) {
        let whole = names.whole.clone();
        let entry = entry_of(&whole, &lines[line + 1..], given);
        match Columns::of_header(&names.of_entry(entry), entry).amended(map, &whole) {
            Ok(columns) => {
                return finish(lines, Some(line), first_row_behind(lines, line), &columns, entry, given);
            }
            Err(role) => unnamed = Some(role),
        }
    }
    let mut columns = Columns::default()
        .amended(map, &[])
        .map_err(|role| LayoutError::NoColumn(map.0[&unnamed.unwrap_or(role)].clone()))?;
    if !(map.has_any(&[Role::Time, Role::Date, Role::TimeOfDay]) && columns.values().is_some()) {
        // The map changes only some columns of a file without a header.
        let rows = lines.iter().position(|record| record.len() > 1).unwrap_or(0);
        let chosen = headerless::choose(&lines[rows..], rows, given)?;
        columns = chosen.columns.amended(map, &[]).map_err(|role| LayoutError::NoColumn(role.to_string()))?;
    }
    let first_row = lines.iter().position(|record| time_columns::has_time(&columns, record)).unwrap_or(0);
    // The line before the first row is the header if both have the same number of cells.
    let header = first_row.checked_sub(1).filter(|line| lines[*line].len() == lines[first_row].len());
    finish(lines, header, first_row, &columns, None, given)
}

/// Creates a layout from the known columns, and from the notation of the cells in the first rows.
fn finish(
    lines: &[Record],
    header: Option<usize>,
    first_row: usize,
    columns: &Columns,
    entry: Option<&'static Entry>,
    given: Given<'_>,
) -> Result<Recognized, LayoutError> {
    let rows = &lines[first_row.min(lines.len())..];
    let rules = entry.map(|entry| entry.rules).unwrap_or_default();
    let names: Vec<String> =
        header.map(|line| HeaderNames::of(&lines[line]).of_entry(entry)).unwrap_or_default();
    let short_day = rules.is_of_one_day.then(|| path::short_day(given.path)).flatten();
    let day = short_day.or(given.day);
    let context = TimeContext { names: &names, day, is_of_one_day: rules.is_of_one_day };
    let (time, values) = match (time_columns::find(columns, rows, context), columns.values()) {
        (Ok(time), Some(values)) => (time, values),
        (Err(error), Some(_)) => return Err(error.unwrap_or(LayoutError::NoTime(header.unwrap_or(0)))),
        (_, None) => return Err(LayoutError::NoPrice(header.unwrap_or(0))),
    };
    if given.map.is_none() && has_columns_twice(lines, header, rows, columns) {
        return Err(LayoutError::Unfit(
            "a table",
            "several instruments side by side, with columns of one name",
        ));
    }
    let has_notation = given.decimal.is_some() || given.prices.is_some();
    if let (false, Some(price)) = (has_notation, price_in_fractions(rows, columns)) {
        return Err(LayoutError::Fractions(price));
    }
    let least = columns.least(time, &values);
    if !rows.is_empty() && rows.iter().all(|row| row.len() < least) {
        let outmost = Role::all().max_by_key(|role| columns.get(*role)).unwrap_or(Role::Time);
        return Err(LayoutError::NoColumn(
            given.map.and_then(|map| map.0.get(&outmost)).cloned().unwrap_or_else(|| outmost.to_string()),
        ));
    }
    let only = match rules.only {
        Some((column, kept)) => {
            let index = column.parse().ok().or_else(|| names.iter().position(|name| name == column));
            Some((index.ok_or_else(|| LayoutError::NoColumn(column.to_owned()))?, kept))
        }
        None if entry.is_none() => match only_trades(rows, &names) {
            Err(_) if given.map.is_some() => None,
            only => only?,
        },
        None => None,
    };
    let is_european = role::is_european(&names);
    let decimal =
        given.decimal.unwrap_or_else(|| decimal_sign(rows, columns, given.has_free_comma && is_european));
    let price_scale = given.price_scale.unwrap_or(match rules.numbers {
        NumberRule::Lobster => 4,
        NumberRule::Lean if is_scaled_by_lean(given.path) => 4,
        _ => 0,
    });
    if let Some(order) = given.date_order
        && let Some(date) = date_orders::misfit(rows, time, order)
    {
        return Err(LayoutError::DateOrder(date, order));
    }
    let time_width = match time {
        TimeColumns::Parts(parts) => parts.columns().max().map_or(0, |last| last + 1),
        _ => 0,
    };
    let date_orders = date_orders(rows, time, is_european, given.date_order);
    let layout = Layout {
        name: entry.map_or(values.name(), |entry| entry.name),
        vendor: entry.map(|entry| entry.vendor),
        times: Times {
            columns: time,
            millis: millis(rows, columns, time, given.map),
            date_order: date_orders.left[0],
            evening: None,
            zone: zone_column(rows, columns, given.map),
        },
        symbol: symbol(rows, &names, columns, given),
        interval: columns.get(Role::Interval).map(|column| (column, rules.interval)),
        only,
        has_adjusted_close: columns
            .get(Role::Close)
            .and_then(|close| names.get(close))
            .is_some_and(|name| name.starts_with("adj")),
        has_period_in_name: rules.has_period_in_name,
        are_sizes_signed: rules.has_signed_sizes || number_columns::are_sizes_signed(rows, columns),
        number_rule: match given.prices {
            Some(PriceNotation::ThirtySeconds) => number_columns::rule_of_32nds(rows, columns),
            None => number_rule(rows, columns, rules.numbers),
        },
        numbers: Numbers { decimal, price_scale },
        width: columns.width().max(time_width).max(only.map_or(0, |(column, _)| column + 1)),
        least,
        most: header.map(|line| lines[line].len()),
        values,
    };
    let times = header.and_then(|header| other_times::assumed(&lines[header], rows, &layout));
    let closes = header.filter(|_| given.map.is_none_or(|map| !map.0.contains_key(&Role::Close)));
    let closes = closes.and_then(|header| other_closes::assumed(&lines[header], rows, &layout, entry));
    let unknown_size = number_columns::unknown_size(rows, columns).filter(|_| !layout.are_sizes_signed);
    let prices = number_columns::no_32nds(rows, columns, layout.number_rule);
    let assumed = [unknown_size, times, closes, prices];
    let assumed = assumed.into_iter().flatten().collect();
    Ok(Recognized { layout, header, first_row, date_orders, assumed, symbol: None })
}

/// Returns whether two columns of prices or sizes have the same name. Only a map can select one of them, unless
/// their cells are equal.
fn has_columns_twice(lines: &[Record], header: Option<usize>, rows: &[Record], columns: &Columns) -> bool {
    let names = header.map_or(&[][..], |line| &lines[line]);
    let is_equal = |one: usize, other: usize| rows.iter().all(|row| row.get(one) == row.get(other));
    let is_twice = |column: usize| {
        let Some(name) = names.get(column) else { return false };
        // pandas renames the second column of one name: `Close.1`.
        let renamed = [name.trim_ascii(), b".1"].concat();
        let is_other = |other: usize| normal(&names[other]) == normal(name) && !is_equal(column, other);
        (0..names.len()).any(|other| is_other(other) || names[other].trim_ascii() == renamed)
    };
    columns.numbers().any(is_twice)
}

/// Returns the column with the milliseconds to add to the time. A column that is not configured is used only if
/// all its cells are milliseconds, and no time in the rows has a fraction of a second.
fn millis(rows: &[Record], columns: &Columns, time: TimeColumns, map: Option<&Map>) -> Option<usize> {
    let column = columns.get(Role::Millis)?;
    let is_configured = map.is_some_and(|map| map.0.contains_key(&Role::Millis));
    let has_fraction = |row: &Record| {
        let cell = match time {
            TimeColumns::One(column)
            | TimeColumns::Two { time_of_day: column, .. }
            | TimeColumns::TimeOfDay { time_of_day: column, .. } => row.get(column),
            TimeColumns::Parts(_) | TimeColumns::Day(_) => None,
        };
        let stamp = cell
            .and_then(|cell| time::time_of_day(cell).or(time::stamp(cell, DateOrder::Mdy).map(Stamp::nanos)));
        stamp.is_some_and(|nanos| nanos % 1_000_000_000 != 0)
    };
    let is_part = |row: &Record| row.get(column).is_some_and(|cell| time::millis(cell).is_some());
    let is_used = is_configured || rows.iter().all(|row| is_part(row) && !has_fraction(row));
    is_used.then_some(column)
}

/// Returns the column with the zone of each row's time. A column that is not configured is used only if all its
/// cells are offsets from UTC or names of zones.
fn zone_column(rows: &[Record], columns: &Columns, map: Option<&Map>) -> Option<usize> {
    let column = columns.get(Role::Zone)?;
    let is_configured = map.is_some_and(|map| map.0.contains_key(&Role::Zone));
    let mut cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.trim_ascii());
    (is_configured || cells.all(zone::is_named)).then_some(column)
}

/// Returns whether a cell is a number or a time.
fn is_value(cell: &[u8]) -> bool {
    let plain = Numbers::default();
    matches!(plain.price(cell), Ok(Some(_)))
        || matches!(Numbers { decimal: DecimalSign::Comma, ..plain }.price(cell), Ok(Some(_)))
        || time::stamp(cell, DateOrder::Mdy).is_some()
        || time::stamp(cell, DateOrder::Dmy).is_some()
}

/// For the path of a file from the trading engine LEAN, returns whether the prices in the file are in units
/// of 1e-4.
fn is_scaled_by_lean(path: &str) -> bool {
    ["equity", "option", "indexoption"].iter().any(|kind| path.split('/').any(|folder| folder == *kind))
}

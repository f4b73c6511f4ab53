//! Finding: the layout that the first lines of a file tell, or that its owner gives.

use super::super::number::{self, DecimalSign, Numbers};
use super::super::time::{self, DateOrder, Stamp};
use super::columns::{Columns, Map};
use super::role::{Role, normal};
use super::shape;
use super::table::{Entry, LAYOUTS, NumberRule, ToldBy};
use super::{Layout, Record, TimeColumns};

/// A header is among the first so many lines.
const HEADER_AMONG: usize = 20;

/// What is known of a file beside its lines.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The layout that its owner names.
    pub entry: Option<&'static Entry>,
    /// The columns that its owner names.
    pub map: Option<&'a Map>,
    pub date_order: Option<DateOrder>,
    pub decimal: Option<DecimalSign>,
    pub price_scale: Option<u32>,
    /// Its path, that of a member of an archive with the member's behind it.
    pub path: &'a str,
    /// The day that the path names.
    pub day: Option<i64>,
    /// Whether cells are apart by something else than a comma, so that a comma may be a decimal sign.
    pub has_free_comma: bool,
}

/// A layout, and where the file begins to have it.
#[derive(Clone, Debug)]
pub struct Found {
    pub layout: Layout,
    /// Which of the lines is the header.
    pub header: Option<usize>,
    /// Which is the first row.
    pub first_row: usize,
    /// Whether no row seen so far shows if the day or the month comes first.
    pub is_order_open: bool,
}

/// Why there is no layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// The header of this line names no time.
    Time(usize),
    /// The header of this line names no price.
    Price(usize),
    /// There is no header, and the columns of this line have no known shape.
    Shape(usize),
    /// The header has no such column.
    Column(&'static str),
    /// The times are clocks, and neither a column nor the path names the day.
    Day,
    /// Files of this layout cannot be replayed.
    Fitness(&'static str, &'static str),
}

/// The layout that the first lines of a file tell.
pub fn find(lines: &[Record], given: Given<'_>) -> Result<Found, Lacks> {
    if let Some(map) = given.map {
        return by_map(lines, map, given);
    }
    match given.entry {
        Some(entry) => match entry.told_by {
            ToldBy::Header(names) => {
                let (line, found) = header_with(lines, names)?;
                by_header(lines, line, &found, Some(entry), given)
            }
            ToldBy::Shape(shape) => {
                let columns = Columns::of_shape(shape);
                let is_row = |line: &Record| columns.time_in(line).is_some();
                let first_row = lines.iter().position(is_row).unwrap_or(0);
                finish(lines, None, first_row, &columns, Some(entry), given)
            }
        },
        None => told(lines, given),
    }
}

/// The layout that the lines tell by themselves.
fn told(lines: &[Record], given: Given<'_>) -> Result<Found, Lacks> {
    let mut lacks = None;
    for (line, record) in lines.iter().enumerate().take(HEADER_AMONG).filter(|(_, record)| record.len() > 1) {
        let values = record.iter().filter(|cell| is_value(cell)).count();
        if values * 4 > record.len() {
            continue;
        }
        let names: Vec<String> = record.iter().map(|cell| normal(cell)).collect();
        let fits = |entry: &&Entry| match entry.told_by {
            ToldBy::Header(wanted) => has_all(&names, wanted) && entry.is_of(given.path),
            ToldBy::Shape(_) => false,
        };
        match by_header(lines, line, &names, LAYOUTS.iter().find(fits), given) {
            Err(lack) => {
                let is_less =
                    |held: &Lacks| matches!(held, Lacks::Price(_)) && !matches!(lack, Lacks::Price(_));
                lacks = lacks.filter(|held| !is_less(held)).or(Some(lack));
            }
            found => return found,
        }
    }
    // Where a header names prices, their order is not that of a shape.
    if let Some(lack @ (Lacks::Time(_) | Lacks::Day)) = lacks {
        return Err(lack);
    }
    let Some(first_row) = lines.iter().position(|record| record.len() > 1) else {
        return Err(lacks.unwrap_or(Lacks::Shape(0)));
    };
    let rows = &lines[first_row..];
    let fits = |entry: &&Entry| match entry.told_by {
        ToldBy::Shape(shape) => {
            let has_day = !Columns::of_shape(shape).needs_day() || given.day.is_some();
            has_day && entry.is_of(given.path) && shape::fits(shape, rows)
        }
        ToldBy::Header(_) => false,
    };
    match (LAYOUTS.iter().find(fits), lacks) {
        (Some(entry), _) => {
            let ToldBy::Shape(shape) = entry.told_by else { unreachable!("it was found by its shape") };
            finish(lines, None, first_row, &Columns::of_shape(shape), Some(entry), given)
        }
        (None, Some(lack)) => Err(lack),
        (None, None) => Err(Lacks::Shape(first_row)),
    }
}

fn by_header(
    lines: &[Record],
    line: usize,
    names: &[String],
    entry: Option<&'static Entry>,
    given: Given<'_>,
) -> Result<Found, Lacks> {
    if let Some((entry, why)) = entry.and_then(|entry| Some((entry, entry.rules.unfit?))) {
        return Err(Lacks::Fitness(entry.name, why));
    }
    let columns = Columns::of_header(names, entry);
    finish(lines, Some(line), line + 1, &columns, entry, given)
}

fn by_map(lines: &[Record], map: &Map, given: Given<'_>) -> Result<Found, Lacks> {
    let of_line =
        |record: &Record| Columns::of_map(map, &record.iter().map(|cell| normal(cell)).collect::<Vec<_>>());
    if map.has_names() {
        let found = lines
            .iter()
            .take(HEADER_AMONG)
            .enumerate()
            .find_map(|(line, record)| Some((line, of_line(record).ok()?)));
        let Some((line, columns)) = found else {
            let lacking =
                lines.iter().take(HEADER_AMONG).filter_map(|record| of_line(record).err()).next_back();
            return Err(Lacks::Column(lacking.map_or("time", Role::name)));
        };
        return finish(lines, Some(line), line + 1, &columns, None, given);
    }
    let columns = Columns::of_map(map, &[]).map_err(|role| Lacks::Column(role.name()))?;
    let first_row = lines.iter().position(|record| columns.time_in(record).is_some()).unwrap_or(0);
    let header = first_row.checked_sub(1);
    finish(lines, header, first_row, &columns, None, given)
}

/// Puts a layout together from its columns and what the first rows show.
fn finish(
    lines: &[Record],
    header: Option<usize>,
    first_row: usize,
    columns: &Columns,
    entry: Option<&'static Entry>,
    given: Given<'_>,
) -> Result<Found, Lacks> {
    let rows = &lines[first_row.min(lines.len())..];
    let rules = entry.map(|entry| entry.rules).unwrap_or_default();
    let values = columns.values();
    let time = columns.time(rows, given.day);
    let (time, values) = match (time, values) {
        (Ok(time), Some(values)) => (time, values),
        (Err(lack), Some(_)) => return Err(lack.unwrap_or(Lacks::Time(header.unwrap_or(0)))),
        (_, None) => return Err(Lacks::Price(header.unwrap_or(0))),
    };
    let names: Vec<String> =
        header.map(|line| lines[line].iter().map(|cell| normal(cell)).collect()).unwrap_or_default();
    let only = match rules.only {
        Some((column, kept)) => {
            let place = column.parse().ok().or_else(|| names.iter().position(|name| name == column));
            Some((place.ok_or(Lacks::Column(column))?, kept))
        }
        None => None,
    };
    let decimal = given.decimal.unwrap_or_else(|| decimal_sign(rows, columns, given.has_free_comma));
    let price_scale = given.price_scale.unwrap_or(match rules.numbers {
        NumberRule::Lobster => 4,
        NumberRule::Lean if is_scaled_by_lean(given.path) => 4,
        _ => 0,
    });
    let dates = || rows.iter().filter_map(|row| row.get(time.date_column()?));
    let shown = dates().find_map(|date| time::order_shown(date));
    let usual = || dates().find_map(|date| time::order_usual(date));
    let is_order_open =
        shown.is_none() && given.date_order.is_none() && rows.iter().any(|row| is_ambiguous(row, time));
    let layout = Layout {
        name: entry.map_or(values.name(), |entry| entry.name),
        source: entry.map(|entry| entry.source),
        time,
        date_order: given.date_order.or(shown).or_else(usual).unwrap_or(DateOrder::Ymd),
        symbol: columns.symbol(),
        interval: columns.get(Role::Interval).map(|column| (column, rules.interval)),
        only,
        has_period_in_name: rules.has_period_in_name,
        number_rule: rules.numbers,
        numbers: Numbers { decimal, price_scale },
        width: columns.width().max(only.map_or(0, |(column, _)| column + 1)),
        least: columns.least(time, &values),
        values,
    };
    Ok(Found { layout, header, first_row, is_order_open })
}

/// The line that has all these names, and its names.
fn header_with(lines: &[Record], wanted: &'static str) -> Result<(usize, Vec<String>), Lacks> {
    let named = lines
        .iter()
        .take(HEADER_AMONG)
        .map(|record| record.iter().map(|cell| normal(cell)).collect::<Vec<_>>());
    let named: Vec<_> = named.collect();
    if let Some(line) = named.iter().position(|names| has_all(names, wanted)) {
        return Ok((line, named[line].clone()));
    }
    let lacking = |names: &Vec<String>| {
        wanted.split_ascii_whitespace().find(|one| !names.iter().any(|name| name == one))
    };
    Err(Lacks::Column(named.iter().find_map(lacking).unwrap_or(wanted)))
}

fn has_all(names: &[String], wanted: &str) -> bool {
    wanted.split_ascii_whitespace().all(|one| names.iter().any(|name| name == one))
}

/// A number or a time.
fn is_value(cell: &[u8]) -> bool {
    let plain = Numbers::default();
    matches!(plain.price(cell), Ok(Some(_)))
        || matches!(Numbers { decimal: DecimalSign::Comma, ..plain }.price(cell), Ok(Some(_)))
        || time::stamp(cell, DateOrder::Mdy).is_some()
        || time::stamp(cell, DateOrder::Dmy).is_some()
}

/// Whether a row's date can be read in two ways.
fn is_ambiguous(row: &Record, time: TimeColumns) -> bool {
    let Some(cell) = time.date_column().and_then(|column| row.get(column)) else { return false };
    let local = |order| match time::stamp(cell, order) {
        Some(Stamp::Local(nanos)) => Some(nanos),
        _ => None,
    };
    local(DateOrder::Mdy) != local(DateOrder::Dmy)
}

/// The decimal sign that most numbers show.
fn decimal_sign(rows: &[Record], columns: &Columns, has_free_comma: bool) -> DecimalSign {
    let cells = || rows.iter().flat_map(|row| columns.numbers().filter_map(|column| row.get(column)));
    let shown = |sign| cells().filter(|cell| number::sign_shown(cell) == Some(sign)).count();
    let (points, commas) = (shown(DecimalSign::Point), shown(DecimalSign::Comma));
    let has_comma = || cells().any(|cell| cell.contains(&b',')) && !cells().any(|cell| cell.contains(&b'.'));
    if commas > points || commas == points && has_free_comma && has_comma() {
        DecimalSign::Comma
    } else {
        DecimalSign::Point
    }
}

/// Whose prices LEAN writes in units of 1e-4.
fn is_scaled_by_lean(path: &str) -> bool {
    ["equity", "option", "indexoption"].iter().any(|kind| path.split('/').any(|folder| folder == *kind))
}

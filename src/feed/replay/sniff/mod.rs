//! Reads the first lines of a file, and finds the delimiter, the layout and the header.

mod comments;
mod delimiter;
mod kind_column;
mod preamble;
mod suspicion;
mod unused_columns;
mod zone_clues;

use std::path::PathBuf;

use encoding_rs::Encoding;

use super::cells::Splitter;
use super::container::{self, Part};
use super::layout::{
    self, DateOrders, Given, LAYOUTS, Layout, LayoutError, Recognized, Record, Role, normal,
};
use super::path;
use super::settings::Settings;
use super::text_lines::{TextLines, is_no_row};
use super::time::{self, DateOrder, Stamp};
use crate::feed::error::FeedError;
use crate::feed::lines::Length;
use crate::feed::printable::excerpt;
use comments::without_comments;

pub use kind_column::{Kind, KindColumn};
pub use suspicion::{Suspicion, means_volume, names_a_zone};
pub use unused_columns::{UnusedColumn, Words, column_name, unused_columns};

/// The largest number of lines that are read to recognize the layout. Blank lines do not count toward this
/// number.
const LINES: usize = 100;
/// The number of bytes after which no further line is read to recognize the layout.
const BYTES: usize = 256 * 1024;
/// The result of reading the first lines of a file.
#[derive(Clone, Debug)]
pub struct Sniffed {
    pub dialect: Dialect,
    /// The layout, as far as the first lines tell it.
    pub layout: Layout,
    /// The orders of day, month and year that remain possible after the first lines.
    pub date_orders: DateOrders,
    /// The column names in the header; empty if the file has no header.
    pub names: Vec<String>,
    /// The symbol of all rows, if the header or a line before the first row names it.
    pub symbol: Option<String>,
    /// What was assumed of the columns.
    pub assumed: Vec<String>,
    /// The columns that no role uses.
    pub unused: Vec<UnusedColumn>,
    /// The columns that may say of which kind each row is.
    pub kinds: Vec<KindColumn>,
    /// What the lines say about the zone of local times.
    pub zone_clues: Vec<String>,
    /// The shortest time between two of the first rows, in minutes; `None` if it is not known.
    pub minutes_between_rows: Option<i64>,
    /// The time of the first row as it is written in the file, in nanoseconds since 1970; `None` if it is not known.
    pub first_time: Option<i64>,
}

/// How the text of a file is divided into rows and cells.
#[derive(Clone, Debug)]
pub struct Dialect {
    pub encoding: &'static Encoding,
    pub delimiter: u8,
    /// The header line; empty if the file has no header. Further copies of the header between the rows are
    /// skipped.
    pub header: Vec<u8>,
    /// The number of lines before the first row.
    pub lines_before: u64,
    /// Whether a line that begins with `#` is a row, because the first column has the symbols.
    pub begins_with_symbol: bool,
    /// The file or archive member with the times of the rows; `None` if the rows have their own times.
    pub beside: Option<Part>,
}

/// A line at the start of a file, with its line number.
struct Seen {
    number: u64,
    text: Vec<u8>,
}

/// Reads the first lines of a file or archive member, and recognizes its layout.
///
/// # Errors
///
/// Returns an error if the content is not market data, or if a needed value is missing, such as the day.
pub fn sniff(part: &Part, settings: &Settings) -> Result<Sniffed, FeedError> {
    let path = part.virtual_path();
    let beside = times_beside(part);
    let mut lines = TextLines::open(part, beside.as_ref(), settings)?;
    let encoding = lines.encoding();
    let FirstLines { lines, too_long } = first_lines(&mut lines)?;
    let not_market_data = |looks_like| FeedError::NotMarketData { path: part.to_string().into(), looks_like };
    let first = lines.first().ok_or_else(|| not_market_data("an empty file"))?;
    if let Some(looks_like) = other_than_text(&first.text) {
        return Err(not_market_data(looks_like));
    }
    let texts: Vec<&[u8]> = lines.iter().map(|seen| seen.text.as_slice()).collect();
    let delimiter = settings.delimiter.unwrap_or_else(|| delimiter::choose(&texts));
    let given = Given {
        layout: settings.layout,
        map: settings.map.as_ref(),
        has_symbol: settings.symbol.is_some(),
        date_order: settings.date_order,
        decimal: settings.decimal,
        price_scale: settings.price_scale,
        prices: settings.prices,
        path: &path,
        day: path::day(&path),
        has_free_comma: delimiter != b',',
    };
    let mut splitter = Splitter::new(delimiter);
    let seen = without_comments(&lines, &mut splitter);
    let records: Vec<Record> = seen.iter().map(|seen| split(&seen.text, &mut splitter)).collect();
    let found = layout::recognize(&records, given).map_err(|error| {
        let is_table = records.iter().any(|record| record.len() > 1);
        match looks_like_columns(&lines) {
            _ if is_table => feed_error(part, &seen, delimiter, error),
            Some(looks_like) => not_market_data(looks_like),
            None => not_market_data("text that is no table"),
        }
    })?;
    let text = Text {
        lines: &lines,
        seen: &seen,
        records: &records,
        too_long: &too_long,
        encoding,
        delimiter,
        beside,
    };
    Ok(text.sniffed(found))
}

/// Returns what the lines look like, if most of them have runs of blanks between other characters.
fn looks_like_columns(lines: &[Seen]) -> Option<&'static str> {
    let has_runs = |seen: &&Seen| seen.text.trim_ascii().windows(2).any(|pair| pair == b"  ");
    let are_most = lines.iter().filter(has_runs).count() * 2 > lines.len();
    are_most.then_some("columns with several blanks between them, which have to be one delimiter")
}

/// The first lines of a file, split into cells.
struct Text<'a> {
    /// All lines, with comments.
    lines: &'a [Seen],
    seen: &'a [&'a Seen],
    records: &'a [Record],
    /// The numbers of lines that are too long.
    too_long: &'a [u64],
    encoding: &'static Encoding,
    delimiter: u8,
    beside: Option<Part>,
}

impl Text<'_> {
    fn sniffed(self, found: Recognized) -> Sniffed {
        let Self { lines, seen, records, too_long, encoding, delimiter, beside } = self;
        let header = found.header.map(|index| seen[index]);
        let names = found.header.map(|index| records[index].iter().map(|cell| excerpt(cell)).collect());
        let mut names: Vec<String> = names.unwrap_or_default();
        if found.layout.most == Some(names.len() + 1) {
            // The header leaves out the name of the first column.
            names.insert(0, String::new());
        }
        let rows = seen.get(found.first_row..).unwrap_or_default();
        let after_header = header.map_or(0, |seen| seen.number);
        // A line that is too long is a row like others, also if it is the first one.
        let long = too_long.iter().copied().find(|line| *line > after_header);
        let first_row = rows.first().map(|seen| seen.number);
        let before_first_row = first_row.into_iter().chain(long).min().map(|line| line - 1);
        let times = times(&found.layout, rows, delimiter);
        let records = records.get(found.first_row..).unwrap_or_default();
        let unused = unused_columns(&found.layout, &names, records);
        let begins_with_symbol = found.layout.symbol.is_some_and(|symbol| symbol.name == Some(0));
        let is_apart_from_rows = |seen: &&Seen| {
            let is_before_rows = first_row.is_some_and(|first| seen.number < first);
            let is_comment = is_no_row(&seen.text) && !begins_with_symbol;
            (is_before_rows || is_comment) && header.is_none_or(|header| header.number != seen.number)
        };
        let apart: Vec<(u64, String)> =
            lines.iter().filter(is_apart_from_rows).map(|seen| (seen.number, excerpt(&seen.text))).collect();
        let in_lines = apart.iter().filter_map(|(number, line)| zone_clues::in_a_line(*number, line));
        let units = apart.iter().filter_map(|(number, line)| preamble::unit_in_a_line(*number, line));
        let is_size = |column: usize| found.layout.sizes().any(|size| size == column);
        let numbers = found.layout.numbers().filter(|_| found.layout.vendor.is_none());
        let units = units.chain(
            numbers.filter_map(|column| preamble::unit_in_a_name(names.get(column)?, is_size(column))),
        );
        let assumed = found.assumed.iter().cloned().chain(units).collect();
        let before_rows = apart.iter().filter(|(number, _)| first_row.is_some_and(|first| *number < first));
        let stated = before_rows.rev().find_map(|(_, line)| preamble::symbol_in(line));
        let in_columns = unused.iter().filter_map(|column| zone_clues::in_a_column(column, records, &times));
        Sniffed {
            zone_clues: in_lines.chain(in_columns).collect(),
            minutes_between_rows: minutes_between(&times),
            first_time: times.iter().flatten().next().copied().map(Stamp::nanos),
            kinds: KindColumn::all(&found.layout, &names, records),
            unused,
            dialect: Dialect {
                encoding,
                delimiter,
                header: header.map(|seen| seen.text.clone()).unwrap_or_default(),
                lines_before: before_first_row.unwrap_or(after_header),
                begins_with_symbol,
                beside,
            },
            symbol: found.symbol.or(stated.map(|symbol| symbol.to_string())),
            assumed,
            layout: found.layout,
            date_orders: found.date_orders,
            names,
        }
    }
}

/// Returns the times of the first rows as they are written in the file.
fn times(layout: &Layout, rows: &[&Seen], delimiter: u8) -> Vec<Option<Stamp>> {
    let mut splitter = Splitter::new(delimiter);
    rows.iter().map(|seen| layout.times.stamp(&splitter.split(&seen.text, usize::MAX)).ok()).collect()
}

fn minutes_between(times: &[Option<Stamp>]) -> Option<i64> {
    let minutes: Vec<i64> = times.iter().flatten().map(|time| time.nanos() / 60_000_000_000).collect();
    minutes.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|minutes| *minutes > 0).min()
}

/// The first lines of a file.
struct FirstLines {
    lines: Vec<Seen>,
    /// The numbers of lines that are too long.
    too_long: Vec<u64>,
}

fn first_lines(text: &mut TextLines) -> Result<FirstLines, FeedError> {
    let (mut lines, mut too_long, mut bytes) = (Vec::new(), Vec::new(), 0);
    while lines.len() + too_long.len() < LINES && bytes < BYTES {
        match text.advance()? {
            None => break,
            Some(Length::TooLong) => too_long.push(text.number()),
            Some(Length::Whole) if text.line().trim_ascii().is_empty() => {}
            Some(Length::Whole) => {
                bytes += text.line().len();
                lines.push(Seen { number: text.number(), text: text.line().to_vec() });
            }
        }
    }
    Ok(FirstLines { lines, too_long })
}

fn split(line: &[u8], splitter: &mut Splitter) -> Record {
    let line = line.strip_prefix(b"#").unwrap_or(line);
    splitter.split(line, usize::MAX).iter().map(<[u8]>::to_vec).collect()
}

/// If the layout for this path has its times in a separate file, returns that file.
fn times_beside(part: &Part) -> Option<Part> {
    let path = part.path.to_str()?;
    let (own, other) =
        LAYOUTS.iter().find_map(|entry| entry.rules.times_beside.filter(|(own, _)| path.contains(own)))?;
    let path = PathBuf::from(path.replace(own, other));
    // In an archive, the first member has the times.
    container::parts(&path).ok()?.into_iter().next()
}

/// Converts a layout error to a feed error, and adds the path and the line.
fn feed_error(part: &Part, seen: &[&Seen], delimiter: u8, error: LayoutError) -> FeedError {
    let path = PathBuf::from(part.to_string());
    let at = |index: usize| {
        let seen = seen.get(index);
        (seen.map_or(1, |seen| seen.number), seen.map(|seen| excerpt(&seen.text)).unwrap_or_default())
    };
    match error {
        LayoutError::NoTime(index)
        | LayoutError::NoPrice(index)
        | LayoutError::NoShape(index)
        | LayoutError::Misfit(index, _)
            if glued_header(seen, index, delimiter).is_some() =>
        {
            let found = glued_header(seen, index, delimiter).unwrap_or_default();
            FeedError::GluedHeader { path, line: at(index).0, found }
        }
        LayoutError::NoTime(index) => {
            let (line, found) = at(index);
            FeedError::NoTimeColumn { path, line, found }
        }
        LayoutError::NoPrice(index) => {
            let (line, found) = at(index);
            FeedError::NoPriceColumn { path, line, found }
        }
        LayoutError::NoShape(index) => {
            let (line, found) = at(index);
            FeedError::NoLayout { path, line, found }
        }
        LayoutError::Misfit(index, layout) => {
            let (line, found) = at(index);
            FeedError::Misfit { path, line, layout, found }
        }
        LayoutError::NoColumn(name) => FeedError::NoColumn { path, name },
        LayoutError::OtherLayout(index, layout, wanted) => {
            FeedError::OtherLayout { path, line: at(index).0, layout, wanted }
        }
        LayoutError::DateOrder(found, order) => FeedError::DateOrder { path, found, order },
        LayoutError::NoTimeOfDay(column) => {
            let found = seen.iter().rev().map(|seen| excerpt(&seen.text)).next().unwrap_or_default();
            FeedError::NoTimeOfDay { path, column, found }
        }
        LayoutError::NoDay => FeedError::NoDay { path },
        LayoutError::Fractions(found) => FeedError::Fractions { path, found },
        LayoutError::Unfit(layout, looks_like) => FeedError::Unfit { path, layout, looks_like },
    }
}

/// Returns the cell in which a header ends and a row begins, if a line lacks the line break between both.
fn glued_header(seen: &[&Seen], index: usize, delimiter: u8) -> Option<String> {
    let is_name = |text: &[u8]| Role::all().any(|role| role.names().any(|name| name == normal(text)));
    let is_time =
        |text: &[u8]| time::stamp(text, DateOrder::Mdy).or(time::stamp(text, DateOrder::Dmy)).is_some();
    let is_both = |cell: &Vec<u8>| {
        let digit = cell.iter().position(u8::is_ascii_digit).unwrap_or(0);
        digit > 0 && is_name(&cell[..digit]) && is_time(&cell[digit..])
    };
    let cells = split(&seen.get(index)?.text, &mut Splitter::new(delimiter));
    let glued = cells.iter().find(|cell| is_both(cell)).map(|cell| excerpt(cell));
    glued.filter(|_| is_name(&cells[0]))
}

/// If a file is not a table, guesses its type from its first line. Returns `None` if the line may belong to a
/// table.
fn other_than_text(line: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [(&[u8], &str); 10] = [
        (b"<!doctype", "an HTML page"),
        (b"<html", "an HTML page"),
        (b"<?xml", "XML"),
        (b"<", "an HTML page or XML"),
        (b"{\"type\":", "JSON lines, which standard input takes (tickerplant --feed stdin < FILE)"),
        (b"{", "JSON"),
        (b"[", "JSON"),
        (b"%PDF", "a PDF"),
        (b"\x89PNG", "a picture"),
        (b"\xff\xd8\xff", "a picture"),
    ];
    let begins =
        |beginning: &[u8]| line.get(..beginning.len()).is_some_and(|b| b.eq_ignore_ascii_case(beginning));
    // MetaTrader, MultiCharts and MetaStock write column names like HTML tags, e.g. `<DATE>`. Other programs write
    // them in brackets.
    let is_column = |cell: &[u8]| matches!(cell.trim_ascii(), [b'<', .., b'>'] | [b'[', .., b']']);
    let is_header =
        line.split(|byte| delimiter::ALL.contains(byte)).filter(|cell| is_column(cell)).count() > 1;
    let known = BEGINNINGS.iter().find(|(beginning, _)| begins(beginning)).filter(|_| !is_header);
    known
        .map(|(_, looks_like)| *looks_like)
        .or_else(|| line.contains(&0).then_some("binary data"))
        .or_else(|| line.contains(&b'\r').then_some("text whose lines end with a carriage return alone"))
}

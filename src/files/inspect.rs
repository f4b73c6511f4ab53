//! The command `inspect`: prints how a replay would read each file, as a table or as JSON.

use std::io::{self, Write};
use std::path::Path;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::value::RawValue;

use super::FilesError;
use crate::encoding;
use crate::feed::replay::{self, Inspection, Replay, SymbolsInNames, UnusedColumn};
use crate::feed::{FeedError, LineSettings, RejectCounters, printable};
use crate::market::{Event, Kind};

/// The maximum number of symbols that the printed table names.
const NAMED_SYMBOLS: usize = 8;

/// The output format.
#[derive(Clone, Debug)]
pub enum Form {
    /// The output is one JSON object per file.
    Json,
    /// The output is one table per file. Each table ends with the command that replays the file. The strings
    /// are the replay command's arguments after the file's path.
    Table(Vec<String>),
}

/// The JSON object that describes a file.
#[derive(Serialize)]
struct Object<'a> {
    file: &'a str,
    layout: &'a str,
    kind: String,
    rows: u64,
    events: u64,
    skipped: IndexMap<&'a str, u64>,
    order: &'a str,
    zone: &'a str,
    symbols: IndexMap<&'a str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Box<RawValue>>,
    columns: IndexMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unused: Vec<Unused<'a>>,
    #[serde(skip_serializing_if = "is_empty")]
    warnings: &'a [String],
    encoding: &'a str,
    delimiter: char,
    decimal: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    price_scale: u64,
    #[serde(skip_serializing_if = "is_zero")]
    repeated_times: u64,
    #[serde(skip_serializing_if = "is_zero")]
    moved_times: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    assumed_date_order: Option<replay::DateOrder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<&'a str>,
}

/// The JSON object of a column that no role uses.
#[derive(Serialize)]
struct Unused<'a> {
    column: &'a str,
    example: &'a str,
}

/// The JSON object of a file that cannot be read.
#[derive(Serialize)]
struct UnreadableFile<'a> {
    file: &'a str,
    error: String,
}

/// Prints how a replay would read each file. Continues after a file that cannot be read.
///
/// # Errors
///
/// Returns an error if a file cannot be read, or if the output cannot be written.
pub fn inspect(
    config: &replay::Config,
    line_bytes: usize,
    form: &Form,
    out: &mut impl Write,
) -> Result<(), FilesError> {
    let mut all = 0;
    let mut faults = Vec::new();
    let mut symbols = SymbolsInNames::default();
    for path in &config.files {
        let files = match replay::expand(path) {
            Ok(files) => files,
            Err(error) => {
                faults.push(error);
                all += 1;
                continue;
            }
        };
        let (is_among_others, is_alone) = (files.len() > 1, files.len() == 1 && config.files.len() == 1);
        let mut errors = Vec::new();
        for file in &files {
            all += 1;
            let one = replay::Config { files: vec![file.clone()], ..config.clone() };
            let opened =
                Replay::open(&one, &LineSettings { line_bytes, reject_counters: RejectCounters::default() });
            let inspected = opened.and_then(|replay| {
                replay.check_names(&mut symbols)?;
                replay.inspect().collect::<Result<Vec<_>, _>>()
            });
            match inspected {
                Ok(inspections) => {
                    for inspection in inspections {
                        print(&inspection, file, form, out).map_err(FilesError::Output)?;
                    }
                }
                Err(error) => {
                    if !is_alone {
                        print_unreadable(file, &error, form, out).map_err(FilesError::Output)?;
                    }
                    errors.push(error);
                }
            }
        }
        // If a path expands to several files, files without market data are not errors, as in a replay.
        let is_fine = is_among_others && errors.len() < files.len() && !config.strict;
        faults.extend(errors.into_iter().filter(|error| !(is_fine && error.is_of_another_kind())));
    }
    out.flush().map_err(FilesError::Output)?;
    outcome(faults, all)
}

fn outcome(mut faults: Vec<FeedError>, all: usize) -> Result<(), FilesError> {
    match faults.len() {
        0 => Ok(()),
        1 => Err(faults.remove(0).into()),
        bad => Err(FilesError::Some { bad, all, first: faults.remove(0) }),
    }
}

/// For a file that cannot be read, prints the error instead of an object or a table.
fn print_unreadable(file: &Path, error: &FeedError, form: &Form, out: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Json => {
            print_json(&UnreadableFile { file: &file.display().to_string(), error: error.in_full() }, out)
        }
        Form::Table(_) => writeln!(out, "{:<9} {}\n", "refused", printable(&error.in_full())),
    }
}

fn print(inspection: &Inspection, path: &Path, form: &Form, out: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Json => print_json(&Object::of(inspection), out),
        Form::Table(words) => {
            // A path that begins with `-` looks like a flag, so `./` is put before it.
            let path = path.display().to_string();
            let path = [if path.starts_with('-') { format!("./{path}") } else { path }];
            let command = ["tickerplant", "--feed", "replay"].map(str::to_owned);
            let words: Vec<&str> = command.iter().chain(&path).chain(words).map(String::as_str).collect();
            let command = shlex::try_join(words).map_err(io::Error::other)?;
            print_table(inspection, &command, out)
        }
    }
}

fn print_json(object: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    writeln!(out)
}

impl<'a> Object<'a> {
    fn of(inspection: &'a Inspection) -> Self {
        Self {
            file: &inspection.file,
            layout: inspection.layout,
            kind: kinds(inspection, "+"),
            rows: inspection.rows,
            events: inspection.events,
            skipped: inspection.rejected.iter().copied().collect(),
            order: inspection.order,
            zone: &inspection.zone,
            symbols: inspection.symbols.iter().map(|(symbol, count)| (symbol.as_str(), *count)).collect(),
            first: inspection.first.as_ref().map(raw),
            last: inspection.last.as_ref().map(raw),
            columns: inspection.columns.iter().map(|(role, column)| (*role, column.as_str())).collect(),
            unused: inspection.unused.iter().map(Unused::of).collect(),
            warnings: &inspection.warnings,
            encoding: inspection.encoding,
            delimiter: inspection.delimiter,
            decimal: if inspection.has_decimal_comma { "," } else { "." },
            price_scale: inspection.price_scale.into(),
            repeated_times: inspection.repeated,
            moved_times: inspection.moved,
            assumed_date_order: inspection.assumed_date_order,
            damage: inspection.damage.as_deref(),
        }
    }
}

impl<'a> Unused<'a> {
    fn of(column: &'a UnusedColumn) -> Self {
        Self { column: &column.name, example: &column.example }
    }
}

fn print_table(inspection: &Inspection, command: &str, out: &mut impl Write) -> io::Result<()> {
    // File names may contain terminal control sequences, so they are made printable.
    let mut line = |name: &str, text: &str| writeln!(out, "{name:<9} {}", printable(text));
    line("file", &inspection.file)?;
    let vendor = inspection.vendor.map(|vendor| format!(" ({vendor})")).unwrap_or_default();
    line("layout", &format!("{}{vendor}: {}", inspection.layout, kinds(inspection, " and ")))?;
    let columns: Vec<String> =
        inspection.columns.iter().map(|(role, column)| format!("{role}={column}")).collect();
    line("columns", &columns.join(" "))?;
    if !inspection.unused.is_empty() {
        let unused: Vec<String> = inspection
            .unused
            .iter()
            .map(|UnusedColumn { name, example, .. }| format!("{name} ({example})"))
            .collect();
        line("unused", &unused.join(", "))?;
    }
    for warning in &inspection.warnings {
        line("warning", warning)?;
    }
    let scale = match inspection.price_scale {
        0 => String::new(),
        scale => format!(", prices in units of 1e-{scale}"),
    };
    let decimal = if inspection.has_decimal_comma { "comma" } else { "point" };
    line(
        "text",
        &format!(
            "{}, cells apart by {:?}, decimal {decimal}{scale}",
            inspection.encoding, inspection.delimiter
        ),
    )?;
    line("rows", &format!("{}, which gave {} events", inspection.rows, inspection.events))?;
    if !inspection.rejected.is_empty() {
        let rejected: Vec<String> =
            inspection.rejected.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        line("skipped", &rejected.join(", "))?;
    }
    let order = match inspection.order {
        "ascending" => "ascending: streamed in constant memory",
        "descending" => "descending: sorted in memory, known only after a scan of its times",
        _ => "unsorted: sorted in memory, known only after a scan of its times",
    };
    line("order", order)?;
    let assumed = if inspection.zone.ends_with("(assumed)") { ": --tz says otherwise" } else { "" };
    line("zone", &format!("{}{assumed}", inspection.zone))?;
    if inspection.repeated + inspection.moved > 0 {
        let text = format!(
            "{} in repeated hours, told apart by their order; {} in skipped hours, moved forward",
            inspection.repeated, inspection.moved
        );
        line("clocks", &text)?;
    }
    if let Some(order) = inspection.assumed_date_order {
        let order = match order {
            replay::DateOrder::Dmy => "day/month/year",
            replay::DateOrder::Mdy | replay::DateOrder::Ymd => "month/day/year, with points day.month.year",
        };
        line("dates", &format!("read as {order}, which none of them shows: --date-order says otherwise"))?;
    }
    if let Some(damage) = &inspection.damage {
        line("damage", &format!("{damage}: what came before was read"))?;
    }
    let named: Vec<String> = inspection
        .symbols
        .iter()
        .take(NAMED_SYMBOLS)
        .map(|(symbol, count)| format!("{symbol} ({count})"))
        .collect();
    let more = inspection.symbols.len().saturating_sub(NAMED_SYMBOLS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    line("symbols", &format!("{}{more}", named.join(", ")))?;
    if let (Some(first), Some(last)) = (&inspection.first, &inspection.last) {
        line("span", &format!("{} to {}", first.time, last.time))?;
    }
    line("replay", command)?;
    writeln!(out)
}

/// Returns the names of the kinds of events in the file, joined by `between`.
fn kinds(inspection: &Inspection, between: &str) -> String {
    inspection.kinds.iter().map(Kind::name).collect::<Vec<_>>().join(between)
}

fn raw(event: &Event) -> Box<RawValue> {
    let mut text = Vec::new();
    encoding::event_without_seq(&mut text, event);
    let text = String::from_utf8(text).expect("JSON is UTF-8");
    RawValue::from_string(text).expect("an event is written as JSON")
}

fn is_empty(list: &&[String]) -> bool {
    list.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

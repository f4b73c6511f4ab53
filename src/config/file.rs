//! Reads the configuration file, and finds the lines of its keys.

use std::io;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::error::{LoadError, Place};
use super::key_path::{KeyPath, Step};
use super::shown;

/// The path of the configuration file when `--config` is not given. The file at this path may be missing.
pub const FILE: &str = "config.toml";

/// A configuration file that was read. A missing `config.toml` counts as an empty file.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    path: PathBuf,
    text: String,
    /// The first line that is not UTF-8.
    line_not_utf8: Option<usize>,
    /// The contents of the file, with TOML's dates and times converted to strings.
    pub table: Table,
}

impl ConfigFile {
    /// Reads the file at `path`. Without a path, reads `config.toml`. Bytes that are not UTF-8 become
    /// replacement characters; [`ConfigFile::check_encoding`] reports them.
    pub fn read(path: Option<&Path>) -> Result<Self, LoadError> {
        let may_be_missing = path.is_none();
        let path = path.unwrap_or(Path::new(FILE)).to_owned();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(LoadError::Open { path, source }),
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let valid_bytes = std::str::from_utf8(&bytes).map_or_else(|error| error.valid_up_to(), str::len);
        let line_not_utf8 = (valid_bytes < bytes.len()).then(|| line_at(&text, valid_bytes));
        let mut file = Self { path, text, line_not_utf8, table: Table::new() };
        let parsed = DeTable::parse(&file.text).map(|root| as_table(root.get_ref()));
        match parsed {
            Ok(table) => file.table = table,
            Err(error) => {
                file.check_encoding()?;
                let line = error.span().map_or(1, |span| line_at(&file.text, span.start));
                return Err(file.syntax_error(line, error.message()));
            }
        }
        Ok(file)
    }

    /// Returns an error if the file is not UTF-8.
    pub fn check_encoding(&self) -> Result<(), LoadError> {
        self.line_not_utf8.map_or(Ok(()), |line| {
            Err(self.syntax_error(line, "the text is not UTF-8; save the file in the encoding UTF-8"))
        })
    }

    fn syntax_error(&self, line: usize, fault: &str) -> LoadError {
        LoadError::Syntax { place: Place::Line { path: self.path.clone(), line }, fault: fault.to_owned() }
    }

    /// Returns the line that sets the value at `path`.
    pub fn place(&self, path: &KeyPath) -> Place {
        let offset = DeTable::parse(&self.text).ok().and_then(|root| offset_in(root.get_ref(), &path.0));
        Place::Line { path: self.path.clone(), line: offset.map_or(1, |offset| line_at(&self.text, offset)) }
    }

    /// Formats the value at `path` for an error message. A number is shown as it is written in the file.
    pub fn found(&self, path: &KeyPath) -> Option<String> {
        let root = DeTable::parse(&self.text).ok()?;
        let value = value_in(root.get_ref(), &path.0)?;
        Some(match value.get_ref() {
            DeValue::Integer(number) => shown::text(&number.to_string()),
            DeValue::Float(number) => shown::text(&number.to_string()),
            other => shown::value(&as_value(other)),
        })
    }
}

/// Returns the number of the line that contains the byte at `offset`. The first line has the number 1.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Follows the steps of a path into a TOML table. Returns the byte offset of the deepest key or list item
/// that exists on the path.
fn offset_in(table: &DeTable<'_>, steps: &[Step]) -> Option<usize> {
    let [Step::Key(name), rest @ ..] = steps else { return None };
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    offset_below(value, rest).or(Some(key.span().start))
}

fn offset_below(value: &Spanned<DeValue<'_>>, steps: &[Step]) -> Option<usize> {
    match (value.get_ref(), steps) {
        (DeValue::Table(table), _) => offset_in(table, steps),
        (DeValue::Array(items), [Step::Index(index), rest @ ..]) => {
            let item = items.get(*index)?;
            offset_below(item, rest).or(Some(item.span().start))
        }
        _ => None,
    }
}

fn value_in<'a, 'i>(table: &'a DeTable<'i>, steps: &[Step]) -> Option<&'a Spanned<DeValue<'i>>> {
    let [Step::Key(name), rest @ ..] = steps else { return None };
    let (_, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    rest.iter().try_fold(value, |value, step| match (value.get_ref(), step) {
        (DeValue::Table(table), Step::Key(name)) => {
            table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
        }
        (DeValue::Array(items), Step::Index(index)) => items.get(*index),
        _ => None,
    })
}

fn as_table(table: &DeTable<'_>) -> Table {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), as_value(value.get_ref()))).collect()
}

/// Converts a value of the TOML parser. Dates and times become strings. An integer beyond 64 bits becomes a
/// float. So the check of the value can report that the integer is out of range.
fn as_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY)), Value::Integer),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
        DeValue::Boolean(is_on) => Value::Boolean(*is_on),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| as_value(item.get_ref())).collect()),
        DeValue::Table(table) => Value::Table(as_table(table)),
    }
}

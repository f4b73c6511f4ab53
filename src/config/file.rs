//! Reads the configuration file, and finds the lines of its keys.

use std::io;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::error::{LoadError, Place};
use super::key_path::{KeyPath, Step};

/// The path of the configuration file when `--config` is not given. The file at this path may be missing.
pub const FILE: &str = "config.toml";

/// A configuration file that was read. A missing `config.toml` counts as an empty file.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    path: PathBuf,
    text: String,
    /// The contents of the file, with TOML's dates and times converted to strings.
    pub table: Table,
}

impl ConfigFile {
    /// Reads the file at `path`. Without a path, reads `config.toml`.
    pub fn read(path: Option<&Path>) -> Result<Self, LoadError> {
        let may_be_missing = path.is_none();
        let path = path.unwrap_or(Path::new(FILE)).to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(LoadError::Open { path, source }),
        };
        let table = text.parse::<Table>().map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(&text, span.start));
            let place = Place::Line { path: path.clone(), line };
            LoadError::Syntax { place, fault: error.message().to_owned() }
        })?;
        let table = table.into_iter().map(|(key, value)| (key, with_dates_as_text(value))).collect();
        Ok(Self { path, text, table })
    }

    /// Returns the line of the file that sets the value at `path`.
    pub fn place(&self, path: &KeyPath) -> Place {
        let offset = DeTable::parse(&self.text).ok().and_then(|root| offset_in(root.get_ref(), &path.0));
        Place::Line { path: self.path.clone(), line: offset.map_or(1, |offset| line_at(&self.text, offset)) }
    }
}

/// Returns the number of the line that contains the byte at `offset`. The first line has the number 1.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Follows the steps of a path into a TOML table. Returns the byte offset of the last key or list item on the
/// path that exists.
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

fn with_dates_as_text(value: Value) -> Value {
    match value {
        Value::Datetime(time) => Value::String(time.to_string()),
        Value::Array(items) => Value::Array(items.into_iter().map(with_dates_as_text).collect()),
        Value::Table(table) => {
            Value::Table(table.into_iter().map(|(key, value)| (key, with_dates_as_text(value))).collect())
        }
        other => other,
    }
}

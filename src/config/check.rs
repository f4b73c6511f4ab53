//! Deserializes a table of the configuration and checks its values.
//!
//! If a value is wrong, an error of the library serde contains the name of a Rust type. Instead, an error of
//! this module describes the [form](crate::range::Check) that the value must have.

use serde::Deserialize;
use toml::{Table, Value};

use super::Config;
use super::key_path::{KeyPath, Step};
use super::keys;

/// A wrong value or an unknown key in a table of the configuration.
#[derive(Clone, Debug)]
pub struct Fault {
    pub path: KeyPath,
    pub kind: FaultKind,
}

/// The kind of a fault in the configuration.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// The key does not exist. `siblings` are the names of the keys that its table can have.
    Unknown { siblings: Vec<String> },
    /// The value does not have the form that the text describes.
    Form(String),
    /// The text says what is wrong with the value.
    Text(String),
}

/// Deserializes a table of the configuration, and checks that every value has the right form.
pub fn check(table: Table) -> Result<Config, Fault> {
    let defaults = Table::try_from(Config::default()).expect("the defaults can be written as TOML");
    if let Some(path) = section_with_list(&table, &defaults) {
        let form = format!("a table, which begins with [{path}]");
        return Err(Fault { path, kind: FaultKind::Form(form) });
    }
    let mut track = serde_path_to_error::Track::new();
    let config = Config::deserialize(serde_path_to_error::Deserializer::new(table, &mut track));
    let config = config.map_err(|error| {
        let path = KeyPath::from(&track.path());
        let kind = kind(error.message(), &path);
        Fault { path, kind }
    })?;
    match config.checks().into_iter().find(|check| !check.is_right) {
        None => Ok(config),
        Some(wrong) => Err(Fault { path: KeyPath::of_key(&wrong.key), kind: FaultKind::Form(wrong.form) }),
    }
}

/// Returns the path of a section that is wrongly a list, as in `[[server]]`. Serde would read the items of
/// the list as the values of the section's keys.
fn section_with_list(table: &Table, defaults: &Table) -> Option<KeyPath> {
    defaults.iter().find_map(|(name, default)| {
        let (section, value) = (default.as_table()?, table.get(name)?);
        let step = Step::Key(name.clone());
        match value {
            Value::Array(_) => Some(KeyPath(vec![step])),
            Value::Table(inner) => {
                let below = section_with_list(inner, section)?;
                Some(KeyPath([vec![step], below.0].concat()))
            }
            _ => None,
        }
    })
}

/// Translates the message of a serde error into a kind of fault.
fn kind(message: &str, path: &KeyPath) -> FaultKind {
    if message.starts_with("unknown field") {
        return FaultKind::Unknown { siblings: keys::expected_names(message) };
    }
    let key = path.to_string();
    if let Some(known) = Config::default().checks().into_iter().find(|check| check.key == key) {
        return FaultKind::Form(known.form);
    }
    if let Some(missing) = message.strip_prefix("missing field ") {
        return FaultKind::Text(format!("{missing} is missing"));
    }
    match message.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => FaultKind::Form(words(expected)),
        Some((found, expected)) if found.starts_with("unknown variant") => {
            FaultKind::Form(expected.trim_start_matches("one of ").to_owned())
        }
        _ => FaultKind::Text(message.to_owned()),
    }
}

/// Describes a type that serde expected, in plain words.
fn words(expected: &str) -> String {
    let words = match expected {
        "a boolean" => "true or false",
        "a string" | "path string" | "string or table" => "a text in quotes",
        "a sequence" => "a list, such as [\"a\", \"b\"]",
        "f64" => "a number",
        _ if expected == "a map" || expected.starts_with("struct ") => "a table",
        _ => expected,
    };
    words.to_owned()
}

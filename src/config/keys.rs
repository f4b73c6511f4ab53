//! The names of all configuration keys, and the search for the key that a wrong name may mean.

use serde::Deserialize;
use strsim::normalized_damerau_levenshtein;
use toml::{Table, Value};

use super::Config;

/// Returns every key and every section, for example `feed.clock` and `feed.clock.max_gap`.
pub fn all() -> Vec<String> {
    let defaults = Table::try_from(Config::default()).expect("the defaults can be written as TOML");
    let mut keys = Vec::new();
    collect("", &defaults, &mut keys);
    keys
}

fn collect(section: &str, defaults: &Table, keys: &mut Vec<String>) {
    for name in names_in(section) {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        keys.push(key.clone());
        if let Some(Value::Table(inner)) = defaults.get(&name) {
            collect(&key, inner, keys);
        }
    }
}

/// Returns the names of the keys in a section. The names come from serde's error for an unknown name, which
/// also lists the keys without a default.
fn names_in(section: &str) -> Vec<String> {
    let probe = if section.is_empty() { "?".to_owned() } else { format!("{section}.?") };
    match Config::deserialize(nested(&probe, Value::Boolean(true))) {
        Ok(_) => Vec::new(),
        Err(error) => expected_names(error.message()),
    }
}

/// Returns the expected names from serde's error for an unknown name. The first name in backticks is the
/// unknown name, which is left out.
pub fn expected_names(message: &str) -> Vec<String> {
    message.split('`').skip(1).step_by(2).skip(1).map(str::to_owned).collect()
}

/// Returns a table in which only this key is set.
pub fn nested(key: &str, value: Value) -> Table {
    let (name, value) = match key.split_once('.') {
        None => (key, value),
        Some((section, rest)) => (section, Value::Table(nested(rest, value))),
    };
    Table::from_iter([(name.to_owned(), value)])
}

/// Returns the key that an unknown key may mean. `siblings` are the names of the existing keys in the table
/// of the unknown key.
///
/// A similar name in this table is preferred to an identical name in another section.
pub fn nearest(unknown: &str, siblings: &[String]) -> Option<String> {
    let (section, name) = unknown
        .rsplit_once('.')
        .map_or((String::new(), unknown), |(section, name)| (format!("{section}."), name));
    let siblings = siblings.iter().map(|sibling| (sibling.clone(), format!("{section}{sibling}")));
    most_similar(name, 0.6, siblings).or_else(|| of_name(name, all()))
}

/// Returns the key that the name of an environment variable may mean. `name` has a single underscore in place
/// of each dot of the key. The key is never a section, because no variable sets a section.
pub fn nearest_of_variable(name: &str) -> Option<String> {
    let all = all();
    let is_section = |key: &String| all.iter().any(|other| other.starts_with(&format!("{key}.")));
    let keys: Vec<String> = all.iter().filter(|key| !is_section(key)).cloned().collect();
    let candidates = keys.iter().map(|key| (key.replace('.', "_"), key.clone()));
    most_similar(name, 0.8, candidates).or_else(|| of_name(name, keys))
}

/// Returns the first key with this name, in any section.
fn of_name(name: &str, keys: Vec<String>) -> Option<String> {
    keys.into_iter().find(|key| key.rsplit('.').next() == Some(name))
}

/// Returns the key whose text is most similar to `name`. Each candidate is a text and the key that belongs to
/// it. Returns `None` if every similarity is below `least`.
fn most_similar(
    name: &str,
    least: f64,
    candidates: impl Iterator<Item = (String, String)>,
) -> Option<String> {
    candidates
        .map(|(text, key)| (normalized_damerau_levenshtein(name, &text), key))
        .filter(|(similarity, _)| *similarity >= least)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, key)| key)
}

//! A setting from a flag or an environment variable. The setting's text is converted to the type of the key.

use toml::{Table, Value};

use super::check::{Fault, FaultKind, check};
use super::error::Place;
use super::keys::nested;
use super::shown;

/// The value of one key, and the place where it is set.
#[derive(Clone, Debug)]
pub struct Setting {
    pub place: Place,
    pub key: String,
    /// The value. The value of an environment variable is always a string.
    pub value: Value,
}

impl Setting {
    /// Returns a table with only this key, whose value is converted to the type that the key needs.
    ///
    /// Only serde knows the type of each key. So this function tries each type that the setting's text may
    /// stand for.
    pub fn typed(&self) -> Result<Table, Fault> {
        let mut fault: Option<Fault> = None;
        for value in self.readings() {
            let table = nested(&self.key, value);
            match check(table.clone()) {
                Ok(_) => return Ok(table),
                // An error text comes from the key's own type, which has rejected the setting's text or one
                // item of the list. Such an error is more helpful than the error for another type.
                Err(new) if matches!(new.kind, FaultKind::Text(_)) => return Err(new),
                Err(new) => {
                    fault.get_or_insert(new);
                }
            }
        }
        Err(fault.expect("every value can be read in at least one way"))
    }

    /// Formats the value of the setting for an error message.
    pub fn found(&self) -> String {
        self.value.as_str().map_or_else(|| shown::value(&self.value), shown::text)
    }

    /// Returns the values that the setting's text may stand for, the likeliest first. For a text with leading
    /// zeros, a list comes before an integer, so that `005930` is read as a symbol.
    fn readings(&self) -> Vec<Value> {
        let Value::String(text) = &self.value else { return vec![self.value.clone()] };
        let integer = text.parse::<i64>().ok();
        let plain_integer = integer.filter(|number| number.to_string() == *text);
        let float = text.parse::<f64>().ok().map(Value::from);
        let boolean = text.parse::<bool>().ok().map(Value::from);
        let items = text.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>();
        let rest =
            [plain_integer.map(Value::from), float, boolean, Some(items.into()), integer.map(Value::from)];
        [self.value.clone()].into_iter().chain(rest.into_iter().flatten()).collect()
    }
}

//! A setting from a flag or a variable, and its conversion to the type that its key needs.

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
    /// The value. A flag or a variable has only a text.
    pub value: Value,
}

impl Setting {
    /// Returns a table in which only this key is set, to a value of the right type.
    ///
    /// The types of all keys are known to serde alone. So each type that the text may stand for is tried.
    pub fn typed(&self) -> Result<Table, Fault> {
        let mut fault: Option<Fault> = None;
        for value in self.readings() {
            // The type of the key says what is wrong with the text, so the text is not a list for it.
            if value.is_array()
                && fault.as_ref().is_some_and(|fault| matches!(fault.kind, FaultKind::Text(_)))
            {
                continue;
            }
            let table = nested(&self.key, value);
            match check(table.clone()) {
                Ok(_) => return Ok(table),
                // A text for an item of a list says more than that the value is no list.
                Err(new) if fault.is_none() || matches!(new.kind, FaultKind::Text(_)) => fault = Some(new),
                Err(_) => {}
            }
        }
        Err(fault.expect("every value can be read in at least one way"))
    }

    /// Returns the value as an error shows it.
    pub fn found(&self) -> String {
        self.value.as_str().map_or_else(|| shown::value(&self.value), shown::text)
    }

    /// Returns the values that the text may stand for, the likeliest first. A list comes before a number with
    /// leading zeros, so that `005930` is a symbol.
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

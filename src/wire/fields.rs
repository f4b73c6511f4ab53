//! The fields of a JSON object, as a client wrote them.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error_reply::{ErrorReply, bad_command, quoted};

/// The `id` of a command: the unchanged text of a JSON string or number.
pub type CommandId = Box<RawValue>;

/// The fields of a JSON object, in their original order. Several fields may have the same name.
#[derive(Debug)]
pub struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    /// Parses a JSON object. Returns `None` if the text is not a JSON object.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns the value of the first field with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Returns all fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    /// Returns the name of the first field.
    #[must_use]
    pub fn first_name(&self) -> Option<&str> {
        self.0.first().map(|(name, _)| name.as_str())
    }

    /// Returns the error for a field name that occurs more than once, or `None` if all names differ.
    #[must_use]
    pub fn repeated(&self) -> Option<ErrorReply> {
        let mut names: Vec<&str> = self.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        let [name, _] = names.array_windows().find(|[one, next]| one == next)?;
        Some(bad_command(format_args!("{} is given twice", quoted(name))))
    }

    /// Removes the first field with this name, and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<Box<RawValue>> {
        let index = self.0.iter().position(|(found, _)| found == name)?;
        Some(self.0.remove(index).1)
    }

    /// Removes a field from a command, and parses the field's value. If the value is wrong, the error reply
    /// contains `form`, a description of a correct value.
    ///
    /// The parser of a command takes all known fields of the command. Only unknown fields then remain.
    ///
    /// # Errors
    ///
    /// Fails if the value is not a `T`.
    pub fn take<T: for<'de> Deserialize<'de>>(
        &mut self,
        name: &str,
        form: &str,
    ) -> Result<Option<T>, ErrorReply> {
        let Some(value) = self.remove(name) else {
            return Ok(None);
        };
        serde_json::from_str(value.get())
            .map(Some)
            .map_err(|_| bad_command(format_args!("`{name}` is {form}")))
    }

    /// Removes and returns the `id` of a command.
    ///
    /// # Errors
    ///
    /// Fails if the `id` is neither a string nor a number.
    pub fn take_id(&mut self) -> Result<Option<CommandId>, ErrorReply> {
        let Some(id) = self.remove("id") else { return Ok(None) };
        if id.get().starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
            Ok(Some(id))
        } else {
            Err(bad_command("`id` is a string or a number"))
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

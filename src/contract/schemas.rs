//! Collects the schemas that a document refers to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::values::Symbol;

/// The value that tells a frame or command from others, such as `trade`, and a reference to the schema of the
/// frame or command.
pub type TaggedReference = (&'static str, Value);

/// The schemas of a document, by name.
#[derive(Debug, Default)]
pub struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Adds the schema of `T` and the schemas to which it refers. Returns a reference to the schema of `T`.
    pub fn of<T: ToSchema>(&mut self) -> Value {
        let name = T::name();
        let mut schemas = vec![(name.clone().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        for (name, schema) in schemas {
            let mut schema = serde_json::to_value(schema).expect("a schema is plain data");
            leave_out_nulls(&mut schema);
            // A type whose schema is a reference stands for a schema that is added elsewhere.
            if schema.get("$ref").is_none() {
                self.0.insert(name, schema);
            }
        }
        reference(&name)
    }

    /// Adds the schema of a frame, which has the fields of `T` and a `type`.
    pub fn frame<T: ToSchema>(&mut self, kind: &'static str) -> TaggedReference {
        self.tagged::<T>("Frame", "type", kind, Vec::new())
    }

    /// Adds the schema of a frame, which has the fields of `T`, a `type` and a `symbol`.
    pub fn symbol_frame<T: ToSchema>(&mut self, kind: &'static str) -> TaggedReference {
        let symbol = ("symbol", self.of::<Symbol>(), json!("AAPL"));
        self.of::<T>();
        self.tagged::<T>("Frame", "type", kind, vec![symbol])
    }

    /// Adds the schema of a command, which has the fields of `T`, an `action`, and no others.
    pub fn command<T: ToSchema>(&mut self, action: &'static str) -> TaggedReference {
        let command = self.tagged::<T>("Command", "action", action, Vec::new());
        let schema = self.0.get_mut(&name_of(action, "Command")).expect("the schema was added");
        schema["additionalProperties"] = json!(false);
        command
    }

    /// Adds a schema that stands for several schemas. The value of the field `tag` tells them apart.
    pub fn one_of(&mut self, name: &str, description: &str, tag: &str, parts: &[TaggedReference]) -> Value {
        let references: Vec<&Value> = parts.iter().map(|(_, reference)| reference).collect();
        let mapping: Map<String, Value> =
            parts.iter().map(|(value, reference)| ((*value).to_owned(), reference["$ref"].clone())).collect();
        let schema = json!({
            "description": description,
            "oneOf": references,
            "discriminator": {"propertyName": tag, "mapping": mapping},
        });
        self.0.insert(name.to_owned(), schema);
        reference(name)
    }

    /// Returns the first example of the schema to which a reference points.
    #[must_use]
    pub fn example(&self, reference: &Value) -> Value {
        self.target(reference)["examples"][0].clone()
    }

    /// Returns the description of the schema to which a reference points.
    #[must_use]
    pub fn description(&self, reference: &Value) -> Value {
        self.target(reference)["description"].clone()
    }

    /// Returns all schemas as one JSON object.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0.into_iter().collect())
    }

    fn target(&self, reference: &Value) -> &Value {
        let path = reference["$ref"].as_str().unwrap_or_default();
        &self.0[path.trim_start_matches("#/components/schemas/")]
    }

    /// Adds a schema with the fields of `T`, a constant `tag` and the fields `first`, each with its example.
    fn tagged<T: ToSchema>(
        &mut self,
        suffix: &str,
        tag: &'static str,
        value: &'static str,
        mut first: Vec<(&'static str, Value, Value)>,
    ) -> TaggedReference {
        let mut fields = Schemas::default();
        let own = fields.of::<T>();
        let mut schema = fields.target(&own).clone();
        fields.0.remove(&*T::name());
        self.0.append(&mut fields.0);
        first.insert(0, (tag, json!({"type": "string", "const": value}), json!(value)));
        let mut required: Vec<Value> = first.iter().map(|(name, ..)| json!(name)).collect();
        required.extend(schema["required"].as_array().into_iter().flatten().cloned());
        schema["required"] = Value::Array(required);
        for (name, property, example) in first {
            schema["properties"][name] = property;
            for whole in schema["examples"].as_array_mut().into_iter().flatten() {
                whole[name] = example.clone();
            }
        }
        let name = name_of(value, suffix);
        let reference = reference(&name);
        self.0.insert(name, schema);
        (value, reference)
    }
}

/// Returns the name of a schema, such as `TradeFrame` for `trade`.
fn name_of(value: &str, suffix: &str) -> String {
    let (first, rest) = value.split_at(1);
    format!("{}{rest}{suffix}", first.to_uppercase())
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Removes `null` from all types, because the server leaves out a field that has no value.
fn leave_out_nulls(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(leave_out_nulls),
        Value::Object(fields) => {
            fields.values_mut().for_each(leave_out_nulls);
            let null = json!("null");
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|found| *found != null);
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("oneOf") {
                choices.retain(|choice| choice["type"] != null);
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    fields.remove("oneOf");
                    fields.extend(only);
                }
            }
        }
        _ => {}
    }
}

//! Validates JSON values against the schemas of a document, and records which properties occur.

use std::cell::RefCell;
use std::collections::BTreeSet;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// The schemas of a document. An object with a property that its schema does not list is invalid here, so
/// that a test notices a field that nobody has described.
pub struct SchemaCheck {
    schemas: Value,
    /// The properties that occurred so far, each as `SCHEMA.PROPERTY`.
    found: RefCell<BTreeSet<String>>,
}

impl SchemaCheck {
    /// Creates a check from `components.schemas` of a document.
    pub fn new(mut schemas: Value) -> Self {
        forbid_other_properties(&mut schemas);
        Self { schemas, found: RefCell::default() }
    }

    /// Checks that a value has the form of the schema with this name.
    pub fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        assert!(self.schemas.get(name).is_some(), "there is no schema {name}");
        let errors: Vec<String> =
            self.validator(name).iter_errors(value).map(|error| error.to_string()).collect();
        if !errors.is_empty() {
            return Err(format!("{value} is no {name}: {errors:?}"));
        }
        self.find(name, &self.schemas[name], value);
        Ok(())
    }

    /// Checks a value that has the constant `tag`, such as a frame with its `type`.
    pub fn check_tagged(&self, tag: &str, suffix: &str, value: &Value) -> Result<(), String> {
        let kind = value[tag].as_str().ok_or_else(|| format!("{value} has no {tag}"))?;
        let (first, rest) = kind.split_at(1);
        self.check(&format!("{}{rest}{suffix}", first.to_uppercase()), value)
    }

    /// Returns the properties of these schemas, and of the schemas to which they refer, that no value has had
    /// so far.
    pub fn missing(&self, names: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut listed = BTreeSet::new();
        for name in names {
            self.list(&name, &self.schemas[&name], &mut listed);
        }
        listed.difference(&self.found.borrow()).cloned().collect()
    }

    /// Returns the names of the schemas that end with this suffix.
    pub fn names(&self, suffix: &str) -> Vec<String> {
        let names = self.schemas.as_object().unwrap().keys();
        names.filter(|name| name.ends_with(suffix)).cloned().collect()
    }

    /// Checks the examples of all schemas. Returns the number of examples.
    pub fn check_examples(&self) -> usize {
        let mut count = 0;
        for (name, schema) in self.schemas.as_object().unwrap() {
            for example in schema["examples"].as_array().into_iter().flatten() {
                self.check(name, example).unwrap();
                count += 1;
            }
        }
        count
    }

    fn validator(&self, name: &str) -> Validator {
        let schema = json!({
            "$ref": format!("#/components/schemas/{name}"), "components": {"schemas": self.schemas}
        });
        let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        options.build(&schema).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn find(&self, name: &str, schema: &Value, value: &Value) {
        if let Some(target) = target(schema) {
            return self.find(target, &self.schemas[target], value);
        }
        if let Value::Array(items) = value {
            for item in items {
                self.find(name, &schema["items"], item);
            }
        }
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = value.get(property) {
                self.found.borrow_mut().insert(format!("{name}.{property}"));
                self.find(name, schema, value);
            }
        }
    }

    fn list(&self, name: &str, schema: &Value, listed: &mut BTreeSet<String>) {
        if let Some(target) = target(schema) {
            return self.list(target, &self.schemas[target], listed);
        }
        self.list_items(name, schema, listed);
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            listed.insert(format!("{name}.{property}"));
            self.list(name, schema, listed);
        }
    }

    fn list_items(&self, name: &str, schema: &Value, listed: &mut BTreeSet<String>) {
        if let Some(items) = schema.get("items") {
            self.list(name, items, listed);
        }
    }
}

/// Returns the name of the schema to which a schema refers.
fn target(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")
}

fn forbid_other_properties(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(forbid_other_properties),
        Value::Object(fields) => {
            fields.values_mut().for_each(forbid_other_properties);
            let is_object = fields.get("type") == Some(&json!("object"));
            if is_object && fields.contains_key("properties") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        _ => {}
    }
}

//! Formats the wrong values that error messages show.

use toml::Value;

/// An error message shows at most this many characters of a wrong value.
const MOST: usize = 64;

/// Formats a value from the configuration file for an error message. A string keeps its quotes.
pub fn value(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        other => text(&other.to_string()),
    }
}

/// Formats the value of a flag or an environment variable for an error message. A value of more than `MOST`
/// characters is cut. The contents of a PEM file are not shown, because they may be a private key.
pub fn text(text: &str) -> String {
    if text.contains("-----BEGIN") {
        return "the text of a PEM file".to_owned();
    }
    if text.trim().contains('\n') {
        return "a text of several lines".to_owned();
    }
    let start: String = text.chars().take(MOST).collect();
    format!("`{start}{}`", if start.len() < text.len() { "…" } else { "" })
}

//! How an error shows a wrong value.

use toml::Value;

/// The longest text that an error shows, in characters.
const MOST: usize = 64;

/// Formats a value of the file for an error. A string keeps its quotes.
pub fn value(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        other => text(&other.to_string()),
    }
}

/// Formats the text of a flag or a variable for an error. A long text is cut. The contents of a PEM file are
/// not shown, because they may be a private key.
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

//! The reasons why a line of standard input is rejected. Most error texts also say how to correct the line.

use serde_json::error::Category;

use super::fields::{Field, Fields};
use crate::feed::printable::printable;
use crate::market::{IntervalError, NumberError, SymbolError};

/// An error message quotes at most this many characters of a rejected line.
const FOUND: usize = 64;

/// The maximum number of unknown fields that an error message names.
const NAMED_FIELDS: usize = 3;

const EXAMPLE: &str = r#"a line is one event, e.g. {"type":"trade","symbol":"AAPL","price":189.53}"#;
const ON_ONE_LINE: &str = "write the whole object on one line (jq -c . does this)";

/// The reason why a line is rejected.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("`{found}` is not a JSON object; {advice}")]
    NoObject { found: String, advice: String },
    #[error("{fault}; {advice}")]
    Json { fault: String, advice: &'static str },
    #[error("{0}")]
    Duplicate(String),
    #[error("missing field `{field}`; {form}{rest}")]
    Missing { field: &'static str, form: &'static str, rest: String },
    #[error("missing field `bid` or `ask`; a quote has a bid or an ask, or both")]
    EmptyQuote,
    #[error("`{0}` is not a type of event; types are trade, quote, bar and status")]
    Type(String),
    #[error("{field}: `{found}` is not text: write it in quotes, e.g. {example}")]
    NoText { field: &'static str, found: String, example: &'static str },
    #[error("status: `{0}` is not a status; statuses are halted and trading")]
    Status(String),
    #[error("reason: `{0}` is not a reason; a reason has no control characters, and at most 64 bytes")]
    Reason(String),
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    #[error(
        "time: `{0}` is not a time; a time is text with Z or an offset, e.g. \"2024-01-03T14:30:00Z\", \
         or a number without quotes, a Unix time in s, ms, µs or ns; times are from 1677 to 2262"
    )]
    Time(String),
    #[error("{field}: {fault}")]
    Number { field: &'static str, fault: NumberError },
    #[error("{field}: `{found}` is not a number, but text: write the number without quotes, e.g. 189.53")]
    QuotedNumber { field: &'static str, found: String },
    #[error("interval: {0}")]
    Interval(#[from] IntervalError),
    #[error("a line has at most {0} bytes (feed.line_bytes)")]
    TooLong(usize),
}

impl LineError {
    /// Returns the error for a line that does not begin with `{`.
    pub fn no_object(line: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&line[..line.len().min(4 * FOUND)]);
        let advice = match likeness(line, &text) {
            Some((likeness, advice)) => format!("it looks like {likeness}: {advice}"),
            None => EXAMPLE.to_owned(),
        };
        Self::NoObject { found: found(&text), advice }
    }

    /// Returns the error for a line that begins with `{` and cannot be parsed.
    pub fn json(line: &[u8], error: &serde_json::Error) -> Self {
        // Each line is parsed alone, so the line number in the text is always 1.
        let fault = error.to_string().replace(" at line 1 column ", " at column ");
        let has = |word: &str| memchr::memmem::find(line, word.as_bytes()).is_some();
        let advice = match error.classify() {
            Category::Data => return Self::Duplicate(fault),
            _ if line.contains(&0) => return Self::no_object(line),
            Category::Eof => {
                return Self::Json { fault: "the JSON object has no end".to_owned(), advice: ON_ONE_LINE };
            }
            _ if std::str::from_utf8(line).is_err() => "write UTF-8",
            _ if fault.starts_with("trailing characters") => {
                "a line is one event, so write the next one on a line of its own"
            }
            _ if has("NaN") || has("Infinity") => "JSON has no NaN and no infinity: leave the field out",
            _ if has("{'") || has(":'") || has(": '") => "names and texts are in double quotes",
            _ => EXAMPLE,
        };
        Self::Json { fault, advice }
    }

    /// Returns the error for a line without a required field. `form` describes the fields of the event.
    /// `left` contains the fields of the line that have not been parsed yet.
    pub fn missing(field: Field, form: &'static str, left: &Fields<'_>) -> Self {
        let wrapper = left.unknown().find(|(_, value)| value.get().starts_with(['{', '[']));
        let unknown = left.unknown().map(|(name, _)| format!("`{}`", found(name)));
        let unknown = unknown.take(NAMED_FIELDS).collect::<Vec<_>>().join(", ");
        let rest = match wrapper {
            Some((name, _)) => {
                format!("; if the event is inside `{}`, write only what is inside", found(name))
            }
            None if unknown.is_empty() => String::new(),
            None => format!("; no event has the fields {unknown}"),
        };
        Self::Missing { field: field.name(), form, rest }
    }

    /// Returns the error for a field whose value is not a valid number.
    pub fn number(field: Field, value: &str, fault: NumberError) -> Self {
        let field = field.name();
        if value.starts_with('"') {
            Self::QuotedNumber { field, found: found(value) }
        } else {
            Self::Number { field, fault }
        }
    }

    /// Returns the name under which the rejected line is counted.
    pub fn reason(&self) -> &'static str {
        if matches!(self, Self::TooLong(_)) { "too_long" } else { "bad_line" }
    }
}

/// Returns what an error message quotes: the beginning of `text`, with each control character replaced.
pub fn found(text: &str) -> String {
    printable(&text.chars().take(FOUND).collect::<String>())
}

/// Guesses the format of a line that is not a JSON object. Returns the name of the format, and advice on how
/// to correct the line; `None` if the format is unknown.
fn likeness(line: &[u8], text: &str) -> Option<(&'static str, &'static str)> {
    let is_packed =
        [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd", b"PK\x03\x04"].iter().any(|magic| line.starts_with(magic));
    // In `"name": value`, a colon follows the first text. In CSV, a delimiter follows the first text.
    let after_quotes = text.strip_prefix('"').and_then(|text| text.split_once('"')).map(|(_, after)| after);
    let is_member = after_quotes.is_some_and(|after| after.trim_start().starts_with(':'));
    let is_stream = ["data:", "event:", "id:", "retry:"].iter().any(|name| text.starts_with(name));
    let likeness = if is_packed {
        ("a packed file", "unpack it first")
    } else if line.contains(&0) || line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") {
        ("UTF-16", "write UTF-8")
    } else if is_member || text.starts_with(['}', ']']) {
        ("a part of a JSON object", ON_ONE_LINE)
    } else if text.starts_with('[') {
        ("a JSON array", "write each event on a line of its own (jq -c '.[]' does this)")
    } else if is_stream {
        ("Server-Sent Events", "write only what follows `data:`")
    } else if text.contains([',', ';', '\t']) {
        ("CSV", "`tickerplant cat FILE` prints the events of a file in the right form")
    } else {
        return None;
    };
    Some(likeness)
}

//! Finds messages that could contain a token, so that no token reaches a peer.
//!
//! By mistake, a client may send its token in a form that the server does not accept. Examples of such forms
//! are binary messages, UTF-16, JSON after a byte order mark, and invalid JSON. The check for tokens
//! therefore covers such forms, too. The check does not search nested objects, because an application may use
//! the word `token` in its own data.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::Fields;
use super::verb::nearly_named_verbs;

/// Removes all NUL bytes from a message. At both ends of the message, also removes byte order marks, bytes
/// that are not UTF-8, and white space. Returns `None` if the remaining text does not begin like a JSON
/// object, list or string.
///
/// The removal of NUL bytes turns UTF-16 text of ASCII characters into plain ASCII.
pub(super) fn bare(message: &[u8]) -> Option<Cow<'_, str>> {
    let is_padding =
        |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | char::REPLACEMENT_CHARACTER | '\0');
    let text = if message.contains(&0) {
        let bytes: Vec<u8> = message.iter().copied().filter(|byte| *byte != 0).collect();
        Cow::Owned(String::from_utf8_lossy(&bytes).trim_matches(is_padding).to_owned())
    } else {
        match String::from_utf8_lossy(message) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(is_padding)),
            Cow::Owned(text) => Cow::Owned(text.trim_matches(is_padding).to_owned()),
        }
    };
    text.starts_with(['{', '[', '"']).then_some(text)
}

/// Returns whether a text that [`bare`] returned could contain a token.
///
/// These texts could contain a token:
///
/// - a JSON object that has a `token` field or is an `auth` command
/// - a JSON list of which an item is an object with a `token` field, or an `auth` command
/// - a JSON string whose content is itself a text that could contain a token
/// - invalid JSON in which a colon follows the word `token`
pub(super) fn holds_token(text: &str) -> bool {
    if let Some(fields) = Fields::parse(text) {
        object_holds_token(&fields)
    } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        items.into_iter().filter_map(|item| Fields::parse(item.get())).any(|item| object_holds_token(&item))
    } else if let Ok(quoted) = serde_json::from_str::<String>(text) {
        bare(quoted.as_bytes()).is_some_and(|inner| holds_token(&inner))
    } else {
        has_token_before_colon(text)
    }
}

/// Returns whether an object is an `auth` command, or has a field named `token` in any letter case.
pub(super) fn object_holds_token(fields: &Fields) -> bool {
    fields.iter().any(|(name, _)| name.trim().eq_ignore_ascii_case("token"))
        || nearly_named_verbs(fields).any(|verb| verb == "auth")
}

fn has_token_before_colon(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let is_skipped = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\');
    text.match_indices("token")
        .any(|(at, word)| text[at + word.len()..].trim_start_matches(is_skipped).starts_with(':'))
}

//! Finds messages that could contain a token, so that no token reaches a peer.
//!
//! By mistake, a client may send its token in a form that the server does not accept. Examples of such forms
//! are binary messages, UTF-16, JSON after a byte order mark, invalid JSON, and the framing of `SockJS` or
//! `Socket.IO`. The check therefore also finds tokens in messages that are not valid commands. The check does
//! not search nested objects, because an application may use the word `token` in its own data.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::Fields;
use super::verb::nearly_named_verbs;

/// The check for tokens opens lists and strings that are nested at most this deep.
const MAX_DEPTH: usize = 16;

/// Returns the JSON of a message, after removing NUL bytes, the padding at both ends, and the packet type of
/// Socket.IO. Returns `None` if the remaining text does not begin like a JSON object, list or string.
///
/// The removal of NUL bytes turns UTF-16 text of ASCII characters into plain ASCII. If non-ASCII characters
/// precede the JSON, this removal may not suffice, so the function also decodes the message as UTF-16.
pub(super) fn bare(message: &[u8]) -> Option<Cow<'_, str>> {
    if !message.contains(&0) {
        return match String::from_utf8_lossy(message) {
            Cow::Borrowed(text) => json_in(text).map(Cow::Borrowed),
            Cow::Owned(text) => json_in(&text).map(|json| Cow::Owned(json.to_owned())),
        };
    }
    let without_nul: Vec<u8> = message.iter().copied().filter(|byte| *byte != 0).collect();
    let utf16 = |unit: fn([u8; 2]) -> u16| {
        let units = message.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    let readings = [
        String::from_utf8_lossy(&without_nul).into_owned(),
        utf16(u16::from_le_bytes),
        utf16(u16::from_be_bytes),
    ];
    readings.iter().find_map(|text| json_in(text)).map(|json| Cow::Owned(json.to_owned()))
}

/// Returns the part of a text that begins like a JSON object, list or string. Removes padding. Removes the
/// packet type of Socket.IO in front of an object or a list. The packet type consists of digits, then
/// optionally a namespace and more digits.
fn json_in(text: &str) -> Option<&str> {
    let text = text.trim_matches(is_padding);
    if text.starts_with(['{', '[', '"']) {
        return Some(text);
    }
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':') || is_padding(c);
    let rest = text.strip_prefix(|c: char| c.is_ascii_digit())?.trim_start_matches(is_number);
    let rest = match rest.strip_prefix('/') {
        Some(namespace) => namespace.split_once(',')?.1.trim_start_matches(is_number),
        None => rest,
    };
    rest.starts_with(['{', '[']).then_some(rest)
}

/// Returns whether a character is padding: neither a visible ASCII character, nor a letter or digit of any
/// script. For example, white space, control characters and the byte order mark are padding.
fn is_padding(c: char) -> bool {
    !c.is_ascii_graphic() && !c.is_alphanumeric()
}

/// Returns whether a text that [`bare`] returned could contain a token.
///
/// These texts could contain a token:
///
/// - a JSON object that has a `token` field or is an `auth` command
/// - a JSON list with an item that could contain a token
/// - a JSON string whose content is itself a text that could contain a token
/// - invalid JSON in which a colon follows the word `token`
/// - a text inside [`MAX_DEPTH`] other lists or strings, if a colon follows the word `token` in it
pub(super) fn holds_token(text: &str) -> bool {
    holds_token_within(text, MAX_DEPTH)
}

fn holds_token_within(text: &str, depth: usize) -> bool {
    if let Some(fields) = Fields::parse(text) {
        return object_holds_token(&fields);
    }
    let Some(depth) = depth.checked_sub(1) else { return has_token_before_colon(text) };
    if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        items.into_iter().any(|item| holds_token_within(item.get(), depth))
    } else if let Ok(quoted) = serde_json::from_str::<String>(text) {
        bare(quoted.as_bytes()).is_some_and(|inner| holds_token_within(&inner, depth))
    } else {
        has_token_before_colon(text)
    }
}

/// Returns whether an object is an `auth` command, or has a field named `token` in any letter case.
pub(super) fn object_holds_token(fields: &Fields) -> bool {
    fields.iter().any(|(name, _)| name.trim_matches(is_padding).eq_ignore_ascii_case("token"))
        || nearly_named_verbs(fields).any(|verb| verb == "auth")
}

fn has_token_before_colon(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let is_skipped = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\');
    text.match_indices("token")
        .any(|(at, word)| text[at + word.len()..].trim_start_matches(is_skipped).starts_with(':'))
}

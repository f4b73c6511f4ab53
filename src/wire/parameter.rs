//! The rules that the parameters of all URLs follow: no parameter is repeated, and each error names its
//! parameter.

use std::ops::RangeInclusive;

use super::command::{SYMBOLS_NAMES, channel};
use super::error_reply::quoted;
use super::{Cursor, ErrorCode, ErrorReply, Symbols};
use crate::market::KindSet;
use crate::nearest::did_you_mean;

/// Splits a query into the names and values of its parameters.
///
/// A plus sign is not decoded to a space, because symbols and tokens may contain plus signs.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.replace('+', "%2B").as_bytes()).into_owned().collect()
}

/// Splits a query into the names and values of its parameters. Yields an error for a parameter that repeats
/// an earlier parameter.
pub fn distinct_pairs(query: &str) -> impl Iterator<Item = Result<(String, String), ErrorReply>> {
    let mut seen: Vec<String> = Vec::new();
    pairs(query).into_iter().map(move |(name, value)| {
        let is_same = |earlier: &str| earlier == name || [earlier, &name].iter().all(|name| is_symbols(name));
        if let Some(earlier) = seen.iter().find(|earlier| is_same(earlier)) {
            return Err(if *earlier == name {
                given_twice(&name)
            } else {
                let same = format_args!("the parameters `{earlier}` and `{name}` mean the same");
                bad_parameter(format_args!("{same}; give only one of them"))
            });
        }
        seen.push(name.clone());
        Ok((name, value))
    })
}

/// Returns whether this is a name of the parameter that lists symbols.
pub(super) fn is_symbols(name: &str) -> bool {
    SYMBOLS_NAMES.contains(&name)
}

/// Parses a list of symbols that are separated by commas. `name` is the parameter that has the list.
pub(super) fn parse_symbols(name: &str, value: &str) -> Result<Symbols, ErrorReply> {
    let mut symbols = Symbols::default();
    for text in value.split(',') {
        symbols.add(text).map_err(|error| of_parameter(name, error))?;
    }
    Ok(symbols)
}

/// Parses a list of channels that are separated by commas.
pub(super) fn parse_channels(value: &str) -> Result<KindSet, ErrorReply> {
    let channels = value.split(',').try_fold(KindSet::NONE, |all, text| Ok(all.with(channel(text)?)));
    channels.map_err(|error| of_parameter("channels", error))
}

/// Parses the parameter `after` as a cursor.
///
/// # Errors
///
/// Returns an error that names the parameter.
pub fn parse_after(value: &str) -> Result<Cursor, ErrorReply> {
    value.parse().map_err(|error| of_parameter("after", error))
}

/// Parses a whole number that consists of digits only.
///
/// # Errors
///
/// Returns an error that names the parameter and its range.
pub fn whole_number(name: &str, value: &str, range: RangeInclusive<u64>) -> Result<u64, ErrorReply> {
    let number = value.parse().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()));
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let (first, last) = range.into_inner();
        let form = format_args!("a whole number from {first} to {last}");
        bad_parameter(format_args!("{name} is {form}, not {}", quoted(value)))
    })
}

pub(super) fn given_twice(name: &str) -> ErrorReply {
    bad_parameter(format_args!("the parameter `{name}` is given twice"))
}

/// Returns an error reply whose message begins with the name of the parameter.
fn of_parameter(name: &str, ErrorReply { code, message }: ErrorReply) -> ErrorReply {
    ErrorReply { code, message: format!("{name}: {message}") }
}

/// Returns an error reply with the code `BadParameter`.
pub fn bad_parameter(message: impl std::fmt::Display) -> ErrorReply {
    ErrorReply::new(ErrorCode::BadParameter, message)
}

/// Parses the parameter `limit`.
///
/// # Errors
///
/// Returns an error that names the parameter, unless the value is a whole number from 1 to `max`.
pub fn parse_limit(value: &str, max: u16) -> Result<usize, ErrorReply> {
    let limit = whole_number("limit", value, 1..=u64::from(max))?;
    Ok(usize::try_from(limit).expect("the limit is at most `max`"))
}

/// Returns the error reply for an unknown parameter. `names` are the parameters that the path has besides
/// `token`.
#[must_use]
pub fn unknown_parameter(name: &str, names: &[&str]) -> ErrorReply {
    let known = match names {
        [] => "the only parameter is token".to_owned(),
        names => format!("parameters are {} and token", names.join(", ")),
    };
    let suggestion = did_you_mean(name, names.iter().copied().chain(["token"]));
    bad_parameter(format_args!("there is no parameter {}; {known}{suggestion}", quoted(name)))
}

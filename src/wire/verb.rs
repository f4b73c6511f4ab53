//! Finds the verb of a command, such as `subscribe`, and detects messages that are almost commands.

use serde_json::value::RawValue;

use super::error_reply::{ErrorCode, ErrorReply, bad_command, quoted};
use super::fields::Fields;
use crate::nearest::did_you_mean;

const VERBS: [&str; 5] = ["subscribe", "unsubscribe", "set", "auth", "ping"];

/// The fields that can contain the verb of a command, in order of precedence.
const VERB_FIELDS: [&str; 3] = ["action", "op", "type"];

/// The fields that contain a command's verb in this protocol or in similar protocols.
const NEARLY_VERB_FIELDS: [&str; 5] = ["action", "op", "type", "method", "event"];

/// Removes the verb's field from a command, and returns the verb. Returns `None` if the JSON object is not
/// meant to be a command.
///
/// # Errors
///
/// Fails if the JSON object is almost a command, or if its `action` is not a verb.
pub(super) fn take_verb(fields: &mut Fields) -> Result<Option<&'static str>, ErrorReply> {
    let field = VERB_FIELDS.into_iter().find(|field| fields.get(field).is_some());
    let verb = field.and_then(|field| text_of(fields.get(field)?));
    if let (Some(field), Some(verb)) = (field, verb.as_deref().and_then(|verb| find(|name| name == verb))) {
        fields.remove(field);
        return Ok(Some(verb));
    }
    let nearly = match fields.get("action") {
        Some(action) => Some(nearly_verb(action).ok_or_else(|| unknown_action(verb.as_deref()))?),
        None => nearly_named_verbs(fields).next(),
    };
    nearly.map_or(Ok(None), |verb| {
        Err(bad_command(format_args!(
            "this is nearly a command; did you mean `\"action\":\"{verb}\"`? The server did not relay it"
        )))
    })
}

/// Returns the verbs in the [`NEARLY_VERB_FIELDS`] of an object. Field names and verbs may be in any letter
/// case.
pub(super) fn nearly_named_verbs(fields: &Fields) -> impl Iterator<Item = &'static str> {
    let is_verb_field = |name: &str| NEARLY_VERB_FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name));
    fields.iter().filter(move |(name, _)| is_verb_field(name)).filter_map(|(_, value)| nearly_verb(value))
}

fn nearly_verb(value: &RawValue) -> Option<&'static str> {
    let text = text_of(value)?;
    find(|verb| verb.eq_ignore_ascii_case(&text))
}

fn find(is_it: impl Fn(&str) -> bool) -> Option<&'static str> {
    VERBS.into_iter().find(|verb| is_it(verb))
}

fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn unknown_action(action: Option<&str>) -> ErrorReply {
    let found = action.map_or_else(|| "the value of `action`".to_owned(), quoted);
    let suggestion = action.map(|action| did_you_mean(action, VERBS)).unwrap_or_default();
    ErrorReply::new(
        ErrorCode::UnknownAction,
        format_args!(
            "{found} is not an action; actions are subscribe, unsubscribe, set, auth and ping{suggestion}"
        ),
    )
}

//! Parses a client's text as a command, or as a message for the client's peers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Delivery, ErrorCode, ErrorReply, TokenHash};
use crate::market::{Kind, KindSet, Symbol};

/// The longest conflation interval.
const MAX_INTERVAL: Duration = Duration::from_mins(1);

/// The `id` of a command: a JSON string or number, kept as the client wrote it.
pub type CommandId = Box<RawValue>;

/// The result of parsing a client's text.
#[derive(Debug)]
pub enum ParsedText {
    /// A message for all peers.
    Message,
    /// A command.
    Command(CommandWithId),
    /// An invalid command: its `id`, and the error reply to it.
    Error(Option<CommandId>, ErrorReply),
}

/// A command and its `id`.
#[derive(Debug)]
pub struct CommandWithId {
    /// The `id`, which the reply repeats.
    pub id: Option<CommandId>,
    /// The command.
    pub command: Command,
}

/// A command of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Adds subscriptions.
    Subscribe {
        /// The symbols.
        symbols: Symbols,
        /// The channels.
        channels: KindSet,
        /// The cursor after which the client wants to resume.
        after: Option<Cursor>,
    },
    /// Removes subscriptions.
    Unsubscribe {
        /// The symbols.
        symbols: Symbols,
        /// The channels.
        channels: KindSet,
    },
    /// Changes the delivery, the conflation interval, or both.
    Set {
        /// The new delivery.
        delivery: Option<Delivery>,
        /// The new conflation interval.
        interval: Option<Duration>,
    },
    /// Authenticates the client with a token.
    Auth {
        /// The hash of the token.
        token: TokenHash,
    },
    /// Asks for the server's time.
    Ping,
}

impl Command {
    /// Returns the number of symbols that the command names.
    #[must_use]
    pub fn symbols(&self) -> usize {
        match self {
            Self::Subscribe { symbols, .. } | Self::Unsubscribe { symbols, .. } => symbols.len(),
            Self::Set { .. } | Self::Auth { .. } | Self::Ping => 0,
        }
    }
}

/// A list of symbols, or `*` for all symbols, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    /// Whether the list has `*`, which means all symbols, even symbols that appear later.
    pub all: bool,
    /// The named symbols.
    pub names: BTreeSet<Symbol>,
}

/// A position in a feed's sequence of events, written as `EPOCH-SEQ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch that `seq` belongs to.
    pub epoch: String,
    /// The sequence number of the last event that the client has.
    pub seq: u64,
}

type Fields = BTreeMap<String, Box<RawValue>>;

/// Parses a client's text as a command or as a message.
///
/// A JSON object with the field `action` is always a command, even if the command is invalid.
#[must_use]
pub fn parse_text(text: &str) -> ParsedText {
    if !text.trim_start().starts_with('{') {
        return ParsedText::Message;
    }
    let Ok(mut fields) = serde_json::from_str::<Fields>(text) else {
        return ParsedText::Message;
    };
    let Some((name, verb)) = ["action", "op", "type"].into_iter().find_map(|name| fields.remove_entry(name))
    else {
        return ParsedText::Message;
    };
    let verb: Option<String> = serde_json::from_str(verb.get()).ok();
    let verb = verb.as_deref().unwrap_or_default();
    let is_verb = matches!(verb, "subscribe" | "unsubscribe" | "set" | "auth" | "ping");
    if !is_verb && name != "action" {
        return ParsedText::Message;
    }
    let id = match fields.remove("id").map(checked_id).transpose() {
        Ok(id) => id,
        Err(error) => return ParsedText::Error(None, error),
    };
    match command(verb, &mut fields) {
        Ok(command) => ParsedText::Command(CommandWithId { id, command }),
        Err(error) => ParsedText::Error(id, error),
    }
}

impl Symbols {
    /// Parses a symbol or `*`, and adds it.
    ///
    /// # Errors
    ///
    /// The text is neither a symbol nor `*`.
    pub fn add(&mut self, text: &str) -> Result<(), ErrorReply> {
        if text == "*" {
            self.all = true;
            return Ok(());
        }
        self.names.insert(text.parse().map_err(|error| ErrorReply::new(ErrorCode::BadSymbol, error))?);
        Ok(())
    }

    /// Returns the number of entries. `*` counts as one entry.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len() + usize::from(self.all)
    }

    /// Returns whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FromStr for Cursor {
    type Err = ErrorReply;

    fn from_str(text: &str) -> Result<Self, ErrorReply> {
        let parsed = text.rsplit_once('-').and_then(|(epoch, seq)| {
            let is_name = (1..=32).contains(&epoch.len()) && epoch.chars().all(|c| c.is_ascii_alphanumeric());
            let seq = seq.parse().ok().filter(|_| seq.starts_with(|c: char| c.is_ascii_digit()))?;
            is_name.then(|| Self { epoch: epoch.to_owned(), seq })
        });
        parsed.ok_or_else(|| {
            ErrorReply::new(
                ErrorCode::BadCursor,
                format_args!("{} is not a cursor; cursors are EPOCH-SEQ, e.g. k3f9-1042", quoted(text)),
            )
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

/// Parses the name of a channel.
pub(super) fn channel(text: &str) -> Result<KindSet, ErrorReply> {
    match text {
        "trades" => Ok(Kind::Trade.into()),
        "quotes" => Ok(Kind::Quote.into()),
        "bars" => Ok(Kind::Bar.into()),
        _ => Err(ErrorReply::new(
            ErrorCode::BadChannel,
            format_args!("{} is not a channel; channels are trades, quotes and bars", quoted(text)),
        )),
    }
}

/// Parses the name of a delivery.
pub(super) fn delivery(text: &str) -> Option<Delivery> {
    match text {
        "latest" => Some(Delivery::Latest),
        "every" => Some(Delivery::Every),
        _ => None,
    }
}

/// Returns an interval of this many milliseconds, or `None` when it is too long.
pub(super) fn interval(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis)).filter(|interval| *interval <= MAX_INTERVAL)
}

/// Returns the beginning of a client's text, quoted and escaped, for an error message.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 64;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn command(verb: &str, fields: &mut Fields) -> Result<Command, ErrorReply> {
    let command = match verb {
        "subscribe" => Command::Subscribe {
            symbols: symbols(verb, fields)?,
            channels: channels(fields)?,
            after: take::<String>(fields, "after", "a cursor")?.map(|text| text.parse()).transpose()?,
        },
        "unsubscribe" => {
            Command::Unsubscribe { symbols: symbols(verb, fields)?, channels: channels(fields)? }
        }
        "set" => set(fields)?,
        "auth" => {
            let token = take::<String>(fields, "token", "a string")?;
            Command::Auth { token: TokenHash::of(&token.ok_or_else(|| bad_command("auth needs `token`"))?) }
        }
        "ping" => Command::Ping,
        _ => {
            return Err(ErrorReply::new(
                ErrorCode::UnknownAction,
                format_args!(
                    "{} is not an action; actions are subscribe, unsubscribe, set, auth and ping",
                    quoted(verb)
                ),
            ));
        }
    };
    match fields.keys().next() {
        Some(unknown) => Err(bad_command(format_args!("{verb} has no field {}", quoted(unknown)))),
        None => Ok(command),
    }
}

fn set(fields: &mut Fields) -> Result<Command, ErrorReply> {
    let delivery = take::<String>(fields, "delivery", "\"latest\" or \"every\"")?
        .map(|text| {
            delivery(&text).ok_or_else(|| {
                bad_command(format_args!("delivery is latest or every, not {}", quoted(&text)))
            })
        })
        .transpose()?;
    let interval = take::<u64>(fields, "interval_ms", "a number from 0 to 60000")?
        .map(|millis| {
            interval(millis).ok_or_else(|| bad_command("`interval_ms` is a number from 0 to 60000"))
        })
        .transpose()?;
    if delivery.is_none() && interval.is_none() && fields.is_empty() {
        return Err(bad_command("set needs `delivery` or `interval_ms`"));
    }
    Ok(Command::Set { delivery, interval })
}

fn symbols(verb: &str, fields: &mut Fields) -> Result<Symbols, ErrorReply> {
    const NAMES: [&str; 4] = ["symbols", "symbol", "tickers", "ticker"];
    let missing = || bad_command(format_args!("{verb} needs `symbols`, e.g. [\"AAPL\"] or \"*\""));
    let name = NAMES.into_iter().find(|name| fields.contains_key(*name)).ok_or_else(missing)?;
    let texts = take::<OneOrMany>(fields, name, "a symbol or a list of symbols")?.ok_or_else(missing)?;
    let mut symbols = Symbols::default();
    for text in texts.into_vec() {
        symbols.add(&text)?;
    }
    if symbols.is_empty() { Err(missing()) } else { Ok(symbols) }
}

fn channels(fields: &mut Fields) -> Result<KindSet, ErrorReply> {
    let Some(texts) = take::<OneOrMany>(fields, "channels", "a channel or a list of channels")? else {
        return Ok(KindSet::ALL);
    };
    let mut channels = KindSet::NONE;
    for text in texts.into_vec() {
        channels = channels.with(channel(&text)?);
    }
    if channels.is_empty() {
        Err(bad_command("`channels` is empty; leave it out for all of trades, quotes and bars"))
    } else {
        Ok(channels)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// Removes a field from a command, and parses the field's value. Fields that remain after all removals are
/// unknown fields.
fn take<T: for<'de> Deserialize<'de>>(
    fields: &mut Fields,
    name: &str,
    form: &str,
) -> Result<Option<T>, ErrorReply> {
    let Some(value) = fields.remove(name) else {
        return Ok(None);
    };
    serde_json::from_str(value.get()).map(Some).map_err(|_| bad_command(format_args!("`{name}` is {form}")))
}

fn checked_id(id: CommandId) -> Result<CommandId, ErrorReply> {
    if id.get().starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        Ok(id)
    } else {
        Err(bad_command("`id` is a string or a number"))
    }
}

fn bad_command(message: impl fmt::Display) -> ErrorReply {
    ErrorReply::new(ErrorCode::BadCommand, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Command {
        match parse_text(text) {
            ParsedText::Command(parsed) => parsed.command,
            other => panic!("{text} is {other:?}"),
        }
    }

    fn error_of(text: &str) -> (ErrorCode, String) {
        match parse_text(text) {
            ParsedText::Error(_, error) => (error.code, error.message),
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn every_alias_of_a_subscribe_is_parsed() {
        let expected = command(r#"{"action":"subscribe","symbols":["AAPL"]}"#);

        for text in [
            r#"{"op":"subscribe","symbol":"AAPL"}"#,
            r#"{"type":"subscribe","tickers":["AAPL","AAPL"]}"#,
            r#" {"ticker":"AAPL","id":7,"action":"subscribe","channels":["trades","quotes","bars"]}"#,
        ] {
            assert_eq!(command(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_command_is_a_message() {
        for text in [
            "Hello, WebSocket Server!",
            "",
            "[1]",
            "{",
            r#"{"text":"hi"}"#,
            r#"{"type":"chat","text":"hi"}"#,
            r#"{"op":"buy"}"#,
            r#"{"type":5}"#,
        ] {
            assert!(matches!(parse_text(text), ParsedText::Message), "{text}");
        }
    }

    #[test]
    fn an_unknown_action_is_an_error() {
        assert_eq!(error_of(r#"{"action":"subscrbe"}"#).0, ErrorCode::UnknownAction);
        assert_eq!(error_of(r#"{"action":5,"op":"ping"}"#).0, ErrorCode::UnknownAction);
    }

    #[test]
    fn an_error_names_the_wrong_field() {
        let (code, message) = error_of(r#"{"action":"subscribe","symbols":["AAPL"],"chanels":["trades"]}"#);
        assert_eq!((code, message.as_str()), (ErrorCode::BadCommand, "subscribe has no field \"chanels\""));

        let (code, message) = error_of(r#"{"action":"subscribe","symbols":["AA PL"]}"#);
        assert_eq!(code, ErrorCode::BadSymbol);
        assert!(message.starts_with("symbol \"AA PL\" has a space"), "{message}");

        assert_eq!(error_of(r#"{"action":"subscribe"}"#).0, ErrorCode::BadCommand);
        assert_eq!(error_of(r#"{"action":"subscribe","symbols":[]}"#).0, ErrorCode::BadCommand);
        assert_eq!(error_of(r#"{"action":"subscribe","symbols":5}"#).0, ErrorCode::BadCommand);
        assert_eq!(
            error_of(r#"{"action":"subscribe","symbols":"A","channels":"trade"}"#).0,
            ErrorCode::BadChannel
        );
        assert_eq!(error_of(r#"{"action":"subscribe","symbols":"A","after":"12"}"#).0, ErrorCode::BadCursor);
        assert_eq!(error_of(r#"{"action":"ping","id":null}"#).0, ErrorCode::BadCommand);
        assert_eq!(error_of(r#"{"action":"set","interval_ms":60001}"#).0, ErrorCode::BadCommand);
        assert_eq!(error_of(r#"{"action":"set","delivery":"newest"}"#).0, ErrorCode::BadCommand);
    }

    #[test]
    fn an_id_comes_back_with_every_digit() {
        let ParsedText::Command(parsed) = parse_text(r#"{"action":"ping","id":12345678901234567890.10}"#)
        else {
            panic!("it is a command");
        };

        assert_eq!(parsed.id.unwrap().get(), "12345678901234567890.10");
    }

    #[test]
    fn a_cursor_reads_as_it_is_written() {
        let cursor: Cursor = "k3f9-1042".parse().unwrap();

        assert_eq!(cursor, Cursor { epoch: "k3f9".into(), seq: 1042 });
        assert_eq!(cursor.to_string(), "k3f9-1042");
        for text in ["", "-", "k3f9", "k3f9-", "-5", "k3f9-+5", "k 9-5"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}

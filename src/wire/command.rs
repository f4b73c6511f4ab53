//! The commands of clients, and the parsing of a command's fields.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::cursor::Cursor;
use super::error_reply::{ErrorCode, ErrorReply, bad_command, quoted};
use super::fields::{CommandId, Fields};
use super::{Delivery, TokenHash};
use crate::market::{Kind, KindSet, Symbol};
use crate::nearest::did_you_mean;

/// The longest conflation interval that a client may set.
pub(super) const MAX_INTERVAL_MS: u64 = 60_000;

/// The accepted names of the field or URL parameter that lists symbols.
pub(super) const SYMBOLS_NAMES: [&str; 4] = ["symbols", "symbol", "tickers", "ticker"];

/// For each command, the names of its fields. An error reply may suggest these names. Every command may have
/// an `id`.
const FIELDS: [(&str, &[&str]); 5] = [
    ("subscribe", &["symbols", "channels", "after", "delivery", "interval_ms", "id"]),
    ("unsubscribe", &["symbols", "channels", "id"]),
    ("set", &["delivery", "interval_ms", "id"]),
    ("auth", &["token", "id"]),
    ("ping", &["id"]),
];

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
        /// The cursor from which the client resumes.
        after: Option<Cursor>,
        /// The new delivery policy.
        delivery: Option<Delivery>,
        /// The new conflation interval.
        interval: Option<Duration>,
    },
    /// Removes subscriptions.
    Unsubscribe {
        /// The symbols.
        symbols: Symbols,
        /// The channels.
        channels: KindSet,
    },
    /// Changes the delivery policy, the conflation interval, or both.
    Set {
        /// The new delivery policy.
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
    /// Returns the number of symbols in the command. `*` counts as one symbol.
    #[must_use]
    pub fn symbols(&self) -> usize {
        match self {
            Self::Subscribe { symbols, .. } | Self::Unsubscribe { symbols, .. } => symbols.len(),
            Self::Set { .. } | Self::Auth { .. } | Self::Ping => 0,
        }
    }
}

/// A list of symbols. The list may also contain `*`, which stands for all symbols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    /// Whether the list contains `*`. The `*` includes symbols that the feed adds later.
    pub all: bool,
    /// The symbols in the list, without `*`.
    pub names: BTreeSet<Symbol>,
}

impl Symbols {
    /// Parses a text as a symbol or `*`, and adds the result to the list.
    ///
    /// # Errors
    ///
    /// Fails if the text is neither a symbol nor `*`.
    pub fn add(&mut self, text: &str) -> Result<(), ErrorReply> {
        if text == "*" {
            self.all = true;
            return Ok(());
        }
        self.names.insert(text.parse().map_err(|error| ErrorReply::new(ErrorCode::BadSymbol, error))?);
        Ok(())
    }

    /// Returns the number of entries in the list. `*` counts as one entry.
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

/// Parses the name of a delivery policy.
pub(super) fn delivery(text: &str) -> Option<Delivery> {
    match text {
        "latest" => Some(Delivery::Latest),
        "every" => Some(Delivery::Every),
        _ => None,
    }
}

/// Parses the fields of a command; `verb` is the command's name, such as `subscribe`. The caller has already
/// removed the verb and the `id` from `fields`.
pub(super) fn command(verb: &str, fields: &mut Fields) -> Result<Command, ErrorReply> {
    let command = match verb {
        "subscribe" => Command::Subscribe {
            symbols: symbols(verb, fields)?,
            channels: channels(fields)?,
            after: fields.take::<String>("after", "a cursor")?.map(|text| text.parse()).transpose()?,
            delivery: delivery_field(fields)?,
            interval: interval_field(fields)?,
        },
        "unsubscribe" => {
            Command::Unsubscribe { symbols: symbols(verb, fields)?, channels: channels(fields)? }
        }
        "set" => {
            let (delivery, interval) = (delivery_field(fields)?, interval_field(fields)?);
            if delivery.is_none() && interval.is_none() && fields.first_name().is_none() {
                return Err(bad_command("set needs `delivery` or `interval_ms`"));
            }
            Command::Set { delivery, interval }
        }
        "auth" => {
            let token = fields.take::<String>("token", "a string")?;
            Command::Auth { token: TokenHash::of(&token.ok_or_else(|| bad_command("auth needs `token`"))?) }
        }
        _ => Command::Ping,
    };
    match fields.first_name() {
        Some(unknown) => Err(unknown_field(verb, unknown, &FIELDS)),
        None => Ok(command),
    }
}

/// Returns the error for a field that a command does not have. The error names the commands in `all` that
/// have this field. If no command has the field, the error may suggest a similar name from the fields of this
/// command.
#[must_use]
pub fn unknown_field(command: &str, unknown: &str, all: &[(&str, &[&str])]) -> ErrorReply {
    let name = if SYMBOLS_NAMES.contains(&unknown) { SYMBOLS_NAMES[0] } else { unknown };
    let owners: Vec<&str> =
        all.iter().filter(|(_, fields)| fields.contains(&name)).map(|(owner, _)| *owner).collect();
    let own = all.iter().find(|(owner, _)| *owner == command).map_or(&[][..], |(_, fields)| fields);
    let suggestion = match owners.as_slice() {
        [] => did_you_mean(unknown, own.iter().copied()),
        [owner] => format!("; only {owner} has it"),
        owners => format!("; only {} have it", owners.join(" and ")),
    };
    bad_command(format_args!("{command} has no field {}{suggestion}", quoted(unknown)))
}

fn delivery_field(fields: &mut Fields) -> Result<Option<Delivery>, ErrorReply> {
    let Some(text) = fields.take::<String>("delivery", "\"latest\" or \"every\"")? else { return Ok(None) };
    let wrong = || bad_command(format_args!("delivery is latest or every, not {}", quoted(&text)));
    delivery(&text).ok_or_else(wrong).map(Some)
}

fn interval_field(fields: &mut Fields) -> Result<Option<Duration>, ErrorReply> {
    let form = format!("a whole number from 0 to {MAX_INTERVAL_MS}");
    let Some(millis) = fields.take("interval_ms", &form)? else { return Ok(None) };
    if millis > MAX_INTERVAL_MS {
        return Err(bad_command(format_args!("`interval_ms` is {form}")));
    }
    Ok(Some(Duration::from_millis(millis)))
}

fn symbols(verb: &str, fields: &mut Fields) -> Result<Symbols, ErrorReply> {
    let missing = || bad_command(format_args!("{verb} needs `symbols`, e.g. [\"AAPL\"] or \"*\""));
    let mut names = SYMBOLS_NAMES.into_iter().filter(|name| fields.get(name).is_some());
    let name = names.next().ok_or_else(missing)?;
    if let Some(other) = names.next() {
        return Err(bad_command(format_args!("`{name}` and `{other}` mean the same; give only one of them")));
    }
    let texts = fields.take::<OneOrMany>(name, "a symbol or a list of symbols")?.ok_or_else(missing)?;
    let mut symbols = Symbols::default();
    for text in texts.into_vec() {
        symbols.add(&text)?;
    }
    if symbols.is_empty() { Err(missing()) } else { Ok(symbols) }
}

fn channels(fields: &mut Fields) -> Result<KindSet, ErrorReply> {
    let Some(texts) = fields.take::<OneOrMany>("channels", "a channel or a list of channels")? else {
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

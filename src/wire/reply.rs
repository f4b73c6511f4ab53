//! What the server says beside market frames: replies, errors, relayed messages, marks.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::{Delivery, Message, RequestId};
use crate::market::{FeedKind, FeedState, Time};

/// What a connection now has; it answers every command that changes it.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// Symbols whose trades it gets, `*` first.
    pub trades: Vec<String>,
    /// Symbols whose quotes it gets.
    pub quotes: Vec<String>,
    /// Symbols whose bars it gets.
    pub bars: Vec<String>,
    /// The name of the count that `seq` belongs to.
    pub epoch: String,
    /// The newest sequence number.
    pub seq: u64,
    /// Whether what came after the client's cursor follows.
    pub resumed: bool,
    /// How many snapshots follow.
    pub snapshots: usize,
    /// How it is served.
    pub delivery: Delivery,
    /// The time within which newer events replace older ones, in milliseconds.
    pub interval_ms: u64,
    /// The feed.
    pub feed: Feed,
}

/// The feed as clients are told of it.
#[derive(Clone, Debug, Serialize)]
pub struct Feed {
    /// Where the events come from.
    pub kind: FeedKind,
    /// How it fares.
    #[serde(flatten)]
    pub state: State,
}

/// A feed's state as clients are told of it.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    #[serde(rename = "state")]
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshots: Option<usize>,
}

impl State {
    /// A feed's state after a seek, with the market time from which it goes on; and how many snapshots follow, and the
    /// newest sequence number at that moment.
    #[must_use]
    pub fn sought(state: &FeedState, position: Time, snapshots: usize, seq: u64) -> Self {
        Self {
            position: Some(position.to_string()),
            seq: Some(seq),
            snapshots: Some(snapshots),
            ..Self::from(state)
        }
    }
}

impl From<&FeedState> for State {
    fn from(state: &FeedState) -> Self {
        let detail = state.detail().map(str::to_owned);
        Self { name: state.name(), detail, position: None, seq: None, snapshots: None }
    }
}

/// Why a client misses events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The history no longer reaches back to its cursor.
    HistoryExhausted,
    /// Its cursor belongs to another count of events.
    EpochChanged,
    /// The server itself fell behind its history.
    Lagged,
}

/// What a client did wrong, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A command with a field missing, unknown or of the wrong form.
    BadCommand,
    /// An `action` that is no verb.
    UnknownAction,
    /// A text that is no symbol.
    BadSymbol,
    /// A text that is no channel.
    BadChannel,
    /// A cursor that is malformed, comes too late or is ahead of the feed.
    BadCursor,
    /// More symbols than a connection may have.
    TooManySymbols,
    /// More messages than allowed.
    RateLimited,
    /// A relayed message, or the body of a request, over the limit.
    MessageTooLong,
    /// The relay is switched off.
    RelayDisabled,
    /// No or a wrong token.
    Unauthorized,
    /// Not allowed to this client.
    Forbidden,
    /// A URL parameter that is unknown or malformed.
    BadParameter,
    /// No such page.
    NotFound,
    /// The feed cannot do this, or no longer.
    Conflict,
    /// The body of a request that did not come in time.
    TooSlow,
    /// Another method is expected.
    MethodNotAllowed,
    /// A WebSocket handshake is expected.
    UpgradeRequired,
    /// A WebSocket handshake that is malformed.
    BadHandshake,
    /// The server has all the connections it takes.
    TooManyConnections,
    /// The server does not deliver at the moment.
    NotReady,
}

/// What a client did wrong, and what it can do about it. The connection goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// In a word.
    pub code: ErrorCode,
    /// For a person.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: ErrorCode, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

/// A frame that is no market frame.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply<'a> {
    /// Answers `subscribe`.
    Subscribed(Answer<'a, Standing>),
    /// Answers `unsubscribe`.
    Unsubscribed(Answer<'a, Standing>),
    /// Answers `set`.
    Set(Answer<'a, Standing>),
    /// Answers `auth`.
    Authenticated(Answer<'a, Owner<'a>>),
    /// Answers `ping`.
    Pong(Answer<'a, Clock>),
    /// Refuses a command or a message.
    Error(Answer<'a, Refusal>),
    /// Another client's message.
    Message {
        /// The sender's connection.
        from: &'a str,
        /// What it said.
        #[serde(flatten)]
        content: Content<'a>,
    },
    /// The server lives.
    Heartbeat {
        /// Its clock.
        #[serde(serialize_with = "display")]
        time: Time,
        /// The newest sequence number.
        seq: u64,
        /// Market frames that this connection was sent.
        sent: u64,
        /// Events that newer ones replaced.
        merged: u64,
    },
    /// Events are missing here.
    Gap {
        /// The last event before the hole.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// The last event of the hole.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        /// Why.
        reason: GapReason,
        /// How many snapshots follow, where no reply says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        snapshots: Option<usize>,
    },
    /// The feed's state changed, or the feed went on from elsewhere.
    Feed(State),
}

/// A reply with the `id` of its command.
#[derive(Clone, Debug, Serialize)]
pub struct Answer<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RequestId>,
    #[serde(flatten)]
    content: T,
}

/// Whose a token is.
#[derive(Clone, Debug, Serialize)]
pub struct Owner<'a> {
    name: &'a str,
}

/// The server's clock.
#[derive(Clone, Debug, Serialize)]
pub struct Clock {
    #[serde(serialize_with = "display")]
    time: Time,
}

/// What was relayed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes, in base64.
    Base64(String),
}

impl<'a> Reply<'a> {
    /// Answers `subscribe`.
    #[must_use]
    pub fn subscribed(id: Option<&'a RequestId>, standing: Standing) -> Self {
        Self::Subscribed(Answer { id, content: standing })
    }

    /// Answers `unsubscribe`.
    #[must_use]
    pub fn unsubscribed(id: Option<&'a RequestId>, standing: Standing) -> Self {
        Self::Unsubscribed(Answer { id, content: standing })
    }

    /// Answers `set`.
    #[must_use]
    pub fn set(id: Option<&'a RequestId>, standing: Standing) -> Self {
        Self::Set(Answer { id, content: standing })
    }

    /// Answers `auth`.
    #[must_use]
    pub fn authenticated(id: Option<&'a RequestId>, name: &'a str) -> Self {
        Self::Authenticated(Answer { id, content: Owner { name } })
    }

    /// Answers `ping`.
    #[must_use]
    pub fn pong(id: Option<&'a RequestId>, time: Time) -> Self {
        Self::Pong(Answer { id, content: Clock { time } })
    }

    /// Refuses.
    #[must_use]
    pub fn error(id: Option<&'a RequestId>, refusal: Refusal) -> Self {
        Self::Error(Answer { id, content: refusal })
    }

    /// Wraps what another client said.
    #[must_use]
    pub fn message(from: &'a str, message: &'a Message) -> Self {
        let content = match message {
            Message::Text(text) => Content::Text(text),
            Message::Binary(bytes) => Content::Base64(STANDARD.encode(bytes)),
        };
        Self::Message { from, content }
    }
}

fn display<S: Serializer>(value: impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&value)
}

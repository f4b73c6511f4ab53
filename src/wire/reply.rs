//! The frames other than market frames: replies, relayed messages, heartbeats, gaps and feed states.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::{CommandId, Delivery, ErrorReply, Message};
use crate::market::{FeedKind, FeedState, Time};

/// The subscriptions and settings of a connection. The replies to `subscribe`, `unsubscribe` and `set`
/// contain this state.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionState {
    /// Symbols whose trades the client gets. `*` comes first.
    pub trades: Vec<String>,
    /// Symbols whose quotes the client gets. `*` comes first.
    pub quotes: Vec<String>,
    /// Symbols whose bars the client gets. `*` comes first.
    pub bars: Vec<String>,
    /// The command's symbols that the feed does not know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// The epoch to which `seq` belongs. Each start of the server begins a new epoch.
    pub epoch: String,
    /// The newest sequence number of the feed.
    pub seq: u64,
    /// Whether the events after the client's cursor follow this reply.
    pub resumed: bool,
    /// The number of snapshots that follow this reply.
    pub snapshots: usize,
    /// The delivery policy: what happens to unsent events when the client reads too slowly.
    pub delivery: Delivery,
    /// The conflation interval, in milliseconds.
    pub interval_ms: u64,
    /// The kind and the state of the feed.
    pub feed: FeedInfo,
}

/// The kind and the state of the feed.
#[derive(Clone, Debug, Serialize)]
pub struct FeedInfo {
    /// The kind.
    pub kind: FeedKind,
    /// The state.
    #[serde(flatten)]
    pub state: FeedFields,
}

/// The fields of a `feed` frame. In a [`SubscriptionState`], only `state` and `detail` are set.
#[derive(Clone, Debug, Serialize)]
pub struct FeedFields {
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

impl FeedFields {
    /// Returns the fields of the `feed` frame that reports a seek: the feed has moved to another market time.
    ///
    /// `position` is the market time at which the feed continues. `snapshots` is the number of snapshots that
    /// follow the frame. `seq` is the newest sequence number of the feed.
    #[must_use]
    pub fn after_seek(state: &FeedState, position: Time, snapshots: usize, seq: u64) -> Self {
        Self {
            position: Some(position.to_string()),
            seq: Some(seq),
            snapshots: Some(snapshots),
            ..Self::from(state)
        }
    }
}

impl From<&FeedState> for FeedFields {
    fn from(state: &FeedState) -> Self {
        let detail = state.detail().map(str::to_owned);
        Self { name: state.name(), detail, position: None, seq: None, snapshots: None }
    }
}

/// The reason why a client misses events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The history no longer reaches back to the client's cursor.
    HistoryExhausted,
    /// The client's cursor belongs to another epoch.
    EpochChanged,
    /// The client's shard was too slow: the log evicted events before the shard read them.
    Lagged,
}

/// A frame other than a market frame.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply<'a> {
    /// The reply to `subscribe`.
    Subscribed(WithId<'a, SubscriptionState>),
    /// The reply to `unsubscribe`.
    Unsubscribed(WithId<'a, SubscriptionState>),
    /// The reply to `set`.
    Set(WithId<'a, SubscriptionState>),
    /// The reply to `auth`.
    Authenticated(WithId<'a, Owner<'a>>),
    /// The reply to `ping`.
    Pong(WithId<'a, ServerTime>),
    /// The error reply to a command or a message.
    Error(WithId<'a, ErrorReply>),
    /// Another client's message.
    Message {
        /// The name of the sender's connection.
        from: &'a str,
        /// The message.
        #[serde(flatten)]
        content: Content<'a>,
    },
    /// A periodic sign of life, with counters.
    Heartbeat {
        /// The server's time.
        #[serde(serialize_with = "display")]
        time: Time,
        /// The newest sequence number of the feed.
        seq: u64,
        /// The number of market frames that were sent to this connection.
        sent: u64,
        /// The number of events that this connection did not get because newer events replaced them
        /// (conflation).
        merged: u64,
    },
    /// Reports a gap in the client's events.
    Gap {
        /// The sequence number of the last event before the gap.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// The sequence number of the last event in the gap.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        /// The reason.
        reason: GapReason,
        /// The feed's epoch; `None` unless the reason is `EpochChanged`.
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<&'a str>,
        /// The number of snapshots that follow; `None` if an earlier reply has already stated this number.
        #[serde(skip_serializing_if = "Option::is_none")]
        snapshots: Option<usize>,
    },
    /// Reports a new state of the feed, or a seek.
    Feed(FeedFields),
}

/// The content of a reply, and the `id` of the answered command.
#[derive(Clone, Debug, Serialize)]
pub struct WithId<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a CommandId>,
    #[serde(flatten)]
    content: T,
}

/// The owner of a token, and the owner's permissions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Owner<'a> {
    /// The owner's name.
    pub name: &'a str,
    /// Whether the owner may send messages to peers.
    pub relay: bool,
    /// Whether the owner may control the feed.
    pub control: bool,
}

/// The server's time.
#[derive(Clone, Debug, Serialize)]
pub struct ServerTime {
    #[serde(serialize_with = "display")]
    time: Time,
}

/// The content of a relayed message.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes, in base64.
    Base64(String),
}

impl<'a> Reply<'a> {
    /// Returns the reply to `subscribe`.
    #[must_use]
    pub fn subscribed(id: Option<&'a CommandId>, state: SubscriptionState) -> Self {
        Self::Subscribed(WithId { id, content: state })
    }

    /// Returns the reply to `unsubscribe`.
    #[must_use]
    pub fn unsubscribed(id: Option<&'a CommandId>, state: SubscriptionState) -> Self {
        Self::Unsubscribed(WithId { id, content: state })
    }

    /// Returns the reply to `set`.
    #[must_use]
    pub fn set(id: Option<&'a CommandId>, state: SubscriptionState) -> Self {
        Self::Set(WithId { id, content: state })
    }

    /// Returns the reply to `auth`.
    #[must_use]
    pub fn authenticated(id: Option<&'a CommandId>, owner: Owner<'a>) -> Self {
        Self::Authenticated(WithId { id, content: owner })
    }

    /// Returns the reply to `ping`.
    #[must_use]
    pub fn pong(id: Option<&'a CommandId>, time: Time) -> Self {
        Self::Pong(WithId { id, content: ServerTime { time } })
    }

    /// Returns an error reply to a command or a message.
    #[must_use]
    pub fn error(id: Option<&'a CommandId>, error: ErrorReply) -> Self {
        Self::Error(WithId { id, content: error })
    }

    /// Returns the frame that contains a peer's message.
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

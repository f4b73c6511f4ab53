//! Encodings: how the values that the hub produces become the bytes that a client receives.
//!
//! An [`Encoding`] is a dialect in a framing. The dialect says what a value reads like (the native one is a JSON object
//! of the protocol), the framing how a client tells one from the next (a WebSocket frame, a line). A connection has one
//! encoding from its first byte to its last. Pure functions, no I/O and no clock: a shard encodes an event once for all
//! connections that have the same encoding.

mod lines;
mod native;
mod websocket;

use crate::market::{Day, Event, Symbol};
use crate::wire::{Message, Reply};

pub use native::line;

/// A dialect in a framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Native JSON in WebSocket text frames.
    WebSocket,
    /// Native JSON, one object a line (NDJSON).
    Lines,
}

/// What a connection is sent.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// An event with its sequence number.
    Event(u64, &'a Event),
    /// The state of a symbol.
    Snapshot(&'a Snapshot<'a>),
    /// A reply, an error, news of the feed, or a peer's message as a subscriber receives it.
    Reply(&'a Reply<'a>),
    /// A peer's message as a plain connection receives it.
    Message(&'a Message),
    /// Asks the client for a sign of life, where the framing has a way to ask.
    Ping,
    /// Answers a client that asked for a sign of life, with the payload that it sent.
    Pong(&'a [u8]),
    /// Says that the connection ends, with the close code and the reason.
    Close(u16, &'a str),
}

/// What a new subscriber is told about a symbol.
#[derive(Debug)]
pub struct Snapshot<'a> {
    /// The newest sequence number that the snapshot takes into account.
    pub seq: u64,
    /// The symbol.
    pub symbol: &'a Symbol,
    /// The latest event of each kind, in the order of [`Kind::ALL`](crate::market::Kind::ALL), with its sequence number.
    pub latest: [Option<(u64, &'a Event)>; 3],
    /// The day so far.
    pub day: Option<&'a Day>,
}

impl Encoding {
    /// Every encoding, in the order of [`index`](Self::index).
    pub const ALL: [Self; 2] = [Self::WebSocket, Self::Lines];

    /// Returns its place in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns whether a client can be asked for a sign of life.
    #[must_use]
    pub const fn has_pings(self) -> bool {
        matches!(self, Self::WebSocket)
    }

    /// Appends a value; nothing where the encoding has no words for it.
    pub fn write(self, out: &mut Vec<u8>, value: &Value<'_>) {
        match self {
            Self::WebSocket => websocket::write(out, value),
            Self::Lines => lines::write(out, value),
        }
    }
}

//! Encodings: turn the values that the hub produces into the bytes that a client receives.
//!
//! An [`Encoding`] is a dialect in a framing. The dialect gives each value its form: the native dialect writes a JSON
//! object. The framing separates one value from the next: as WebSocket frames or as lines. A connection keeps its encoding
//! from its first byte to its last.
//!
//! Pure functions, without I/O and without a clock. A shard encodes an event once for all connections with the same
//! encoding.

mod native_json;
mod ndjson;
mod websocket;

use crate::market::{Day, Event, Symbol};
use crate::wire::{Message, Reply};

pub use native_json::event_without_seq;

/// The form in which a connection receives values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Native JSON in WebSocket text frames.
    WebSocket,
    /// Native JSON, one object a line (NDJSON).
    Ndjson,
}

/// A value to be sent to a client.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// An event with its sequence number.
    Event(u64, &'a Event),
    /// A snapshot of a symbol.
    Snapshot(&'a Snapshot<'a>),
    /// A frame that is not a market frame, such as a reply, a heartbeat, or a peer's message to a subscriber.
    Reply(&'a Reply<'a>),
    /// A peer's message to a plain connection.
    Message(&'a Message),
    /// A WebSocket ping; other framings have none.
    Ping,
    /// A WebSocket pong, with the payload of the client's ping.
    Pong(&'a [u8]),
    /// The end of the connection, with the close code and the reason.
    Close(u16, &'a str),
}

/// The state of a symbol, for a new subscriber.
#[derive(Debug)]
pub struct Snapshot<'a> {
    /// The sequence number of the newest event that the snapshot includes.
    pub seq: u64,
    /// The symbol.
    pub symbol: &'a Symbol,
    /// The latest event of each kind with its sequence number, in the order of [`Kind::ALL`](crate::market::Kind::ALL).
    pub latest: [Option<(u64, &'a Event)>; 3],
    /// The day so far.
    pub day: Option<&'a Day>,
}

impl Encoding {
    /// Every encoding, in the order of [`index`](Self::index).
    pub const ALL: [Self; 2] = [Self::WebSocket, Self::Ndjson];

    /// Returns its index in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns whether the server can ping a client with this encoding.
    #[must_use]
    pub const fn has_pings(self) -> bool {
        matches!(self, Self::WebSocket)
    }

    /// Appends a value to `out`. Appends nothing when the encoding has no form for the value.
    pub fn write(self, out: &mut Vec<u8>, value: &Value<'_>) {
        match self {
            Self::WebSocket => websocket::write(out, value),
            Self::Ndjson => ndjson::write(out, value),
        }
    }
}

//! Encodings: turn the values of the hub into bytes for clients.
//!
//! An [`Encoding`] combines a dialect and a framing. The dialect defines the form of a value: the native
//! dialect writes a JSON object. The framing separates the values: by WebSocket frames or by lines. The
//! encoding of a connection never changes.
//!
//! The functions do no I/O and read no clock. A shard encodes an event once for all connections with the same
//! encoding.

mod native_json;
mod ndjson;
mod websocket;

use crate::market::{Day, Event, Symbol};
use crate::wire::{Message, Reply};

pub use native_json::event_without_seq;

/// The format of the bytes that a connection receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Native JSON in WebSocket text frames.
    WebSocket,
    /// Native JSON with one object per line (NDJSON).
    Ndjson,
}

/// A value that is sent to a client.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// An event with its sequence number.
    Event(u64, &'a Event),
    /// A snapshot of a symbol.
    Snapshot(&'a Snapshot<'a>),
    /// A frame without market data, such as a reply, a heartbeat, or a peer's message to a subscriber.
    Reply(&'a Reply<'a>),
    /// A peer's message to a connection that is not a subscriber.
    Message(&'a Message),
    /// A WebSocket ping. Other framings have no pings.
    Ping,
    /// A WebSocket pong, with the payload of the client's ping.
    Pong(&'a [u8]),
    /// The end of the connection, with the close code and the reason.
    Close(u16, &'a str),
}

/// The state of a symbol, for a new subscriber.
#[derive(Debug)]
pub struct Snapshot<'a> {
    /// The position of the snapshot in the log: all events up to this sequence number are included.
    pub seq: u64,
    /// The symbol.
    pub symbol: &'a Symbol,
    /// The latest event of each kind with its sequence number, in the order of
    /// [`Kind::ALL`](crate::market::Kind::ALL).
    pub latest: [Option<(u64, &'a Event)>; 3],
    /// The statistics of the day so far, such as high and low.
    pub day: Option<&'a Day>,
}

impl Encoding {
    /// Every encoding, in the order of [`index`](Self::index).
    pub const ALL: [Self; 2] = [Self::WebSocket, Self::Ndjson];

    /// Returns the index of the encoding in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns whether the server can ping a client with this encoding.
    #[must_use]
    pub const fn has_pings(self) -> bool {
        matches!(self, Self::WebSocket)
    }

    /// Appends a value to `out`. Appends nothing if the encoding has no form for the value, e.g. for a ping.
    pub fn write(self, out: &mut Vec<u8>, value: &Value<'_>) {
        match self {
            Self::WebSocket => websocket::write(out, value),
            Self::Ndjson => ndjson::write(out, value),
        }
    }
}

//! Encodings, which turn values such as events and snapshots into bytes for clients.
//!
//! An [`Encoding`] combines a dialect and a framing. The dialect defines how one value is written: the native
//! dialect writes a JSON object. The framing tells a client where each value ends: each value is a WebSocket
//! frame or a line. The encoding of a connection never changes.
//!
//! The functions of this module do no I/O and read no clock. A shard (a thread that serves connections)
//! encodes an event only once for all connections that have the same encoding.

mod native_json;
mod ndjson;
mod websocket;

use crate::market::{Day, Event, Symbol};
use crate::wire::{Message, Reply};

pub use native_json::{event, event_without_seq, snapshot, summary};

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
    /// A protocol frame without market data, such as a reply, a heartbeat, or another client's message for a
    /// subscriber.
    Reply(&'a Reply<'a>),
    /// Another client's message for a recipient that is not a subscriber.
    Message(&'a Message),
    /// A WebSocket ping.
    Ping,
    /// A WebSocket pong, with the payload of the client's ping.
    Pong(&'a [u8]),
    /// The end of the connection, with the close code and the reason.
    Close(u16, &'a str),
}

/// The state of a symbol, for a new subscriber.
#[derive(Debug)]
pub struct Snapshot<'a> {
    /// The sequence number of the newest event that the snapshot reflects. The snapshot also reflects all
    /// earlier events.
    pub seq: u64,
    /// The symbol.
    pub symbol: &'a Symbol,
    /// The symbol's latest event of each kind (such as trade or quote), each with the sequence number of the
    /// event. The kinds are in the order of [`Kind::ALL`](crate::market::Kind::ALL).
    pub latest: [Option<(u64, &'a Event)>; 3],
    /// The symbol's statistics of the day so far, such as the highest and the lowest price.
    pub day: Option<&'a Day>,
}

impl Encoding {
    /// All encodings, in the order of their [`index`](Self::index).
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

    /// Appends an encoded value to `out`. Appends nothing if the encoding cannot express the value: NDJSON
    /// has no pings, for example.
    pub fn write(self, out: &mut Vec<u8>, value: &Value<'_>) {
        match self {
            Self::WebSocket => websocket::write(out, value),
            Self::Ndjson => ndjson::write(out, value),
        }
    }
}

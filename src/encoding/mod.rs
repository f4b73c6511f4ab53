//! Encodings, which turn values such as events and snapshots into bytes for clients.
//!
//! An [`Encoding`] combines a dialect and a framing. The dialect defines how one value is written: the native
//! dialect writes a JSON object. The framing tells a client where each value ends: each value is a WebSocket
//! frame, or a line in the body of a response. The encoding of a connection never changes.
//!
//! The functions of this module do no I/O and read no clock. A shard (a thread that serves connections)
//! encodes an event only once for all connections that have the same encoding.

mod body;
mod native_json;
mod ndjson;
mod sse;
mod websocket;

use crate::market::{Day, Event, Kind, Symbol, TradingStatus};
use crate::wire::{Message, Reply};

pub use body::Body;
pub use native_json::{bars, event, event_without_seq, snapshot, summary};

/// The format of the bytes that a connection receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Native JSON in WebSocket text frames.
    WebSocket,
    /// Native JSON with one object per line (NDJSON), in the body of a response.
    Ndjson(Body),
    /// Native JSON as Server-Sent Events (SSE), in the body of a response.
    Sse(Body),
}

/// A position in the feed's sequence of events.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// The epoch to which `seq` belongs.
    pub epoch: &'a str,
    /// The sequence number of the last event before the position.
    pub seq: u64,
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
    /// The symbol's latest trade, quote and bar, each with the sequence number of the event. The kinds are in the
    /// order of [`Kind::CHANNELS`].
    pub latest: [Option<(u64, &'a Event)>; Kind::CHANNELS.len()],
    /// The trading status, if trading has stopped; `None` while the symbol is traded.
    pub halt: Option<&'a TradingStatus>,
    /// The symbol's statistics of the day so far, such as the highest and the lowest price.
    pub day: Option<&'a Day>,
}

impl Encoding {
    /// All encodings, in the order of their [`index`](Self::index).
    pub const ALL: [Self; 5] = [
        Self::WebSocket,
        Self::Ndjson(Body::Chunked),
        Self::Ndjson(Body::UntilClose),
        Self::Sse(Body::Chunked),
        Self::Sse(Body::UntilClose),
    ];

    /// Returns the index of the encoding in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::WebSocket => 0,
            Self::Ndjson(body) => 1 + body as usize,
            Self::Sse(body) => 3 + body as usize,
        }
    }

    /// Returns whether the server can ping a client with this encoding.
    #[must_use]
    pub const fn has_pings(self) -> bool {
        matches!(self, Self::WebSocket)
    }

    /// Returns how the body of a stream ends; `None` for a WebSocket.
    #[must_use]
    pub const fn body(self) -> Option<Body> {
        match self {
            Self::WebSocket => None,
            Self::Ndjson(body) | Self::Sse(body) => Some(body),
        }
    }

    /// Returns whether a client with this encoding gets its cursor beside the frames. Otherwise the client takes
    /// the cursor from the numbers in the frames.
    #[must_use]
    pub const fn has_positions(self) -> bool {
        matches!(self, Self::Sse(_))
    }

    /// Appends an encoded value to `out`. Appends nothing if the encoding cannot express the value: NDJSON
    /// has no pings, for example.
    pub fn write(self, out: &mut Vec<u8>, value: &Value<'_>) {
        self.write_at(out, value, None);
    }

    /// Appends an encoded value to `out`, as [`write`](Self::write) does. After a client has received the value,
    /// the client can resume from `position`.
    pub fn write_at(self, out: &mut Vec<u8>, value: &Value<'_>, position: Option<Position<'_>>) {
        match self {
            Self::WebSocket => websocket::write(out, value),
            Self::Ndjson(body) => body.write(out, value, ndjson::write),
            Self::Sse(body) => body.write(out, value, |out, value| sse::write(out, value, position)),
        }
    }

    /// Hides the position in an encoded frame, because a client that resumed from this position would lose
    /// something.
    pub fn hide_position(self, frame: &mut [u8]) {
        if let Self::Sse(body) = self {
            sse::hide_position(body.content(frame));
        }
    }
}

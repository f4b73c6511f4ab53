//! What bytes mean: the frames that a client gets and the messages that it sends.
//!
//! Pure functions and small values, no I/O and no clock. Server frames are written with
//! their WebSocket header in place, so that a frame is encoded once and its bytes are what
//! every client gets.

mod close;
mod command;
mod frame;
mod inbound;
mod native;
mod query;
mod reply;
mod token;

pub use close::{CloseCode, CloseReason};
pub use command::{Command, Cursor, Request, RequestId, Spoken, Symbols, understand};
pub use frame::{binary, close, first_frame_len, ping, pong, text};
pub use inbound::{Decoder, InboundLimits, Message};
pub use native::{Snapshot, event, line, snapshot};
pub use query::{QueryError, Stream};
pub use reply::{ErrorCode, Feed, GapReason, Refusal, Reply, Standing, State};
pub use token::Token;

use serde::Serialize;

/// How a connection is served when it reads more slowly than events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// The newest event of a symbol and kind replaces the one that still waits.
    #[default]
    Latest,
    /// Nothing is skipped; a client that falls too far behind is closed.
    Every,
}

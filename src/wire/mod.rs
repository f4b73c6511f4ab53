//! The protocol's values: what a client asks for and says, and what it is answered.
//!
//! Pure functions and small values, no I/O and no clock. What a client sends is parsed here; how an answer
//! becomes bytes is the matter of an encoding.

mod close;
mod command;
mod inbound;
mod message;
mod query;
mod reply;
mod token;

pub use close::{CloseCode, CloseReason};
pub use command::{Command, Cursor, Request, RequestId, Spoken, Symbols, understand};
pub use inbound::{DecodeError, Decoder, Inbound, InboundLimits};
pub use message::Message;
pub use query::Stream;
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
